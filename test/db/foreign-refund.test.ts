import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { applyRefundNotification } from '#db/refund/apply-refund-notification'
import { findCases } from '#db/case/case-list'
import { decideCase } from '#db/case/decide-case'
import { newRefundId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// Refunds that were made at the vendor's own console (payment rules, section 4).

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

async function paidOrder(amount = 2000): Promise<Counter> {
  const counter = await desk.order(amount)
  expect(await desk.pay(counter.first)).toBe('counted')
  return counter
}

/** The console draws its own numbers. */
const consoleRefund = (amount: bigint) => ({ id: `console-${newRefundId()}`, amount })

describe('a refund that is not ours', () => {
  test('is recorded once with its reservation: order and points follow', async () => {
    const { first, orderId } = await paidOrder()
    const made = consoleRefund(500n)
    const facts = refundFactsOf(first, made, 'succeeded')
    expect([await desk.hear(facts), await desk.hear(facts)]).toEqual(['foreign', 'nothing'])
    const refunds = await desk.refunds(first.paymentId)
    expect(refunds).toHaveLength(1)
    expect(refunds[0]).toMatchObject({ origin: 'vendor', state: 'succeeded', amount: 500n })
    expect(refunds[0]?.channel_refund_id).toBe(`50${made.id}`)
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 500n, refunded: 500n })
    expect(await desk.orderState(orderId)).toBe('partly_refunded')
    expect((await desk.points(orderId)).map(({ kind }) => kind)).toEqual(['grant', 'revoke'])
    expect(await desk.jobs('refund-submit', refunds[0]?.id ?? '')).toBe(0)
    expect(await desk.violations()).toEqual([])
  })

  test.each(['accepted', 'refused', 'abnormal', 'unknown'] as const)(
    'that is %s is not recorded yet',
    async (word) => {
      const { first } = await paidOrder()
      expect(await desk.hear(refundFactsOf(first, consoleRefund(500n), word))).toBe('nothing')
      expect(await desk.refunds(first.paymentId)).toEqual([])
    },
  )

  test('without an amount is for a person', async () => {
    const { first } = await paidOrder()
    const { amountMinor: _, ...facts } = refundFactsOf(first, consoleRefund(1n), 'succeeded')
    expect(await desk.hear(facts)).toBe('refund_amount_missing')
  })

  test('that is more than is left gets a case and takes nothing from the promised refunds', async () => {
    const { first } = await paidOrder()
    await desk.refund(first, 1800n)
    const made = consoleRefund(500n)
    await desk.hear(refundFactsOf(first, made, 'succeeded'))
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 1800n, refunded: 0n })
    expect(await desk.cases(first.paymentId)).toEqual(['refund_exceeds'])
    expect(await desk.violations()).toEqual([])
  })

  test('of a payment that takes no new refunds any more is recorded: it has happened', async () => {
    const { first } = await desk.order(2000)
    await desk.pay(first, { isFinal: true })
    await desk.hear(refundFactsOf(first, consoleRefund(500n), 'succeeded'))
    expect(await desk.cases(first.paymentId)).toEqual([])
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 500n, refunded: 500n })
    expect((await desk.ask(first, 1n)).kind).toBe('not_refundable')
  })

  // Alipay dossier, section 5.1: a request number is unique within its trade, and there is no other number.
  test('under the number of another trade, where the vendor has none of its own, is recorded, once', async () => {
    for (const { first } of [await paidOrder(), await paidOrder()]) {
      const { channelRefundId: _, ...facts } = refundFactsOf(
        first,
        { id: 'HZ01', amount: 500n },
        'succeeded',
      )
      expect([await desk.hear(facts), await desk.hear(facts)]).toEqual(['foreign', 'nothing'])
      // Its own number, when it comes after all, is no second refund.
      expect(await desk.hear({ ...facts, channelRefundId: `50${first.paymentId}` })).toBe('nothing')
      expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 500n, refunded: 500n })
    }
    expect(await desk.cases('HZ01')).toEqual([])
  })

  test("under a number that another payment's refund has is for a person, not an endless error", async () => {
    const [one, two] = [await paidOrder(), await paidOrder()]
    const made = consoleRefund(500n)
    await desk.hear(refundFactsOf(one.first, made, 'succeeded'))
    expect(await desk.hear(refundFactsOf(two.first, made, 'succeeded'))).toBe('refund_number_taken')
    expect(await desk.cases(made.id)).toEqual(['refund_number_taken'])
    const own = await desk.refund(two.first, 500n)
    await desk.markSent(own)
    const stolen = {
      ...refundFactsOf(two.first, own, 'succeeded'),
      channelRefundId: `50${made.id}`,
    }
    expect(await desk.hear(stolen)).toBe('refund_number_taken')
    expect((await desk.payment(two.first.paymentId)).refunded).toBe(0n)
  })
})

