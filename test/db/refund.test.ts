import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { RefundFacts } from '#domain/notification'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

const TIMEOUT_MS = 30_000
const DAY_MS = 86_400_000

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

async function paidOrder(amount = 2000): Promise<Counter> {
  const counter = await desk.order(amount)
  expect(await desk.pay(counter.first)).toBe('counted')
  return counter
}

const violated = (query: Promise<unknown>): Promise<string> =>
  query.then(
    () => 'done',
    (error: unknown) => String(Object(error).constraint ?? error),
  )

describe('a refund is reserved', () => {
  test('RF-01 20 parallel refunds of 60 %: one is accepted', async () => {
    const { first } = await paidOrder()
    const asked = await Promise.all(Array.from({ length: 20 }, () => desk.ask(first, 1200n)))
    const kinds = asked.map(({ kind }): string => kind).toSorted()
    expect(kinds).toEqual([...Array.from({ length: 19 }, () => 'not_refundable'), 'requested'])
    expect(await desk.refunds(first.paymentId)).toHaveLength(1)
    expect((await desk.payment(first.paymentId)).reserved).toBe(1200n)
    expect(await desk.violations()).toEqual([])
  })

  test('RF-01 the constraint holds where no statement guards', async () => {
    const { first } = await paidOrder()
    const reserve = (amount: number) =>
      sql`UPDATE payment SET refund_reserved = refund_reserved + ${amount}
          WHERE id = ${first.paymentId}`.execute(desk.db)
    expect(await violated(reserve(2001))).toBe('payment_refund_within')
    const both = await Promise.all([violated(reserve(1200)), violated(reserve(1200))])
    expect(both.toSorted()).toEqual(['done', 'payment_refund_within'])
    const unpaid = await desk.order()
    const early = sql`UPDATE payment SET refund_reserved = 1 WHERE id = ${unpaid.first.paymentId}`
    expect(await violated(early.execute(desk.db))).toBe('payment_refund_of_paid')
    await sql`UPDATE payment SET refund_reserved = 0 WHERE id = ${first.paymentId}`.execute(desk.db)
  })

  test.each([0n, -1n])(
    'RF-02 %p fen is refused by the constraint, and nothing is reserved',
    async (amount) => {
      const { first } = await paidOrder()
      expect(await violated(desk.ask(first, amount))).toMatch(
        /refund_amount_check|payment_refund_within/,
      )
      expect((await desk.payment(first.paymentId)).reserved).toBe(0n)
      expect(await desk.refunds(first.paymentId)).toEqual([])
    },
  )

  test('RF-02 an amount is whole minor units of the one currency: the columns hold nothing else', async () => {
    const { first } = await paidOrder()
    const refund = await desk.refund(first, 1n)
    const change = (column: string, value: string) =>
      sql`UPDATE refund SET ${sql.ref(column)} = ${sql.lit(value)} WHERE id = ${refund.id}`.execute(
        desk.db,
      )
    expect(await violated(change('currency', 'USD'))).toBe('refund_currency_check')
    expect(await violated(change('amount', '0.5'))).toContain('invalid input syntax')
  })

  test('one key is one refund, also after a crash between commit and answer', async () => {
    const { first } = await paidOrder()
    const wanted = { merchantId: desk.merchantId, paymentId: first.paymentId, amountMinor: 500n }
    const ask = () =>
      desk.askAs({
        ...wanted,
        reason: 'test',
        origin: 'merchant',
        requestKey: 'k1',
        now: new Date(),
      })
    const [one, two] = [await ask(), await ask()]
    expect(one).toMatchObject({ kind: 'requested' })
    expect(Object(two).refund.id).toBe(Object(one).refund.id)
    expect((await desk.payment(first.paymentId)).reserved).toBe(500n)
  })

  test('F106 a key that is used again with another amount is refused, and the first refund stays', async () => {
    const { first } = await paidOrder()
    const ask = (amountMinor: bigint) =>
      desk.askAs({
        merchantId: desk.merchantId,
        paymentId: first.paymentId,
        amountMinor,
        reason: 'test',
        origin: 'merchant',
        requestKey: 'k-changed',
        now: new Date(),
      })
    expect((await ask(500n)).kind).toBe('requested')
    expect((await ask(600n)).kind).toBe('key_reused')
    expect((await desk.payment(first.paymentId)).reserved).toBe(500n)
  })
})

