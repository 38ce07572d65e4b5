import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { beginDelivery } from '#db/event/event-delivery'
import { findEndpoints } from '#db/event/event-endpoint'
import { resendEvent } from '#db/event/event-resend'
import { finishDelivery } from '#db/event/event-result'
import { sweep } from '#db/sweep'
import { assert } from '#domain/assert'
import { newDeliveryId, newEventId } from '#domain/id'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openEventDesk } from './event-desk.ts'
import type { EventDesk, Listener } from './event-desk.ts'

const TIMEOUT_MS = 30_000
const SECOND = 1000

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

const endpointOf = async ({ id }: Listener) => {
  const rows = await findEndpoints(desk.db, desk.merchantId)
  const row = rows.find((endpoint) => endpoint.id === id)
  assert(row !== undefined, 'the endpoint is called')
  return row
}

const statesOf = async ({ id }: Listener) =>
  (await desk.deliveries(id)).map(({ state, attempts }) => `${state} ${attempts}`)

describe('DN-05 P7 one endpoint hangs for 30 s', () => {
  test(
    'the others get everything meanwhile, and the one holds no more than its places',
    async () => {
      const hanging = await desk.listen()
      const others = [await desk.listen(), await desk.listen()]
      hanging.merchant.setKnobs({ mode: 'hang' })
      await payOrders(12)
      await desk.wakeOnly()
      for (const { merchant } of others) {
        await merchant.waitForArrivals((list) => list.length === 12)
      }
      await hanging.merchant.waitForArrivals((list) => list.length === 4)
      desk.clock.pass(30 * SECOND)
      await payOrders(3)
      await desk.wakeOnly()
      for (const { merchant } of others) {
        await merchant.waitForArrivals((list) => list.length === 15)
        expect(merchant.accepted().length).toBe(15)
      }
      // Not one of its calls has ended: everything above happened beside them.
      expect(hanging.merchant.arrivals().length).toBe(4)
      expect(await statesOf(hanging)).toEqual([
        ...Array.from({ length: 4 }, () => 'pending 1'),
        ...Array.from({ length: 11 }, () => 'pending 0'),
      ])
    },
    TIMEOUT_MS,
  )

  test(
    'the sweeper comes to the few of another address, however many wait for the one',
    async () => {
      await makeBacklog(await desk.listen(), 1100)
      const other = await desk.listen()
      await payOrders(1)
      await desk.loseJobs()
      const [fresh] = await desk.deliveries(other.id)
      let ticks = 0
      while ((await desk.jobs('compensation', fresh?.id ?? '')) === 0 && ticks < 10) {
        desk.clock.pass(60 * SECOND)
        const now = desk.clock.now()
        const times = { now, overdueSince: addMs(now, -60_000), nextQueryAt: addMs(now, 60_000) }
        await sweep(desk.db, desk.worker.jobs, times)
        ticks += 1
      }
      expect(ticks).toBe(3)
    },
    TIMEOUT_MS,
  )
})

/** Deliveries that have been due for long, as after a weekend. */
async function makeBacklog({ id }: Listener, count: number): Promise<void> {
  const at = addMs(desk.clock.now(), -3_600_000)
  const events = Array.from({ length: count }, (_, index) => ({
    merchant_id: desk.merchantId,
    id: newEventId(),
    type: 'case.opened' as const,
    subject: `old-${index}`,
    sequence: 1n,
    body: '{"type":"case.opened"}',
    created_at: at,
  }))
  await desk.db.insertInto('merchant_event').values(events).execute()
  const rows = events.map((event) => ({
    merchant_id: desk.merchantId,
    id: newDeliveryId(),
    event_id: event.id,
    endpoint_id: id,
    due_at: at,
  }))
  await desk.db.insertInto('event_delivery').values(rows).execute()
}

