import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { closeAttempt, lockOrder } from '#db/payment/close-payment'
import { keepCredential } from '#db/payment/credential'
import type { Draft } from '#db/payment/credential'
import type { Trx } from '#db/database'
import { takeKey } from '#db/idempotency'
import { assert } from '#domain/assert'
import type { LogEntry } from '#db/transaction-log'
import type { PaymentId } from '#domain/id'
import { countWaiting } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

// What the vendor answered to a create call, kept in one statement.

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

/** Keeps a credential with the exchange that brought it. */
async function keep(paymentId: PaymentId, channelPaymentId: string, draft?: Draft) {
  const entry: LogEntry = {
    merchantId: desk.merchantId,
    channel: 'wechat_pay',
    paymentId,
    kind: 'create',
    content: { status: 200 },
  }
  const nextAction = { type: 'qr_code', content: 'weixin://wxpay/bizpayurl?pr=kept' } as const
  const said = { entries: [entry], at: new Date() }
  const credential = { nextAction, channelPaymentId }
  return keepCredential(desk.db, await desk.load(paymentId), credential, said, draft)
}

async function logged(id: PaymentId): Promise<number> {
  const rows = desk.db.selectFrom('transaction_log').select('id').where('payment_id', '=', id)
  return (await rows.execute()).length
}

test('the credential, what was said for it, and the order are there after one statement', async () => {
  const { first, orderId } = await desk.order()
  const { payment, order } = await keep(first.paymentId, '4200-kept')
  expect(payment).toEqual(await desk.load(first.paymentId))
  expect(payment).toMatchObject({ state: 'pending', channel_payment_id: '4200-kept' })
  const row = desk.db.selectFrom('customer_order').select(['order_number', 'state', 'user_id'])
  expect(order).toEqual(await row.where('id', '=', orderId).executeTakeFirstOrThrow())
  expect(await logged(first.paymentId)).toBe(1)
})

/** A request that has taken its key, and the answer that is expected for it. */
async function draft(channelPaymentId: string): Promise<Draft> {
  const { merchantId } = desk
  const key = { merchantId, key: crypto.randomUUID(), requestHash: 'a'.repeat(64) }
  expect(await takeKey(desk.db, key)).toBe(true)
  return { key, status: 201, body: `{"number":"${channelPaymentId}"}`, channelPaymentId }
}

const answered = ({ key }: Draft) =>
  desk.db
    .selectFrom('idempotency_key')
    .select(['status', 'body'])
    .where('key', '=', key.key)
    .executeTakeFirstOrThrow()

test('the answer that came true is kept with it, for this key alone', async () => {
  const { first } = await desk.order()
  const [mine, other] = [await draft('4200-answer'), await draft('4200-other')]
  expect((await keep(first.paymentId, '4200-answer', mine)).isAnswered).toBe(true)
  expect(await answered(mine)).toEqual({ status: 201n, body: mine.body })
  expect(await answered(other)).toEqual({ status: null, body: null })
})

test.each([
  'the payment is paid',
  'the payment is closed',
  'the order is closed',
  'the vendor has another number',
])('an answer that did not come true is not kept: %s', async (what) => {
  const { first, orderId } = await desk.order()
  if (what === 'the payment is paid') await desk.pay(first)
  if (what === 'the payment is closed') {
    await closeAttempt(desk.db, await desk.load(first.paymentId), 'test', new Date())
  }
  if (what === 'the order is closed') {
    const closing = desk.db.updateTable('customer_order').set({ state: 'closed' })
    await closing.where('id', '=', orderId).execute()
  }
  if (what === 'the vendor has another number') {
    const naming = desk.db.updateTable('payment').set({ channel_payment_id: `n-${orderId}` })
    await naming.where('id', '=', first.paymentId).execute()
  }
  const mine = await draft(`4200-${orderId}`)
  const kept = await keep(first.paymentId, `4200-${orderId}`, mine)
  expect(kept.isAnswered).toBe(false)
  expect(kept.payment).toEqual(await desk.load(first.paymentId))
  expect(kept.payment.next_action).not.toBeNull()
  expect(await answered(mine)).toEqual({ status: null, body: null })
})

test('what cannot be kept is not half kept; what was said is there all the same', async () => {
  const [one, other] = [await desk.order(), await desk.order()]
  await keep(one.first.paymentId, '4200-taken')
  const before = await desk.load(other.first.paymentId)
  // The vendor's number of another payment of the same account.
  const mine = await draft('4200-taken')
  const keeping = keep(other.first.paymentId, '4200-taken', mine)
  await expect(keeping).rejects.toMatchObject({ code: '23505' })
  expect(await desk.load(other.first.paymentId)).toEqual(before)
  expect(await answered(mine)).toEqual({ status: null, body: null })
  expect(await logged(other.first.paymentId)).toBe(1)
})

/** Keeps a credential while somebody holds the order and does this to it. */
async function keepBehind(
  payment: PaymentId,
  held: (trx: Trx) => Promise<unknown>,
  mine?: Draft,
): ReturnType<typeof keep> {
  let keeping: ReturnType<typeof keep> | undefined
  await desk.db.transaction().execute(async (trx) => {
    await held(trx)
    keeping = keep(payment, `4200-${payment}`, mine)
    await waitFor('the credential behind the lock', async () =>
      (await countWaiting(desk.db)) === 1 ? true : undefined,
    )
  })
  assert(keeping !== undefined, 'it was begun')
  return keeping
}

test('CB-05 a payment that becomes paid in that very moment stays paid, and so does its order', async () => {
  const { first, orderId } = await desk.order()
  const kept = await keepBehind(first.paymentId, async (trx) => {
    await trx
      .updateTable('payment')
      .set({ state: 'paid', disposition: 'counted', paid_at: new Date(), next_query_at: null })
      .where('id', '=', first.paymentId)
      .execute()
    await trx
      .updateTable('customer_order')
      .set({ state: 'paid', paid_payment_id: first.paymentId })
      .where('id', '=', orderId)
      .execute()
  })
  expect(kept.payment).toMatchObject({
    state: 'paid',
    channel_payment_id: `4200-${first.paymentId}`,
  })
  expect(kept.payment.next_action).not.toBeNull()
  expect(kept.order.state).toBe('paid')
})

test('an order that is closed in that very moment is not told as open, now or by a repeat', async () => {
  const { first, orderId } = await desk.order()
  const mine = await draft(`4200-${first.paymentId}`)
  const kept = await keepBehind(
    first.paymentId,
    async (trx) => {
      await lockOrder(trx, desk.merchantId, orderId)
      // Whoever moves an order holds its payments, too.
      await sql`SELECT 1 FROM payment WHERE id = ${first.paymentId} FOR NO KEY UPDATE`.execute(trx)
      const closing = trx.updateTable('customer_order').set({ state: 'closed' })
      await closing.where('id', '=', orderId).execute()
    },
    mine,
  )
  expect(kept).toMatchObject({ isAnswered: false, order: { state: 'closed' } })
  expect(await answered(mine)).toEqual({ status: null, body: null })
})
