import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { applyNotifications } from '#db/notification/apply-notification'
import { applyRefundNotification } from '#db/refund/apply-refund-notification'
import { holdRefund } from '#db/refund/send-refund'
import { assert } from '#domain/assert'
import type { NotificationId } from '#domain/id'
import type { NotificationFacts } from '#domain/notification'
import { factsOf } from '../flow/batch.ts'
import { lineUp, ordersOf } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// The races of the reliability notes, section 4.8, about refunds, each in every order of its parts.

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

async function store(facts: NotificationFacts): Promise<NotificationId> {
  const [id] = await desk.store([facts])
  assert(id !== undefined, 'one row was stored')
  return id
}

/** Kinds of what the works came to, in the order in which they queued up. */
async function run(
  { orderId }: Counter,
  works: readonly (() => Promise<unknown>)[],
): Promise<unknown[]> {
  const ends = await lineUp(desk.db, orderId, works)
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason
    return end.value
  })
}

const kindOf = (value: unknown): unknown => Object(value).kind ?? value

describe('F128 callback PAID ∥ refund request by an operator', () => {
  test('paid first: the refund is taken', async () => {
    const counter = await desk.order()
    const id = await store(factsOf(counter.first))
    const ends = await run(counter, [
      () => applyNotifications(desk.db, desk.deps, desk.merchantId, [id]),
      () => desk.ask(counter.first, 2000n, 'operator'),
    ])
    expect(kindOf(ends[1])).toBe('requested')
    expect(await desk.violations()).toEqual([])
  })

  test('asked first: refused, because nothing is paid yet, and the payment comes through', async () => {
    const counter = await desk.order()
    const id = await store(factsOf(counter.first))
    const ends = await run(counter, [
      () => desk.ask(counter.first, 2000n, 'operator'),
      () => applyNotifications(desk.db, desk.deps, desk.merchantId, [id]),
    ])
    expect(ends[0]).toEqual({ kind: 'not_refundable', availableMinor: 0n })
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({
      state: 'paid',
      reserved: 0n,
    })
    expect(await desk.refunds(counter.first.paymentId)).toEqual([])
    expect(await desk.violations()).toEqual([])
  })
})

describe('F129 two partial refunds whose sum exceeds what was paid', () => {
  test.each(ordersOf([1500n, 600n]))(
    'exactly the first is accepted (%p, %p)',
    async (...amounts) => {
      const counter = await desk.order(2000)
      await desk.pay(counter.first)
      const ends = await run(
        counter,
        amounts.map((amount) => () => desk.ask(counter.first, amount)),
      )
      expect(ends.map(kindOf)).toEqual(['requested', 'not_refundable'])
      const refunds = await desk.refunds(counter.first.paymentId)
      expect(refunds.map(({ amount }) => amount)).toEqual(amounts.slice(0, 1))
      expect(await desk.violations()).toEqual([])
    },
  )
})

describe('F130 refund callback ∥ refund query ∥ the refund asked for again', () => {
  test.each(ordersOf(['callback', 'query', 'repeat'] as const))(
    'one refund is final, points are taken back once (%s, %s, %s)',
    async (...order) => {
      const counter = await desk.order(2000)
      const { first, orderId } = counter
      await desk.pay(first)
      const wanted = {
        merchantId: desk.merchantId,
        paymentId: first.paymentId,
        amountMinor: 2000n,
        reason: 'test',
        origin: 'merchant',
        requestKey: crypto.randomUUID(),
        now: new Date(),
      } as const
      const asked = await desk.askAs(wanted)
      assert(asked.kind === 'requested', 'the refund was asked for')
      await desk.markSent(asked.refund)
      const facts = refundFactsOf(first, asked.refund, 'succeeded')
      const id = await store(facts)
      const works = {
        callback: () => applyRefundNotification(desk.db, desk.deps, desk.merchantId, id),
        query: () => desk.hear(facts),
        repeat: () => desk.askAs(wanted),
      }
      const ends = await run(
        counter,
        order.map((name) => works[name]),
      )
      const said = Object.fromEntries(order.map((name, index) => [name, kindOf(ends[index])]))
      const isCallbackFirst = order.indexOf('callback') < order.indexOf('query')
      expect(said).toEqual({
        callback: isCallbackFirst ? 'move' : 'nothing',
        query: isCallbackFirst ? 'nothing' : 'move',
        repeat: 'requested',
      })
      const refunds = await desk.refunds(first.paymentId)
      expect(refunds.map(({ state }) => state)).toEqual(['succeeded'])
      expect(await desk.payment(first.paymentId)).toMatchObject({
        reserved: 2000n,
        refunded: 2000n,
      })
      expect(await desk.orderState(orderId)).toBe('refunded')
      expect((await desk.points(orderId)).map(({ kind }) => kind)).toEqual(['grant', 'revoke'])
      expect(await desk.receivedIds()).toEqual([])
      expect(await desk.violations()).toEqual([])
    },
  )
})

test('a refund that the vendor holds back ∥ its success: each waits for the other, and success stands', async () => {
  for (const isHeldFirst of [true, false]) {
    const counter = await desk.order()
    await desk.pay(counter.first)
    const refund = await desk.refund(counter.first, 500n)
    await desk.markSent(refund)
    const seen: string[] = []
    const state = async () => (await desk.refunds(counter.first.paymentId))[0]?.state ?? ''
    const hold = async () => {
      await holdRefund(desk.db, refund, new Date())
      seen.push(await state())
    }
    const hear = () => desk.hear(refundFactsOf(counter.first, refund, 'succeeded'))
    await run(counter, isHeldFirst ? [hold, hear] : [hear, hold])
    // Without the order's lock it would be back at `requested` while the other one still waits.
    expect(seen).toEqual([isHeldFirst ? expect.any(String) : 'succeeded'])
    expect(await state()).toBe('succeeded')
    expect(await desk.violations()).toEqual([])
  }
})
