import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { readMetrics } from '#db/metrics'
import { assert } from '#domain/assert'
import type { NotificationId, PointsGrantId } from '#domain/id'
import type { QueueName } from '#domain/job'
import { runCompensation } from '#worker/job/compensation'
import { createPointsClient } from '#worker/points-client'
import type { PointsClient } from '#worker/points-client'
import { openQueues, startConsumers, stopQueues } from '#worker/queue'
import { sweepNow } from '#worker/sweep'
import { BATCHES_BEHIND, createTurns } from '#worker/turn'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { factsOf, sell } from '../flow/batch.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openEventDesk, standingClock } from './event-desk.ts'
import type { EventDesk } from './event-desk.ts'

// A queue that is behind is not fed again with what waits in it (design, section 6).

const TIMEOUT_MS = 60_000
const HOUR_MS = 3_600_000
/** Jobs that a worker takes at once. */
const BATCH = 50
const QUERY_SECONDS = 3600

let database: TestDatabase
let service: PointsService
let gate: Gate
let desk: EventDesk

beforeAll(async () => {
  database = await cloneDatabase()
  service = startPointsService({ databasePath: ':memory:' })
  const clock = standingClock()
  gate = openGate(createPointsClient({ baseUrl: service.url, clock }))
  desk = await openEventDesk(database.url, { points: gate.points }, clock)
}, TIMEOUT_MS)

afterEach(async () => {
  // What has waited is done with, so that it does not wait in the next test, too.
  desk.clock.pass(HOUR_MS)
  await look(await desk.receivedIds())
  await desk.loseJobs()
  await sql`DELETE FROM repair_count`.execute(desk.db)
})

afterAll(async () => {
  await desk.stop()
  await service.stop()
  await database.drop()
}, TIMEOUT_MS)

const look = (notificationIds: readonly NotificationId[]): Promise<void> =>
  runCompensation(
    desk.worker,
    { merchantId: desk.merchantId, notificationIds },
    new AbortController().signal,
  )

interface Gate {
  readonly points: PointsClient
  /** Grants that somebody has asked to be sent, as often as they were. */
  readonly asked: PointsGrantId[]
  /** Lets so many calls more go to the points system. */
  admit(count: number): void
}

/** The points system behind a door that the test opens: a batch is in work for as long as the test wants. */
function openGate(points: PointsClient): Gate {
  const asked: PointsGrantId[] = []
  const waiting: (() => void)[] = []
  let admitted = 0
  const open = (): void => {
    while (admitted > 0 && waiting.length > 0) {
      admitted -= 1
      waiting.shift()?.()
    }
  }
  return {
    asked,
    admit(count) {
      admitted += count
      open()
    },
    points: {
      ...points,
      async send(grant, signal) {
        asked.push(grant.id)
        const turn = Promise.withResolvers<void>()
        waiting.push(turn.resolve)
        open()
        await turn.promise
        return points.send(grant, signal)
      },
    },
  }
}

/** Orders that are paid, an hour ago, and whose points wait in the queue. In the order of their jobs. */
async function paidOrders(count: number): Promise<readonly PointsGrantId[]> {
  for (let index = 0; index < count; index += 1) await desk.pay((await desk.order()).first)
  desk.clock.pass(HOUR_MS)
  const rows = await desk.db
    .selectFrom('points_grant')
    .select('id')
    .where('merchant_id', '=', desk.merchantId)
    .where('state', '=', 'pending')
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}

async function jobsIn(queue: QueueName, state: string): Promise<number> {
  const { rows } = await sql<{ count: bigint }>`
    SELECT count(*) FROM pgboss.job WHERE name = ${queue} AND state = ${state}::pgboss.job_state
    AND data ->> 'merchantId' = ${desk.merchantId}`.execute(desk.db)
  return Number(rows[0]?.count)
}

const repairs = async () =>
  (await readMetrics(desk.db, desk.clock.now()))
    .filter(({ name }) => name === 'repairs_total')
    .map(({ label, value }) => `${label} ${value}`)

const askedOf = (count: number): Promise<true> =>
  waitFor(`${count} calls`, () => (gate.asked.length === count ? true : undefined))

const isGranted = (id: PointsGrantId) => () =>
  desk.db
    .selectFrom('points_grant')
    .select('id')
    .where('merchant_id', '=', desk.merchantId)
    .where('id', '=', id)
    .where('state', '=', 'granted')
    .executeTakeFirst()

describe('a backlog of points', () => {
  const ORDERS = (BATCHES_BEHIND + 2) * BATCH + 10
  /** It would be in the first batch. */
  const LOST = 10

  test(
    'is not fed again while it drains; what has lost its job is found once the queue has passed it',
    async () => {
      const ids = await paidOrders(ORDERS)
      const lost = ids[LOST]
      assert(ids.length === ORDERS && lost !== undefined, 'each order has its grant')
      await sql`DELETE FROM pgboss.job WHERE data ->> 'grantId' = ${lost}`.execute(desk.db)
      const boss = await openQueues(database.url, () => undefined)
      await startConsumers(boss, desk.worker, { pollingSeconds: 0.5 })
      await askedOf(BATCH)
      // The first batch is in work. The second look at every payment is due.
      await sql`UPDATE pgboss.job SET start_after = now() WHERE name = 'compensation'`.execute(
        desk.db,
      )
      await waitFor('every second look', async () =>
        (await jobsIn('compensation', 'completed')) === ORDERS ? true : undefined,
      )
      expect(gate.asked.toSorted()).toEqual(ids.slice(0, BATCH + 1).filter((id) => id !== lost))
      // One more look at each payment whose points wait, and none at once. Those in work are not overdue.
      expect(await jobsIn('compensation', 'created')).toBe(ORDERS - BATCH)
      for (let done = 1; done <= BATCHES_BEHIND + 1; done += 1) {
        expect((await sweepNow(desk.worker, QUERY_SECONDS)).grants).toBe(0)
        gate.admit(BATCH)
        await askedOf((done + 1) * BATCH)
      }
      expect(gate.asked).not.toContain(lost)
      expect((await sweepNow(desk.worker, QUERY_SECONDS)).grants).toBe(1)
      gate.admit(ORDERS)
      await waitFor('the lost one', isGranted(lost))
      await askedOf(ORDERS)
      expect(gate.asked.toSorted()).toEqual([...ids])
      await waitFor('the count of the one', async () =>
        (await repairs()).join(' ') === 'grant_sent 1 grants 1' ? true : undefined,
      )
      await stopQueues(boss)
    },
    TIMEOUT_MS,
  )
})

