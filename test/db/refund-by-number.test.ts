import { afterAll, beforeAll, expect, test } from 'bun:test'
import { newRefundId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Desk } from './desk.ts'

// A vendor's notice may name the refund alone (UnionPay dossier, section 3.2): our number then leads to the payment.

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

/** A refund that was sent, and what the vendor says about it without naming the payment. */
async function sentRefund() {
  const { first, orderId } = await desk.order()
  expect(await desk.pay(first)).toBe('counted')
  const refund = await desk.refund(first, 500n)
  await desk.markSent(refund)
  const facts = { ...refundFactsOf(first, refund, 'succeeded'), paymentNumber: '' }
  return { first, orderId, refund, facts }
}

test('news that names our refund and no payment moves that refund, once', async () => {
  const { first, orderId, facts } = await sentRefund()
  expect([await desk.hear(facts), await desk.hear(facts)]).toEqual(['move', 'nothing'])
  expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 500n, refunded: 500n })
  expect(await desk.orderState(orderId)).toBe('partly_refunded')
  expect(await desk.violations()).toEqual([])
})

test('the vendor number of news that names no payment is stored with the refund', async () => {
  const { first, facts } = await sentRefund()
  await desk.hear(facts)
  const [refund] = await desk.refunds(first.paymentId)
  expect(refund?.channel_refund_id).toBe(facts.channelRefundId ?? '')
})

test.each(['', 'R20260314101530001', newRefundId()])(
  'news that names no payment and the refund %p, which is not ours, is for a person',
  async (refundNumber) => {
    const { first, facts } = await sentRefund()
    expect(await desk.hear({ ...facts, refundNumber })).toBe('unknown_payment')
    expect((await desk.payment(first.paymentId)).refunded).toBe(0n)
  },
)
