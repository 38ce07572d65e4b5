import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import pino from 'pino'
import { changeRun, claimRun } from '#db/bill/run'
import { openDatabase, workerDatabase } from '#db/database'
import { assert } from '#domain/assert'
import { addDays } from '#domain/business-day'
import { newRunId } from '#domain/id'
import type { RunId } from '#domain/id'
import { addMs } from '#domain/time'
import { whileHeld } from '#worker/hold'
import { makeDeps } from '#worker/make-deps'
import { testSealKey } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

const TIMEOUT_MS = 30_000
const MINUTE_MS = 60_000

let database: TestDatabase
let desk: Desk
let id: RunId
let date = '2026-01-01'
const now = new Date()

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
}, TIMEOUT_MS)

beforeEach(async () => {
  const { vendor_merchant_id: vendorMerchantId } = await desk.db
    .selectFrom('channel_account')
    .select('vendor_merchant_id')
    .executeTakeFirstOrThrow()
  id = newRunId()
  date = addDays(date, 1)
  await desk.db
    .insertInto('schedule_run')
    .values({
      merchant_id: desk.merchantId,
      task: 'bill',
      vendor_merchant_id: vendorMerchantId,
      business_date: date,
      id,
      due_at: now,
      deadline_at: now,
    })
    .execute()
})

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

const claim = (at: Date, state: 'waiting' | 'loaded' = 'waiting', holdMs = MINUTE_MS) =>
  claimRun(desk.db, desk.merchantId, { id, state, now: at, heldUntil: addMs(at, holdMs) })

async function claimed(at: Date, state: 'waiting' | 'loaded' = 'waiting', holdMs = MINUTE_MS) {
  const run = await claim(at, state, holdMs)
  assert(run !== undefined, `the day is ${state}, and nobody holds it`)
  return run
}

const read = () =>
  desk.db.selectFrom('schedule_run').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

describe('of two jobs that fetch the same day', () => {
  test('one does, and the other finds it held', async () => {
    const [one, other] = await Promise.all([claim(now), claim(now)])
    expect([one, other].filter((run) => run !== undefined)).toHaveLength(1)
    expect(await claim(addMs(now, MINUTE_MS - 1))).toBeUndefined()
  })

  test('the one that took it after the other’s hold had ended is the one whose word counts', async () => {
    const slow = await claimed(now)
    const fast = await claimed(addMs(now, MINUTE_MS))
    expect(await changeRun(desk.db, fast, { state: 'loaded', dueAt: now, note: '' })).toBe(true)
    const loaded = await claimed(now, 'loaded')
    expect(await changeRun(desk.db, loaded, { state: 'done', dueAt: null, note: '' })).toBe(true)
    for (const late of [slow, fast, loaded]) {
      const change = { state: 'waiting', dueAt: now, note: 'not ready' } as const
      expect(await changeRun(desk.db, late, change)).toBe(false)
    }
    expect(await read()).toMatchObject({ state: 'done', held_until: null })
  })
})

describe('a run that somebody works on', () => {
  const RENEW_MS = 20
  const times = { holdMs: MINUTE_MS, renewMs: RENEW_MS }
  let moment = now
  /** How often the clock was read: each renewal reads it once. */
  let readings = 0
  const newDeps = (db = desk.db) =>
    makeDeps(
      {
        databaseUrl: database.url,
        sealKey: testSealKey(),
        pointsUrl: 'http://127.0.0.1:9',
        publicUrl: 'http://127.0.0.1:9',
        localHosts: [],
        clock: {
          now: () => {
            readings += 1
            return moment
          },
        },
        log: pino({ level: 'silent' }),
        compensationSeconds: 3600,
        retrySeconds: 60,
        querySeconds: 60,
        requireDurable: false,
        sweepPattern: '',
        pollingSeconds: 1,
      },
      { db, billDb: db, jobs: desk.deps.jobs },
    ).deps

  const waitForRenewals = (count: number) => {
    const first = readings
    return waitFor(`${count} renewals`, () => (readings >= first + count ? true : undefined))
  }

  test('is held for as long as that takes, and by nobody when it has failed', async () => {
    moment = now
    const run = await claimed(moment)
    const work = Promise.withResolvers<void>()
    const working = whileHeld(newDeps(), run, () => work.promise, times)
    // Several holds long: without renewal the second claim would be given.
    for (let round = 0; round < 4; round += 1) {
      moment = addMs(moment, MINUTE_MS - 1)
      const until = addMs(moment, MINUTE_MS).getTime()
      await waitFor('the renewed hold', async () =>
        (await read()).held_until?.getTime() === until ? true : undefined,
      )
      expect(await claim(moment)).toBeUndefined()
    }
    work.reject(new Error('the vendor is gone'))
    expect(await working.catch((error: unknown) => String(error))).toContain('is gone')
    // Its queue repeats it; the schedule does not, for a while.
    expect(await read()).toMatchObject({ held_until: null, due_at: addMs(moment, 30 * MINUTE_MS) })
    expect(await claim(moment)).toBeDefined()
  })

  test('is not held by one whose hold had ended, and was taken over', async () => {
    moment = now
    const slow = await claimed(moment, 'waiting', 0)
    const fast = await claimed(moment)
    const work = Promise.withResolvers<void>()
    moment = addMs(moment, 1000)
    const working = whileHeld(newDeps(), slow, () => work.promise, times)
    await waitForRenewals(10)
    work.resolve()
    await working
    expect(await read()).toMatchObject({ attempts: fast.attempts, held_until: fast.held_until })
  })

  test('goes on when its hold cannot be renewed', async () => {
    moment = now
    const run = await claimed(moment)
    const gone = openDatabase(database.url, workerDatabase, () => undefined)
    // One that was never used would open itself again.
    await gone.selectFrom('schedule_run').select('id').limit(1).execute()
    await gone.destroy()
    const done = await whileHeld(
      newDeps(gone),
      run,
      async () => {
        await waitForRenewals(3)
        return 'done'
      },
      times,
    )
    expect(done).toBe('done')
    expect((await read()).held_until).toEqual(run.held_until)
  })
})
