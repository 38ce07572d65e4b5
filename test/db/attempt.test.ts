import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { findPayment } from '#db/payment/payment'
import { startAttempt, startFirst } from '#db/payment/start-attempt'
import type { NewAttempt } from '#db/payment/start-attempt'
import { takeKey } from '#db/idempotency'
import type { KeyedRequest } from '#db/idempotency'
import { assert } from '#domain/assert'
import { newChannelAccountId, newPaymentId } from '#domain/id'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'
import { hearWrong, openOperator, paymentRow } from './operator.ts'
import type { Operator } from './operator.ts'

// What an order allows (payment rules, section 4): money in doubt blocks new attempts and the close until a person has decided.

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk
let operator: Operator

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  operator = openOperator(desk)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

const want = ({ orderId }: Counter) =>
  wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, orderId)

/** The customer comes again and wants to pay in the same way. */
const payAgain = async (counter: Counter) => startAttempt(desk.db, await attemptOf(counter))

async function attemptOf({
  first,
  orderId,
  userId,
}: Pick<Counter, 'first' | 'userId'> & { readonly orderId: string }): Promise<NewAttempt> {
  const now = new Date()
  return {
    merchantId: desk.merchantId,
    paymentId: newPaymentId(),
    orderNumber: orderId,
    userId,
    amount: { currency: 'CNY', minor: BigInt(first.amount) },
    channelAccountId: desk.accountId,
    method: (await paymentRow(desk, first.paymentId)).method,
    subject: 'a',
    wallet: undefined,
    payerOpenId: undefined,
    vendorTime: undefined,
    vendorProduct: undefined,
    returnUrl: undefined,
    clientIp: '1.2.3.4',
    vendorRequest: '{}',
    expiresAt: addMs(now, TIMEOUT_MS),
    now,
    firstQueryAt: now,
  }
}

describe('the first statement of a request', () => {
  const newKey = (): KeyedRequest => ({
    merchantId: desk.merchantId,
    key: crypto.randomUUID(),
    requestHash: 'a'.repeat(64),
  })

  /** How many rows there are of the key, the order and its payments. */
  async function rowsOf({ key }: KeyedRequest, orderNumber: string) {
    const { rows } = await sql<{ keys: number; orders: number; payments: number }>`
      SELECT (SELECT count(*)::int FROM idempotency_key WHERE key = ${key}) AS keys,
        (SELECT count(*)::int FROM customer_order WHERE order_number = ${orderNumber}) AS orders,
        (SELECT count(*)::int FROM payment p JOIN customer_order o ON o.id = p.order_id
         WHERE o.order_number = ${orderNumber}) AS payments`.execute(desk.db)
    return rows[0]
  }

  /** An attempt for an order that nobody has named. */
  const attemptOfNew = async (orderNumber: string) =>
    attemptOf({ ...(await desk.order(2000)), orderId: orderNumber })

  test('takes the key, and makes order and payment', async () => {
    const [key, orderNumber] = [newKey(), crypto.randomUUID()]
    const first = await startFirst(desk.db, await attemptOfNew(orderNumber), key)
    assert(first?.kind === 'started', 'it was started')
    const found = await findPayment(desk.db, desk.merchantId, first.payment.id)
    expect(found?.payment).toEqual(first.payment)
    expect(found?.order).toMatchObject(first.order)
    expect(await rowsOf(key, orderNumber)).toEqual({ keys: 1, orders: 1, payments: 1 })
  })

  test('starts nothing when the key is there', async () => {
    const [key, orderNumber] = [newKey(), crypto.randomUUID()]
    expect(await takeKey(desk.db, key)).toBe(true)
    expect(await startFirst(desk.db, await attemptOfNew(orderNumber), key)).toBeUndefined()
    expect(await rowsOf(key, orderNumber)).toEqual({ keys: 1, orders: 0, payments: 0 })
  })

  test('takes the key alone when the order is there', async () => {
    const [key, counter] = [newKey(), await desk.order(2000)]
    const first = await startFirst(desk.db, await attemptOf(counter), key)
    expect(first).toEqual({ kind: 'order_is_there' })
    expect(await rowsOf(key, counter.orderId)).toEqual({ keys: 1, orders: 1, payments: 1 })
  })

  test('leaves nothing when a part of it cannot be written', async () => {
    const [key, orderNumber] = [newKey(), crypto.randomUUID()]
    const attempt = {
      ...(await attemptOfNew(orderNumber)),
      channelAccountId: newChannelAccountId(),
    }
    await expect(startFirst(desk.db, attempt, key)).rejects.toMatchObject({ code: '23503' })
    expect(await rowsOf(key, orderNumber)).toEqual({ keys: 0, orders: 0, payments: 0 })
  })
})

