import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { closeAttempt } from '#db/payment/close-payment'
import { createEvents } from '#db/event/merchant-event'
import { assert } from '#domain/assert'
import { parsePaymentId } from '#domain/id'
import type { PaymentId } from '#domain/id'
import { lineUp } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Desk } from './desk.ts'
import { bodyOf, eventsOf, rowOf } from './told.ts'

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

/** What is committed about a payment now, in the words of an event. */
async function committed(id: PaymentId) {
  const row = await desk.db
    .selectFrom('payment as p')
    .innerJoin('customer_order as o', 'o.id', 'p.order_id')
    .selectAll('p')
    .select(['o.state as order_state', 'o.order_number', 'o.user_id'])
    .where('p.id', '=', id)
    .executeTakeFirstOrThrow()
  return {
    payment: {
      id: row.id,
      state: row.state,
      disposition: row.disposition,
      method: row.method,
      amount: Number(row.amount),
      received_amount: row.received_amount === null ? null : Number(row.received_amount),
      refunded: Number(row.refunded),
      currency: row.currency,
      channel_payment_id: row.channel_payment_id,
      paid_at: row.paid_at?.toISOString() ?? null,
    },
    order: { order_number: row.order_number, user_id: row.user_id, state: row.order_state },
  }
}

describe('DN-04 the payload is the committed version, with its sequence', () => {
  test('step by step: paid, refunded in part, refunded', async () => {
    const { first, orderId } = await desk.order()
    await desk.pay(first)
    const steps = [{ type: 'payment.paid', ...(await committed(first.paymentId)) }]
    for (const amount of [500n, 1500n]) {
      const refund = await desk.refund(first, amount)
      await desk.markSent(refund)
      await desk.hear(refundFactsOf(first, refund, 'succeeded'))
      steps.push({ type: 'refund.succeeded', ...(await committed(first.paymentId)) })
    }
    const told = (await eventsOf(desk, orderId)).map((row) => {
      const { payment, order } = bodyOf(row).data
      return { type: row.type, payment, order }
    })
    expect<unknown>(told).toEqual(steps)
    expect(steps.map(({ order }) => order.state)).toEqual(['paid', 'partly_refunded', 'refunded'])
    expect((await eventsOf(desk, orderId)).map((row) => bodyOf(row).data.sequence)).toEqual([
      1, 2, 3,
    ])
  })

  test.each([0, 1])(
    'two attempts of one order are paid at once: two events, numbered as they were committed (%i)',
    async (turn) => {
      const { first, second, orderId } = await desk.order(2000, 2)
      const sales = turn === 0 ? [first, second] : [second, first]
      const results = await lineUp(
        desk.db,
        orderId,
        sales.map((sale) => () => desk.pay(sale)),
      )
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      const events = await eventsOf(desk, orderId)
      expect(events.map(({ sequence }) => Number(sequence))).toEqual([1, 2])
      for (const row of events) {
        const id = parsePaymentId(row.subject)
        assert(id !== undefined, 'the subject is a payment')
        const now = await committed(id)
        expect(bodyOf(row).data['payment']).toEqual(now.payment)
        expect(bodyOf(row).data['order']).toEqual(now.order)
      }
      expect(events.map((row) => bodyOf(row).data['payment']?.['disposition'])).toEqual([
        'counted',
        'excess',
      ])
    },
    TIMEOUT_MS,
  )

  test('a refund and the end of another at once: the later event has both', async () => {
    const { first, orderId } = await desk.order()
    await desk.pay(first)
    const refunds = [await desk.refund(first, 300n), await desk.refund(first, 400n)]
    for (const refund of refunds) await desk.markSent(refund)
    await lineUp(
      desk.db,
      orderId,
      refunds.map((refund) => () => desk.hear(refundFactsOf(first, refund, 'succeeded'))),
    )
    const events = await eventsOf(desk, orderId)
    expect(events.map(({ sequence }) => Number(sequence))).toEqual([1, 2, 3])
    expect(events.map((row) => bodyOf(row).data['payment']?.['refunded'])).toEqual([0, 300, 700])
  })

  test('a refusal and a close are told as they are committed', async () => {
    const { first, orderId } = await desk.order()
    await desk.pay(first)
    const refund = await desk.refund(first, 300n)
    await desk.markSent(refund)
    await desk.hear(refundFactsOf(first, refund, 'refused'))
    const open = await desk.order()
    const payment = await rowOf(desk, open.first.paymentId)
    expect(await closeAttempt(desk.db, payment, 'test', new Date())).toBe(true)
    const [, refused] = await eventsOf(desk, orderId)
    expect(refused && bodyOf(refused)).toMatchObject({
      type: 'refund.refused',
      data: {
        refund: { id: refund.id, state: 'refused', amount: 300 },
        payment: { state: 'paid', refunded: 0 },
        sequence: 2,
      },
    })
    const [closed] = await eventsOf(desk, open.orderId)
    expect(closed && bodyOf(closed)).toMatchObject({
      type: 'payment.closed',
      data: { payment: { id: open.first.paymentId, state: 'closed' }, sequence: 1 },
    })
    expect(await closeAttempt(desk.db, payment, 'test', new Date())).toBe(false)
    expect((await eventsOf(desk, open.orderId)).length).toBe(1)
  })

  test('a repeat in one commit gives no number twice', async () => {
    const { first, orderId } = await desk.order()
    await desk.pay(first)
    const at = new Date()
    const event = (subject: string) =>
      ({ type: 'payment.paid', subject, orderId, data: {} }) as const
    await desk.db.transaction().execute(async (trx) => {
      const { merchantId } = desk
      await createEvents(trx, undefined, { merchantId, at }, [event(first.paymentId), event('b')])
      await createEvents(trx, undefined, { merchantId, at }, [event('c')])
    })
    const numbers = (await eventsOf(desk, orderId)).map(({ sequence }) => Number(sequence))
    expect(new Set(numbers).size).toBe(3)
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other))
  })
})