describe('P14 the circuit breaker', () => {
  test('after five failures first attempts wait, and go when the rest is over', async () => {
    const shop = await desk.listen()
    shop.merchant.setKnobs({ mode: 'status', status: 503 })
    await payOrders(5)
    await desk.wake()
    expect(shop.merchant.arrivals().length).toBe(5)
    const { failures, paused_until: until } = await endpointOf(shop)
    expect(Number(failures)).toBe(5)
    expect(until).toEqual(addMs(desk.clock.now(), 30 * SECOND))
    await payOrders(3)
    await desk.wake()
    expect(shop.merchant.arrivals().length).toBe(5)
    const waiting = (await desk.deliveries(shop.id)).filter(({ attempts }) => attempts === 0n)
    expect(waiting.map(({ due_at: dueAt }) => dueAt)).toEqual([until, until, until])
    // Each has a job of its own for that moment: it need not wait for the sweeper.
    for (const { id } of waiting) expect(await desk.jobs('merchant-event', id)).toBe(2)
  })

  test('retries go on while it rests, and a success ends the rest at once', async () => {
    const shop = await desk.listen()
    shop.merchant.setKnobs({ mode: 'status', status: 503 })
    await payOrders(5)
    await desk.wake()
    await payOrders(1)
    await desk.wake()
    shop.merchant.setKnobs({ mode: 'ok' })
    desk.clock.pass(5 * SECOND)
    await desk.wake()
    expect(shop.merchant.accepted().length).toBe(5)
    const { failures, paused_until: until } = await endpointOf(shop)
    expect([failures, until]).toEqual([0n, null])
    desk.clock.pass(25 * SECOND)
    await desk.wake()
    expect(shop.merchant.accepted().length).toBe(6)
  })

  test('one call at a time finds out whether it is well again', async () => {
    const shop = await desk.listen()
    shop.merchant.setKnobs({ mode: 'status', status: 503 })
    await payOrders(5)
    await desk.wake()
    shop.merchant.setKnobs({ mode: 'hang' })
    await payOrders(4)
    desk.clock.pass(30 * SECOND)
    await desk.wakeOnly()
    await shop.merchant.waitForArrivals((list) => list.length === 6)
    shop.merchant.setKnobs({ mode: 'ok' })
    await desk.worker.eventPool.idle()
    const tried = shop.merchant.arrivals().slice(5)
    expect(tried[0]?.mode).toBe('hang')
    expect(tried.slice(1).every(({ mode }) => mode === 'ok')).toBe(true)
  })

  test('each failure makes the rest longer, up to a quarter of an hour', async () => {
    const shop = await desk.listen()
    shop.merchant.setKnobs({ mode: 'status', status: 503 })
    const rests: number[] = []
    await payOrders(14)
    for (const { id } of await desk.deliveries(shop.id)) {
      const until = (await endpointOf(shop)).paused_until
      if (until !== null) desk.clock.set(until)
      await desk.wake([id])
      const next = (await endpointOf(shop)).paused_until
      if (next !== null) rests.push((next.getTime() - desk.clock.now().getTime()) / SECOND)
    }
    expect(rests).toEqual([30, 60, 120, 240, 480, 900, 900, 900, 900, 900])
  })

  test('a success of a call that began before the failures ends the rest, too', async () => {
    const shop = await desk.listen()
    await payOrders(6)
    const [slow, ...rest] = await desk.deliveries(shop.id)
    shop.merchant.setKnobs({ mode: 'status', status: 503 })
    assert(slow !== undefined, 'there is a delivery')
    const now = desk.clock.now()
    const job = { merchantId: desk.merchantId, id: slow.id }
    const times = { now, leaseUntil: addMs(now, 60 * SECOND) }
    const begun = await beginDelivery(desk.db, desk.worker.jobs, job, times)
    assert(begun.kind === 'send', 'it is due')
    await desk.wake(rest.map(({ id }) => id))
    expect((await endpointOf(shop)).paused_until).not.toBeNull()
    const result = { status: 200, error: undefined, startedAt: now, elapsedMs: 5 }
    await finishDelivery(desk.db, desk.worker.jobs, begun.delivery, result, 0.5)
    expect((await endpointOf(shop)).paused_until).toBeNull()
  })

  test('a person who asks for a resend does not wait for the rest to end', async () => {
    const shop = await desk.listen()
    shop.merchant.setKnobs({ mode: 'status', status: 503 })
    await payOrders(6)
    await desk.wake()
    const [event] = await desk.events()
    assert(event !== undefined, 'there is an event')
    shop.merchant.setKnobs({ mode: 'ok' })
    const wanted = { merchantId: desk.merchantId, id: event.id }
    expect(await resendEvent(desk.db, desk.worker.jobs, wanted, desk.clock.now())).toBe(1)
    await desk.wake()
    expect(shop.merchant.accepted().map(({ id }) => id)).toContain(event.id)
  })
})