test('an attempt that has expired is not given again: the customer gets another one', async () => {
  const counter = await desk.order(2000)
  expect((await payAgain(counter)).kind).toBe('live')
  await desk.db
    .updateTable('payment')
    .set({ expires_at: addMs(new Date(), -1000) })
    .where('id', '=', counter.first.paymentId)
    .execute()
  const again = await payAgain(counter)
  expect(again.kind).toBe('started')
  // And that one is live for the next click.
  expect((await payAgain(counter)).kind).toBe('live')
})

describe('money in doubt', () => {
  test.each(['pending', 'closed'])('of a %s attempt lets no other one begin', async (state) => {
    const counter = await desk.order(2000)
    const found = await findPayment(desk.db, desk.merchantId, counter.first.paymentId)
    assert(found !== undefined, 'the payment is there')
    if (state === 'closed') await closeAttempt(desk.db, found.payment, 'test', new Date())
    await hearWrong(desk, counter.first, 1500n)
    expect((await payAgain(counter)).kind).toBe('money_in_doubt')
  })

  test('does not end with the case of a refund', async () => {
    const { first } = await desk.order(2000)
    await hearWrong(desk, first, 1500n)
    const facts = refundFactsOf(first, { id: 'console-9', amount: 1n }, 'succeeded')
    expect(await desk.hear({ ...facts, identity: { mchid: '1' } })).toBe('refund_identity_differs')
    expect(await operator.resolve('console-9', 'write_off')).toEqual({})
    expect((await paymentRow(desk, first.paymentId)).money_in_doubt).toBe(true)
  })
})

describe('wrong money', () => {
  test('that goes back closes an order that was wanted closed meanwhile', async () => {
    const counter = await desk.order(2000)
    await hearWrong(desk, counter.first, 1500n)
    expect((await want(counter))?.state).toBe('unpaid')
    await operator.resolve(counter.first.paymentId, 'refund')
    expect(await desk.orderState(counter.orderId)).toBe('closed')
  })

  test('that is written off ends its attempt: its code is cashed, and the customer gets another one', async () => {
    const counter = await desk.order(2000)
    await hearWrong(desk, counter.first, 1500n)
    await operator.resolve(counter.first.paymentId, 'write_off')
    expect(await paymentRow(desk, counter.first.paymentId)).toMatchObject({
      state: 'closed',
      close_proof: 'written off',
      next_query_at: null,
    })
    expect((await payAgain(counter)).kind).toBe('started')
  })

  test('that is written off where the vendor has closed it anyway stays closed by that proof', async () => {
    const counter = await desk.order(2000)
    const found = await findPayment(desk.db, desk.merchantId, counter.first.paymentId)
    assert(found !== undefined, 'the payment is there')
    await closeAttempt(desk.db, found.payment, 'test', new Date())
    await hearWrong(desk, counter.first, 1500n)
    await operator.resolve(counter.first.paymentId, 'write_off')
    expect(await paymentRow(desk, counter.first.paymentId)).toMatchObject({
      state: 'closed',
      close_proof: 'test',
      money_in_doubt: false,
    })
  })
})
