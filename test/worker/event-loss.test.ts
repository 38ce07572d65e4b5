import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { openCase } from '#db/case/case'
import { beginDelivery } from '#db/event/event-delivery'
import type { Delivery } from '#db/event/event-delivery'
import { removeEndpoint, rotateSecret } from '#db/event/event-endpoint'
import { resendEvent } from '#db/event/event-resend'
import { finishDelivery } from '#db/event/event-result'
import { parseSealKey } from '#db/seal'
import { sweep } from '#db/sweep'
import { assert } from '#domain/assert'
import { addMs } from '#domain/time'
import { runMerchantEvent } from '#worker/job/merchant-event'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openEventDesk } from './event-desk.ts'
import type { EventDesk, Listener } from './event-desk.ts'

const TIMEOUT_MS = 30_000
const SECOND = 1000
const MINUTE = 60 * SECOND

let database: TestDatabase
let desk: EventDesk

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openEventDesk(database.url)
}, TIMEOUT_MS)

afterEach(() => desk.reset())
afterAll(async () => {
  await desk.stop()
  await database.drop()
})

async function payOrders(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await desk.pay((await desk.order()).first)
}

const stateOf = async (listener: Listener) =>
  (await desk.deliveries(listener.id)).map(({ state, attempts }) => `${state} ${attempts}`)

/** Takes the delivery, as a worker does that then dies or stands still. */
async function take(listener: Listener): Promise<Delivery> {
  const [row] = await desk.deliveries(listener.id)
  assert(row !== undefined, 'there is a delivery')
  const now = desk.clock.now()
  const times = { now, leaseUntil: addMs(now, MINUTE) }
  const job = { merchantId: desk.merchantId, id: row.id }
  const begun = await beginDelivery(desk.db, desk.worker.jobs, job, times)
  assert(begun.kind === 'send', `expected a delivery that is due, got ${begun.kind}`)
  return begun.delivery
}

const failed = () => ({
  status: 500,
  error: undefined,
  startedAt: desk.clock.now(),
  elapsedMs: 0,
})

describe('DN-02 F89 all jobs are gone', () => {
  test('the sweeper sends every event that is not sent, of every kind, once', async () => {
    const shop = await desk.listen()
    await payOrders(5)
    await openCase(desk.db, {
      merchantId: desk.merchantId,
      kind: 'test',
      subject: 'x',
      evidence: {},
    })
    await desk.loseJobs()
    const { rows } = await sql`SELECT 1 FROM pgboss.job WHERE name = 'merchant-event'`.execute(
      desk.db,
    )
    expect(rows).toEqual([])
    desk.clock.pass(MINUTE)
    expect(await desk.sweepOnce()).toBe(6)
    const sent = shop.merchant.accepted()
    expect(sent.map(({ id }) => id).toSorted()).toEqual(
      (await desk.events()).map(({ id }) => String(id)).toSorted(),
    )
    expect(sent.filter(({ type }) => type === 'case.opened').length).toBe(1)
    desk.clock.pass(MINUTE)
    expect(await desk.sweepOnce()).toBe(0)
    expect(shop.merchant.arrivals().length).toBe(6)
  })

  test('the whole chain of retries survives without one job', async () => {
    const shop = await desk.listen()
    shop.merchant.setKnobs({ mode: 'status', status: 500, times: 3 })
    await payOrders(1)
    for (let minute = 0; minute < 10; minute += 1) {
      await desk.loseJobs()
      desk.clock.pass(MINUTE)
      await desk.sweepOnce()
    }
    expect(shop.merchant.arrivals().map(({ mode }) => mode)).toEqual([
      'status',
      'status',
      'status',
      'ok',
    ])
  })

  test('a tick does not feed again what the one before has fed (no storm)', async () => {
    await desk.listen()
    await payOrders(3)
    desk.clock.pass(MINUTE)
    const now = desk.clock.now()
    const times = { now, overdueSince: addMs(now, -MINUTE), nextQueryAt: addMs(now, MINUTE) }
    expect((await sweep(desk.db, desk.worker.jobs, times)).events).toBe(3)
    expect((await sweep(desk.db, desk.worker.jobs, times)).events).toBe(0)
    await desk.loseJobs()
  })
})

