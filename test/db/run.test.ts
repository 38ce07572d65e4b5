import { afterAll, beforeAll, expect, test } from 'bun:test'
import { changeRun, claimRun, findRun } from '#db/run'
import { assert } from '#domain/assert'
import { newRunId } from '#domain/id'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

test('of two jobs that fetch the same day, the last to take it is the one whose word counts', async () => {
  const { vendor_merchant_id: vendorMerchantId } = await desk.db
    .selectFrom('channel_account')
    .select('vendor_merchant_id')
    .executeTakeFirstOrThrow()
  const [id, now] = [newRunId(), new Date()]
  await desk.db
    .insertInto('schedule_run')
    .values({
      merchant_id: desk.merchantId,
      task: 'bill',
      vendor_merchant_id: vendorMerchantId,
      business_date: '2026-01-01',
      id,
      due_at: now,
      deadline_at: now,
    })
    .execute()
  const claim = async () => {
    const run = await claimRun(desk.db, desk.merchantId, id, addMs(now, TIMEOUT_MS))
    assert(run !== undefined, 'the day waits')
    return run
  }
  const state = async () => (await findRun(desk.db, desk.merchantId, id))?.state
  const [slow, fast] = [await claim(), await claim()]
  expect(await changeRun(desk.db, fast, { state: 'loaded', dueAt: now, note: '' })).toBe(true)
  const loaded = await findRun(desk.db, desk.merchantId, id)
  assert(loaded !== undefined, 'the day is there')
  expect(await changeRun(desk.db, loaded, { state: 'done', dueAt: null, note: '' })).toBe(true)
  for (const late of [slow, fast, loaded]) {
    const change = { state: 'waiting', dueAt: now, note: 'not ready' } as const
    expect(await changeRun(desk.db, late, change)).toBe(false)
  }
  expect(await state()).toBe('done')
})