describe('our refund', () => {
  async function succeeded() {
    const { first, orderId } = await paidOrder()
    const refund = await desk.refund(first, 500n)
    await desk.markSent(refund)
    const facts = refundFactsOf(first, refund, 'succeeded')
    expect(await desk.hear(facts)).toBe('move')
    return { first, orderId, refund, facts }
  }

  test('that the vendor paid a second time, under a number of its own, is for a person', async () => {
    const { first, refund, facts } = await succeeded()
    const twice = { ...facts, channelRefundId: `second-${refund.id}` }
    expect([await desk.hear(twice), await desk.hear(facts)]).toEqual([
      'refund_number_differs',
      'nothing',
    ])
    expect(await desk.cases(refund.id)).toEqual(['refund_number_differs'])
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 500n, refunded: 500n })
    expect(await desk.refunds(first.paymentId)).toHaveLength(1)
  })

  test('named together with another payment is for a person, and nothing of that payment is refunded', async () => {
    const { refund, facts } = await succeeded()
    const other = await paidOrder()
    for (const channelRefundId of [facts.channelRefundId ?? '', `other-${refund.id}`]) {
      const crossed = { ...facts, paymentNumber: other.first.paymentId, channelRefundId }
      expect(await desk.hear(crossed)).toBe('refund_number_taken')
    }
    expect(await desk.cases(refund.id)).toEqual(['refund_number_taken'])
    expect(await desk.payment(other.first.paymentId)).toMatchObject({ reserved: 0n, refunded: 0n })
    expect(await desk.refunds(other.first.paymentId)).toEqual([])
    expect(await desk.orderState(other.orderId)).toBe('paid')
  })
})

describe('refund news', () => {
  test('money rule 6: three partial refunds, each its own event, are all stored and all applied', async () => {
    const { first, orderId } = await paidOrder(2000)
    const parts = [await desk.refund(first, 500n), await desk.refund(first, 500n)]
    const facts = [...parts, consoleRefund(300n)].map((part) =>
      refundFactsOf(first, part, 'succeeded'),
    )
    for (const part of parts) await desk.markSent(part)
    const ids = await desk.store(facts)
    expect(ids).toHaveLength(3)
    for (const id of [...ids, ...ids]) {
      await applyRefundNotification(desk.db, desk.deps, desk.merchantId, id)
    }
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 1300n, refunded: 1300n })
    expect(await desk.orderState(orderId)).toBe('partly_refunded')
    expect(await desk.receivedIds()).toEqual([])
  })

  test('money rule 6: refused, then succeeded under the same refund: both are stored and applied', async () => {
    const { first } = await paidOrder()
    const refund = await desk.refund(first, 900n)
    await desk.markSent(refund)
    const ids = await desk.store([
      refundFactsOf(first, refund, 'refused'),
      refundFactsOf(first, refund, 'succeeded'),
    ])
    for (const id of ids) await applyRefundNotification(desk.db, desk.deps, desk.merchantId, id)
    expect((await desk.payment(first.paymentId)).refunded).toBe(900n)
    expect(await desk.receivedIds()).toEqual([])
  })

  test('before the payment is known waits, asks the vendor, and is applied once it is paid', async () => {
    const { first, orderId } = await desk.order()
    const [id] = await desk.store([refundFactsOf(first, consoleRefund(2000n), 'succeeded')])
    if (id === undefined) throw new Error('one row was stored')
    const apply = () => applyRefundNotification(desk.db, desk.deps, desk.merchantId, id)
    expect((await apply())?.kind).toBe('payment_first')
    expect(await desk.receivedIds()).toEqual([id])
    expect(await desk.jobs('payment-query', first.paymentId)).toBe(1)
    await desk.pay(first)
    expect((await apply())?.kind).toBe('foreign')
    expect(await desk.orderState(orderId)).toBe('refunded')
    expect(await desk.receivedIds()).toEqual([])
  })

  test('of a payment that nobody pays is for a person after a day, who has it judged anew', async () => {
    const { first, orderId } = await desk.order()
    const [id] = await desk.store([refundFactsOf(first, consoleRefund(2000n), 'succeeded')])
    if (id === undefined) throw new Error('one row was stored')
    const at = (hours: number) => {
      const now = () => new Date(Date.now() + hours * 3_600_000)
      return applyRefundNotification(desk.db, { ...desk.deps, now }, desk.merchantId, id)
    }
    expect((await at(23))?.kind).toBe('payment_first')
    expect(await at(25)).toEqual({ kind: 'quarantine', reason: 'payment_not_paid' })
    expect(await desk.receivedIds()).toEqual([])
    const filter = { merchantId: desk.merchantId, kind: 'payment_not_paid', limit: 1 }
    const [item] = await findCases(desk.db, filter)
    if (item === undefined) throw new Error('a case was opened')
    await desk.pay(first)
    const request = {
      caseId: item.id,
      decision: 'retry',
      actor: 'test',
      reason: 'the payment has come',
      hasRefundKey: true,
    } as const
    expect((await decideCase(desk.db, desk.deps, request)).kind).toBe('decided')
    expect((await at(25))?.kind).toBe('foreign')
    expect(await desk.orderState(orderId)).toBe('refunded')
  })
})
