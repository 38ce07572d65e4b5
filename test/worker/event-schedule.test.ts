import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ATTEMPT_DELAYS_SECONDS, nextAttemptAt } from '#domain/event'
import type { DeliveryId } from '#domain/id'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openEventDesk } from './event-desk.ts'
import type { EventDesk, Listener } from './event-desk.ts'

const TIMEOUT_MS = 30_000
const SECOND = 1000
const DAY = 86_400 * SECOND

/** The schedule of the design, written again: seconds before each attempt. */
const PAUSES = [
  0, 5, 30, 120, 300, 600, 1200, 1800, 3600, 3600, 3600, 3600, 7200, 10_800, 18_000, 28_800,
]

let database: TestDatabase
let desk: EventDesk
let shop: Listener
let chance = 0.5

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openEventDesk(database.url, { chance: () => chance })
  shop = await desk.listen()
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

/** Pays an order while the merchant's system is down, and returns what there is to deliver. */
async function payWhileDown() {
  shop.merchant.setKnobs({ mode: 'status', status: 500 })
  const { first } = await desk.order()
  await desk.pay(first)
  const waiting = (await desk.deliveries()).filter(({ state }) => state === 'pending')
  expect(waiting.length).toBe(1)
  const [delivery] = waiting
  if (delivery === undefined) throw new Error('one delivery waits')
  // The address has not failed yet: what rests is another test's.
  await desk.db.updateTable('event_endpoint').set({ failures: 0n, paused_until: null }).execute()
  desk.clock.set(delivery.due_at ?? new Date(0))
  return delivery
}

const arrivalsOf = (eventId: string) => shop.merchant.arrivals().filter(({ id }) => id === eventId)

const stateOf = async (id: string) => (await desk.deliveries()).find((row) => row.id === id)

/** Milliseconds between the attempts of a delivery that always fails; nothing is sent a moment earlier. */
async function measurePauses(): Promise<{ readonly pauses: number[]; readonly id: DeliveryId }> {
  const delivery = await payWhileDown()
  const pauses: number[] = []
  let last = desk.clock.now()
  for (;;) {
    const dueAt = (await stateOf(delivery.id))?.due_at ?? null
    if (dueAt === null) return { pauses, id: delivery.id }
    desk.clock.set(addMs(dueAt, -1))
    await desk.wake([delivery.id])
    expect(arrivalsOf(delivery.event_id).length).toBe(pauses.length)
    desk.clock.set(dueAt)
    await desk.wake([delivery.id])
    expect(arrivalsOf(delivery.event_id).length).toBe(pauses.length + 1)
    pauses.push(dueAt.getTime() - last.getTime())
    last = dueAt
  }
}

describe('DN-03 P12 the schedule', () => {
  test(
    'exact times of all 16 attempts under a standing clock, then dead letter and case, and no more',
    async () => {
      chance = 0.5
      const { pauses, id } = await measurePauses()
      expect(pauses).toEqual(PAUSES.map((seconds) => seconds * SECOND))
      const dead = await stateOf(id)
      expect([dead?.state, Number(dead?.attempts), dead?.due_at]).toEqual(['dead', 16, null])
      expect(await desk.cases(id)).toEqual(['event_dead'])
      desk.clock.pass(30 * DAY)
      await desk.wake([id])
      await desk.sweepOnce()
      expect(arrivalsOf(dead?.event_id ?? '').length).toBe(16)
    },
    TIMEOUT_MS,
  )

  test.each([
    [0, 0.9],
    [0.25, 0.95],
    [1 - 2 ** -32, 1.1],
  ])(
    'chance %d moves every pause by the factor %d',
    async (value, factor) => {
      chance = value
      const { pauses } = await measurePauses()
      expect(pauses).toEqual(PAUSES.map((seconds) => Math.round(seconds * SECOND * factor)))
      chance = 0.5
    },
    TIMEOUT_MS,
  )

  test('P11 the id and the body stay the same in every attempt, the time and signature change', async () => {
    const delivery = await payWhileDown()
    await desk.wake([delivery.id])
    desk.clock.pass(5 * SECOND)
    shop.merchant.setKnobs({ mode: 'ok' })
    await desk.wake([delivery.id])
    const [first, second, ...more] = arrivalsOf(delivery.event_id)
    expect(more).toEqual([])
    expect(first?.body).toBe(String(second?.body))
    expect(Number(second?.timestamp) - Number(first?.timestamp)).toBe(5)
    expect(first?.headers['webhook-signature']).not.toBe(
      String(second?.headers['webhook-signature']),
    )
    expect([first?.judgement, second?.judgement]).toEqual(['genuine', 'genuine'])
    expect((await stateOf(delivery.id))?.state).toBe('delivered')
  })

  test('the pause is counted from the end of an attempt that took long', async () => {
    const delivery = await payWhileDown()
    shop.merchant.setKnobs({ mode: 'hang' })
    const startedAt = desk.clock.now()
    await desk.wakeOnly([delivery.id])
    await shop.merchant.waitForArrivals((list) => list.some(({ id }) => id === delivery.event_id))
    desk.clock.pass(14 * SECOND)
    shop.merchant.setKnobs({ mode: 'ok' })
    await desk.worker.eventPool.idle()
    expect((await stateOf(delivery.id))?.due_at).toEqual(addMs(startedAt, 19 * SECOND))
    desk.clock.pass(5 * SECOND)
    await desk.wake([delivery.id])
  })

  test('the code has the schedule of the design, and nothing after the sixteenth', () => {
    expect([...ATTEMPT_DELAYS_SECONDS]).toEqual(PAUSES)
    const at = new Date(0)
    expect(PAUSES.map((_, index) => nextAttemptAt(index, at, 0.5)?.getTime())).toEqual(
      PAUSES.map((seconds) => seconds * SECOND),
    )
    expect(nextAttemptAt(16, at, 0.5)).toBeUndefined()
    expect(nextAttemptAt(17, at, 0.5)).toBeUndefined()
  })
})

describe('a dead letter', () => {
  test('opens one case, and tells nobody about it: the next would die as well (no endless chain)', async () => {
    chance = 0.5
    const before = (await desk.events()).length
    const { id } = await measurePauses()
    expect(await desk.cases(id)).toEqual(['event_dead'])
    const after = await desk.events()
    expect(after.slice(before).map(({ type }) => type)).toEqual(['payment.paid'])
  })

  test('every attempt is on record with its answer', async () => {
    const { id } = await measurePauses()
    const rows = await desk.db
      .selectFrom('merchant_event_attempt')
      .selectAll()
      .where('delivery_id', '=', id)
      .orderBy('attempt')
      .execute()
    expect(rows.map(({ attempt }) => Number(attempt))).toEqual(PAUSES.map((_, index) => index + 1))
    expect(new Set(rows.map(({ status }) => Number(status)))).toEqual(new Set([500]))
  })
})