describe('a reservation', () => {
  test.each(['accepted', 'abnormal', 'unknown'] as const)(
    'is kept when the vendor says %s',
    async (word) => {
      const { first } = await paidOrder()
      const refund = await desk.refund(first, 2000n)
      await desk.markSent(refund)
      await desk.hear(refundFactsOf(first, refund, word))
      expect((await desk.payment(first.paymentId)).reserved).toBe(2000n)
      expect((await desk.ask(first, 1n)).kind).toBe('not_refundable')
      expect(await desk.cases(refund.id)).toEqual(word === 'abnormal' ? ['refund_abnormal'] : [])
    },
  )

  test('money rule 5: sent for 3 days, 20 parallel refunds of the rest stay within it, and a late success fits', async () => {
    const { first, orderId } = await paidOrder(2000)
    const old = await desk.refund(first, 1200n)
    await desk.markSent(old, new Date(Date.now() - 3 * DAY_MS))
    const asked = await Promise.all(Array.from({ length: 20 }, () => desk.ask(first, 800n)))
    expect(asked.filter(({ kind }) => kind === 'requested')).toHaveLength(1)
    expect((await desk.payment(first.paymentId)).reserved).toBe(2000n)
    // RF-08: nothing has given the refund up in the meantime.
    expect(await desk.hear(refundFactsOf(first, old, 'succeeded'), 'callback')).toBe('move')
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 2000n, refunded: 1200n })
    expect(await desk.orderState(orderId)).toBe('partly_refunded')
    expect(await desk.violations()).toEqual([])
  })

  test('is released by a refusal alone, once, and an operator tries again under a new number (RF-06)', async () => {
    const { first, orderId } = await paidOrder()
    const refused = await desk.refund(first, 2000n)
    await desk.markSent(refused)
    const facts = refundFactsOf(first, refused, 'refused')
    expect([await desk.hear(facts), await desk.hear(facts)]).toEqual(['move', 'nothing'])
    expect((await desk.payment(first.paymentId)).reserved).toBe(0n)
    expect(await desk.cases(refused.id)).toEqual(['refund_refused'])
    const again = await desk.refund(first, 2000n, 'operator')
    expect(again.id).not.toBe(refused.id)
    expect(again.origin).toBe('operator')
    await desk.markSent(again)
    await desk.hear(refundFactsOf(first, again, 'succeeded'))
    expect(await desk.orderState(orderId)).toBe('refunded')
    expect(await desk.violations()).toEqual([])
  })
})

describe('results that contradict each other', () => {
  const ALL = ['accepted', 'succeeded', 'refused', 'abnormal', 'unknown'] as const

  test('RF-12 success is never overwritten, by no word and by no statement', async () => {
    const { first } = await paidOrder()
    const refund = await desk.refund(first, 700n)
    await desk.markSent(refund)
    await desk.hear(refundFactsOf(first, refund, 'succeeded'))
    for (const word of ALL) {
      expect(await desk.hear(refundFactsOf(first, refund, word))).toBe('nothing')
    }
    const [row] = await desk.refunds(first.paymentId)
    expect(row?.state).toBe('succeeded')
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 700n, refunded: 700n })
    for (const state of ['requested', 'sent', 'accepted', 'refused', 'abnormal']) {
      const forced = sql`UPDATE refund SET state = ${state}, due_at = now() WHERE id = ${refund.id}`
      expect(await violated(forced.execute(desk.db))).toMatch(/cannot move|check/)
    }
  })

  test('RF-10 refused, then succeeded: reserved again, recorded, and a person looks', async () => {
    const { first, orderId } = await paidOrder()
    const refund = await desk.refund(first, 1500n)
    await desk.markSent(refund)
    await desk.hear(refundFactsOf(first, refund, 'refused'))
    expect(await desk.hear(refundFactsOf(first, refund, 'succeeded'), 'callback')).toBe('move')
    const [row] = await desk.refunds(first.paymentId)
    expect(row?.state).toBe('succeeded')
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 1500n, refunded: 1500n })
    expect(await desk.cases(refund.id)).toEqual(['refund_contradicted', 'refund_refused'])
    expect(await desk.orderState(orderId)).toBe('partly_refunded')
    expect(await desk.violations()).toEqual([])
  })

  test('RF-10 where the amount went to another refund meanwhile, nothing is overdrawn and a person looks', async () => {
    const { first } = await paidOrder()
    const refund = await desk.refund(first, 1500n)
    await desk.markSent(refund)
    await desk.hear(refundFactsOf(first, refund, 'refused'))
    await desk.refund(first, 1500n)
    await desk.hear(refundFactsOf(first, refund, 'succeeded'))
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 1500n, refunded: 0n })
    expect(await desk.cases(refund.id)).toEqual(['refund_exceeds', 'refund_refused'])
    expect(await desk.violations()).toEqual([])
  })

  test.each<[string, Partial<RefundFacts>]>([
    ['refund_amount_differs', { amountMinor: 699n }],
    ['refund_currency_differs', { currency: 'USD' }],
    ['refund_identity_differs', { identity: { mchid: '1' } }],
    ['unknown_payment', { paymentNumber: 'nobody' }],
  ])('%s: nothing moves, and a person looks', async (reason, change) => {
    const { first } = await paidOrder()
    const refund = await desk.refund(first, 700n)
    await desk.markSent(refund)
    const facts = { ...refundFactsOf(first, refund, 'succeeded'), ...change }
    expect(await desk.hear(facts)).toBe(reason)
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 700n, refunded: 0n })
    expect(await desk.cases(refund.id)).toEqual([reason])
  })
})