describe('a worker that dies or stands still', () => {
  test('F78 died in the call: another takes over when the lease is over, and not before', async () => {
    const shop = await desk.listen()
    await payOrders(1)
    await take(shop)
    desk.clock.pass(MINUTE - 1)
    await desk.wake()
    expect(shop.merchant.arrivals()).toEqual([])
    desk.clock.pass(1)
    await desk.wake()
    expect(shop.merchant.accepted().length).toBe(1)
    expect(await stateOf(shop)).toEqual(['delivered 2'])
  })

  test('F79 a failure that is reported late plans nothing over the attempt that took its place', async () => {
    const shop = await desk.listen()
    await payOrders(1)
    const old = await take(shop)
    desk.clock.pass(MINUTE)
    const young = await take(shop)
    const leased = (await desk.deliveries(shop.id))[0]?.due_at
    await finishDelivery(desk.db, desk.worker.jobs, old, failed(), 0.5)
    expect((await desk.deliveries(shop.id))[0]?.due_at).toEqual(leased ?? null)
    await finishDelivery(desk.db, desk.worker.jobs, young, { ...failed(), status: 204 }, 0.5)
    expect(await stateOf(shop)).toEqual(['delivered 2'])
    await finishDelivery(desk.db, desk.worker.jobs, { ...old, attempt: 16n }, failed(), 0.5)
    expect(await stateOf(shop)).toEqual(['delivered 2'])
    expect(await desk.cases(young.id)).toEqual([])
  })

  test('F79 a last attempt that is reported after a resend does not bury the new one', async () => {
    const shop = await desk.listen()
    await payOrders(1)
    const old = await take(shop)
    const wanted = { merchantId: desk.merchantId, id: old.eventId }
    await resendEvent(desk.db, desk.worker.jobs, wanted, desk.clock.now())
    await finishDelivery(desk.db, desk.worker.jobs, { ...old, attempt: 16n }, failed(), 0.5)
    expect(await stateOf(shop)).toEqual(['pending 0'])
    expect(await desk.cases(old.id)).toEqual([])
  })

  test('F82 an event that kills its worker each time ends after sixteen, with a case', async () => {
    const shop = await desk.listen()
    await payOrders(1)
    for (let attempt = 1; attempt <= 16; attempt += 1) {
      await take(shop)
      desk.clock.pass(MINUTE)
    }
    await desk.wake()
    expect(await stateOf(shop)).toEqual(['dead 16'])
    expect(shop.merchant.arrivals()).toEqual([])
    const [row] = await desk.deliveries(shop.id)
    expect(await desk.cases(row?.id ?? '')).toEqual(['event_dead'])
  })

  test('F80 F90 five workers with the same job at once: one call', async () => {
    const shop = await desk.listen()
    await payOrders(1)
    const [row] = await desk.deliveries()
    assert(row !== undefined, 'there is a delivery')
    const desks = await Promise.all(Array.from({ length: 4 }, () => openEventDesk(database.url)))
    const jobs = [desk, ...desks].map(({ worker }) =>
      runMerchantEvent(
        { ...worker, events: desk.worker.events, clock: desk.clock },
        { merchantId: desk.merchantId, deliveryId: row.id },
      ),
    )
    await Promise.all(jobs)
    for (const { worker } of [desk, ...desks]) await worker.eventPool.idle()
    expect(shop.merchant.arrivals().length).toBe(1)
    for (const other of desks) await other.stop()
  })
})

describe('an address', () => {
  test('that is taken away ends what waits for it, without a case', async () => {
    const shop = await desk.listen()
    await payOrders(2)
    expect(await removeEndpoint(desk.db, desk.merchantId, shop.id)).toBe(true)
    desk.clock.pass(MINUTE)
    expect(await desk.sweepOnce()).toBe(0)
    expect(await stateOf(shop)).toEqual(['dead 0', 'dead 0'])
    expect(shop.merchant.arrivals()).toEqual([])
    const [row] = await desk.deliveries()
    expect(await desk.cases(row?.id ?? '')).toEqual([])
  })

  test('that is taken away during its last call ends without a case', async () => {
    const shop = await desk.listen()
    await payOrders(1)
    const delivery = await take(shop)
    await removeEndpoint(desk.db, desk.merchantId, shop.id)
    await finishDelivery(desk.db, desk.worker.jobs, { ...delivery, attempt: 16n }, failed(), 0.5)
    expect(await desk.cases(delivery.id)).toEqual([])
  })

  test('that is taken away while an event is written is not swept for ever', async () => {
    const shop = await desk.listen()
    await payOrders(1)
    await desk.db
      .updateTable('event_endpoint')
      .set({ enabled: false })
      .where('id', '=', shop.id)
      .execute()
    desk.clock.pass(MINUTE)
    await desk.sweepOnce()
    expect(await stateOf(shop)).toEqual(['dead 0'])
  })

  test('whose secret does not open fails like any, and ends with a case', async () => {
    const otherKey = parseSealKey('11'.repeat(32))
    assert(otherKey !== undefined, 'the key parses')
    const shop = await desk.listen()
    const endpoint = { merchantId: desk.merchantId, id: shop.id }
    await rotateSecret(desk.db, otherKey, endpoint, desk.clock.now())
    await payOrders(1)
    await desk.wake()
    const [row] = await desk.deliveries()
    expect([row?.state, row?.attempts]).toEqual(['pending', 1n])
    const attempts = await desk.db.selectFrom('merchant_event_attempt').selectAll().execute()
    expect(attempts.map(({ error }) => error)).toContain('secret does not open')
    expect(desk.log.warned().map(({ msg }) => msg)).toContain('event secret does not open')
    expect(shop.merchant.arrivals()).toEqual([])
  })
})
