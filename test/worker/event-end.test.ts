import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { findEndpoints, removeEndpoint } from '#db/event/event-endpoint'
import { resendEvent } from '#db/event/event-resend'
import { assert } from '#domain/assert'
import { ATTEMPT_DELAYS_SECONDS } from '#domain/event'
import type { DeliveryId } from '#domain/id'
import { openOperator } from '../db/operator.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openEventDesk } from './event-desk.ts'
import type { EventDesk, Listener } from './event-desk.ts'

// How telling ends: by a dead letter, which a person may send again, or by an address that is gone.

const TIMEOUT_MS = 30_000
const DAY_MS = 86_400_000

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

const statesOf = async (listener: Listener) =>
  (await desk.deliveries(listener.id)).map(({ state, attempts }) => `${state} ${attempts}`)

/** Pays an order while the address is down, until its event is a dead letter. */
async function bury(listener: Listener): Promise<DeliveryId> {
  listener.merchant.setKnobs({ mode: 'status', status: 500 })
  await desk.pay((await desk.order()).first)
  for (let attempt = 0; attempt < ATTEMPT_DELAYS_SECONDS.length; attempt += 1) {
    desk.clock.pass(DAY_MS)
    await desk.wake()
  }
  const [row] = await desk.deliveries(listener.id)
  assert(row?.state === 'dead', `expected a dead letter, found ${row?.state}`)
  return row.id
}

describe('a dead letter', () => {
  test('that a person sends again goes from the first attempt, to an address that rests', async () => {
    const shop = await desk.listen()
    const id = await bury(shop)
    const operator = openOperator(desk)
    const caseId = await operator.caseOf(id)
    const [endpoint] = await findEndpoints(desk.db, desk.merchantId)
    expect(endpoint?.paused_until).not.toBeNull()
    expect(await operator.resolve(id, 'retry')).toEqual({ delivery: id })
    expect(await statesOf(shop)).toEqual(['pending 0'])
    expect(await desk.jobs('merchant-event', id)).toBeGreaterThan(0)
    shop.merchant.setKnobs({ mode: 'ok' })
    await desk.wake()
    expect(await statesOf(shop)).toEqual(['delivered 1'])
    expect(await operator.caseState(caseId)).toBe('resolved')
    expect(await operator.audited(caseId)).toEqual([expect.stringContaining('case.retry')])
    expect(await findBrokenAudit(desk.db)).toEqual([])
  })

  test('that dies once more opens a case once more', async () => {
    const shop = await desk.listen()
    const id = await bury(shop)
    await openOperator(desk).resolve(id, 'retry')
    for (let attempt = 0; attempt < ATTEMPT_DELAYS_SECONDS.length; attempt += 1) {
      await desk.wake()
      desk.clock.pass(DAY_MS)
    }
    expect(await statesOf(shop)).toEqual(['dead 16'])
    expect(await desk.cases(id)).toEqual(['event_dead', 'event_dead'])
    expect(shop.merchant.arrivals().length).toBe(32)
  })

  test('that the shop has had sent again meanwhile is not sent twice by a person', async () => {
    const shop = await desk.listen()
    const id = await bury(shop)
    await desk.db
      .updateTable('event_delivery')
      .set({ state: 'pending', due_at: desk.clock.now() })
      .where('id', '=', id)
      .execute()
    const operator = openOperator(desk)
    expect(await operator.resolve(id, 'retry')).toMatch(/sent again meanwhile/)
    expect(await operator.caseState(await operator.caseOf(id))).toBe('open')
    await desk.db
      .updateTable('event_delivery')
      .set({ state: 'dead', due_at: null })
      .where('id', '=', id)
      .execute()
    await removeEndpoint(desk.db, desk.merchantId, shop.id)
    expect(await operator.resolve(id, 'retry')).toMatch(/not called any more/)
  })
})