describe('a backlog of callbacks', () => {
  /** A batch of other callbacks, all older. */
  const olderJobs = Array.from({ length: BATCH }, (_, index) => ({
    data: {
      notificationIds: [`n${String(index).padStart(25, '0')}`],
    },
  }))

  async function waitingCallback() {
    const [sale] = await sell(desk, 1)
    assert(sale !== undefined, 'there is a sale')
    const [id] = await desk.store([factsOf(sale)])
    assert(id !== undefined, 'it is stored')
    desk.clock.pass(HOUR_MS)
    const state = async () => (await desk.payment(sale.paymentId)).state
    return { id, state }
  }

  test('is left to its own jobs, and looked at again later', async () => {
    const { id, state } = await waitingCallback()
    desk.worker.turns.begin('order-status', olderJobs, true)()
    const before = await jobsIn('compensation', 'created')
    await look([id])
    expect((await sweepNow(desk.worker, QUERY_SECONDS)).notifications).toBe(0)
    expect(await state()).toBe('pending')
    expect(await repairs()).toEqual([])
    expect(await jobsIn('compensation', 'created')).toBe(before + 1)
  })

  test.each(['has passed it', 'stands still', 'is not behind', 'hangs'])(
    'is mended once the queue %s',
    async (how) => {
      const { id, state } = await waitingCallback()
      const done = desk.worker.turns.begin('order-status', olderJobs, true)
      if (how === 'hangs') desk.clock.pass(60_000)
      else done()
      if (how === 'has passed it') {
        const newer = [...olderJobs.slice(1), { data: { notificationIds: [id] } }]
        for (let batch = 0; batch <= BATCHES_BEHIND; batch += 1) {
          expect((await sweepNow(desk.worker, QUERY_SECONDS)).notifications).toBe(0)
          desk.worker.turns.begin('order-status', newer, true)()
        }
      }
      if (how === 'stands still') desk.clock.pass(5_000)
      if (how === 'is not behind')
        desk.worker.turns.begin('order-status', olderJobs.slice(1), false)()
      expect((await sweepNow(desk.worker, QUERY_SECONDS)).notifications).toBe(1)
      await look([id])
      expect(await state()).toBe('paid')
    },
  )
})

describe('how far a queue has come', () => {
  const job = (...notificationIds: string[]) => ({ data: { notificationIds } })

  test('is the newest row of a batch that some others have followed, and never goes back', () => {
    const turns = createTurns(standingClock())
    const pass = (...jobs: ReturnType<typeof job>[]) => turns.begin('order-status', jobs, true)()
    expect(turns.waits('order-status', 'n1')).toBe(false)
    const first = turns.begin('order-status', [job('n3', 'n5'), job('n4')], true)
    // Nothing is known to be done: all of it waits, and no other queue is behind.
    expect(turns.waits('order-status', 'n1')).toBe(true)
    expect(turns.waits('points-award', 'g1')).toBe(false)
    first()
    // Some jobs that were tried again are older than what was done.
    for (const id of ['n6', 'n2', 'n7', 'n8'].slice(0, BATCHES_BEHIND - 1)) pass(job(id))
    expect(turns.reached('order-status')).toBe('')
    pass(job('n9'))
    expect(turns.reached('order-status')).toBe('n5')
    expect(turns.waits('order-status', 'n5')).toBe(false)
    expect(turns.waits('order-status', 'n6')).toBe(true)
    pass(job('n9'))
    pass(job('n9'))
    expect(turns.reached('order-status')).toBe('n6')
    expect(turns.waits('order-status', 'n6')).toBe(false)
  })

  test('is the oldest row of the batch that has emptied the queue, until that is done', () => {
    const turns = createTurns(standingClock())
    const done = turns.begin('order-status', [job('n7', 'n6'), job('n5')], false)
    expect(turns.waits('order-status', 'n4')).toBe(false)
    expect(turns.waits('order-status', 'n6')).toBe(true)
    expect(turns.waits('order-status', 'n8')).toBe(true)
    done()
    expect(turns.waits('order-status', 'n8')).toBe(false)
  })

  test('is not misled by jobs that name no row', () => {
    const turns = createTurns(standingClock())
    const strange = [
      { data: null },
      { data: 'text' },
      { data: { notificationIds: 7 } },
      { data: {} },
    ]
    for (let batch = 0; batch <= BATCHES_BEHIND; batch += 1) {
      turns.begin('order-status', strange, true)()
    }
    expect(turns.reached('order-status')).toBe('')
    turns.begin('order-status', strange, false)()
    expect(turns.reached('order-status')).toBeUndefined()
  })
})