describe('a dead letter that the shop has sent again', () => {
  const resend = async (id: DeliveryId): Promise<number | undefined> => {
    const rows = await desk.deliveries()
    const eventId = rows.find((row) => row.id === id)?.event_id
    assert(eventId !== undefined, 'the delivery is of an event')
    const wanted = { merchantId: desk.merchantId, id: eventId }
    return resendEvent(desk.db, desk.worker.jobs, wanted, desk.clock.now())
  }

  const BY_SHOP = 'merchant case.retry: delivered after the shop had it sent again'

  test('has its case until it is delivered, and then not, in the audit', async () => {
    const shop = await desk.listen()
    const id = await bury(shop)
    await bury(shop)
    const [, other] = await desk.deliveries(shop.id)
    assert(other !== undefined, 'another event is a dead letter, too')
    const operator = openOperator(desk)
    const caseId = await operator.caseOf(id)
    expect(await resend(id)).toBe(1)
    await desk.wake()
    expect(await statesOf(shop)).toEqual(['pending 1', 'dead 16'])
    expect(await operator.caseState(caseId)).toBe('open')
    expect(await operator.audited(caseId)).toEqual([])
    shop.merchant.setKnobs({ mode: 'ok' })
    desk.clock.pass(DAY_MS)
    await desk.wake()
    expect(await statesOf(shop)).toEqual(['delivered 2', 'dead 16'])
    expect(await operator.caseState(caseId)).toBe('resolved')
    expect(await operator.audited(caseId)).toEqual([BY_SHOP])
    // Another event's is another matter.
    expect(await operator.caseState(await operator.caseOf(other.id))).toBe('open')
    // Sent once more, it has no case to end.
    await resend(id)
    await desk.wake()
    expect(await statesOf(shop)).toEqual(['delivered 1', 'dead 16'])
    expect(await operator.audited(caseId)).toEqual([BY_SHOP])
    expect(await findBrokenAudit(desk.db)).toEqual([])
  })

  test('and dies again keeps the one case', async () => {
    const shop = await desk.listen()
    const id = await bury(shop)
    const caseId = await openOperator(desk).caseOf(id)
    await resend(id)
    for (let attempt = 0; attempt < ATTEMPT_DELAYS_SECONDS.length; attempt += 1) {
      await desk.wake()
      desk.clock.pass(DAY_MS)
    }
    expect(await statesOf(shop)).toEqual(['dead 16'])
    expect(await desk.cases(id)).toEqual(['event_dead'])
    expect(await openOperator(desk).caseState(caseId)).toBe('open')
  })

  test('to the address that has taken the place of the one that is gone: nothing is left to do', async () => {
    const gone = await desk.listen()
    const id = await bury(gone)
    await removeEndpoint(desk.db, desk.merchantId, gone.id)
    const operator = openOperator(desk)
    const caseId = await operator.caseOf(id)
    const shop = await desk.listen()
    expect(await resend(id)).toBe(1)
    await desk.wake()
    expect(await statesOf(shop)).toEqual(['delivered 1'])
    expect(await operator.caseState(caseId)).toBe('resolved')
    expect(await operator.audited(caseId)).toEqual([BY_SHOP])
  })

  test('to one of two addresses: the case of the other, which is still called, stays', async () => {
    const [down, up] = [await desk.listen(), await desk.listen()]
    const id = await bury(down)
    const operator = openOperator(desk)
    const caseId = await operator.caseOf(id)
    expect(await resend(id)).toBe(2)
    await desk.wake()
    expect(await statesOf(up)).toEqual(['delivered 1'])
    expect(await statesOf(down)).toEqual(['pending 1'])
    expect(await operator.caseState(caseId)).toBe('open')
  })

  test('and that a person has decided meanwhile is decided once', async () => {
    const shop = await desk.listen()
    const id = await bury(shop)
    const operator = openOperator(desk)
    const caseId = await operator.caseOf(id)
    await resend(id)
    await operator.resolve(id, 'write_off')
    shop.merchant.setKnobs({ mode: 'ok' })
    await desk.wake()
    expect(await statesOf(shop)).toEqual(['delivered 1'])
    expect(await operator.audited(caseId)).toEqual([expect.stringContaining('ann case.write_off')])
  })
})

describe('an address that answers 410', () => {
  test('is not called any more; one case for all that waited, told to the others', async () => {
    const [gone, other] = [await desk.listen(), await desk.listen()]
    gone.merchant.setKnobs({ mode: 'status', status: 410 })
    for (let order = 0; order < 3; order += 1) await desk.pay((await desk.order()).first)
    desk.clock.pass(DAY_MS)
    const [first] = await desk.deliveries(gone.id)
    await desk.wake(first && [first.id])
    expect((await statesOf(gone)).toSorted()).toEqual(['dead 0', 'dead 0', 'dead 1'])
    expect(await desk.cases(gone.id)).toEqual(['event_endpoint_gone'])
    for (const { id } of await desk.deliveries(gone.id)) expect(await desk.cases(id)).toEqual([])
    const open = await findEndpoints(desk.db, desk.merchantId)
    expect(open.map(({ id }) => String(id))).toEqual([other.id])
    await desk.pay((await desk.order()).first)
    desk.clock.pass(DAY_MS)
    await desk.wake()
    await desk.sweepOnce()
    expect(gone.merchant.arrivals().length).toBe(1)
    const told = other.merchant.accepted().map(({ type }) => type)
    expect(told.filter((type) => type === 'payment.paid')).toHaveLength(4)
    expect(told.filter((type) => type === 'case.opened')).toHaveLength(1)
  })

  test('in four calls at once ends once', async () => {
    const gone = await desk.listen()
    gone.merchant.setKnobs({ mode: 'hang' })
    for (let order = 0; order < 4; order += 1) await desk.pay((await desk.order()).first)
    desk.clock.pass(DAY_MS)
    await desk.wakeOnly()
    await gone.merchant.waitForArrivals((arrivals) => arrivals.length === 4)
    gone.merchant.setKnobs({ mode: 'status', status: 410 })
    await desk.worker.eventPool.idle()
    desk.clock.pass(DAY_MS)
    await desk.wake()
    expect(await desk.cases(gone.id)).toEqual(['event_endpoint_gone'])
    // One that had not begun when the first was answered is not sent at all.
    for (const state of await statesOf(gone)) expect(['dead 1', 'dead 2']).toContain(state)
  })

  test('during its removal by the shop opens no case: nobody is missing anything', async () => {
    const gone = await desk.listen()
    gone.merchant.setKnobs({ mode: 'hang' })
    await desk.pay((await desk.order()).first)
    desk.clock.pass(DAY_MS)
    await desk.wakeOnly()
    await gone.merchant.waitForArrivals((arrivals) => arrivals.length === 1)
    await removeEndpoint(desk.db, desk.merchantId, gone.id)
    gone.merchant.setKnobs({ mode: 'status', status: 410 })
    await desk.worker.eventPool.idle()
    expect(await desk.cases(gone.id)).toEqual([])
  })
})
