import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import { newRefundId } from '#domain/id'
import type { MerchantId, PaymentId, RefundId } from '#domain/id'
import type { RefundOrigin } from '#domain/state'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import type { Jobs } from '../job.ts'
import type { PaymentRow } from '../payment/payment.ts'
import type { Schema } from '../schema.ts'

export type RefundRow = Selectable<Schema['refund']>

export interface NewRefund {
  readonly merchantId: MerchantId
  readonly paymentId: PaymentId
  readonly amountMinor: bigint
  readonly reason: string
  readonly origin: RefundOrigin
  /** The client's Idempotency-Key: one key, one refund, also after a crash between commit and answer. */
  readonly requestKey?: string
  /** The merchant's own number: one number, one refund. */
  readonly refundNumber?: string | undefined
  readonly now: Date
}

export type RefundRequestOutcome =
  | { readonly kind: 'requested'; readonly refund: RefundRow }
  | { readonly kind: 'payment_not_found' }
  /** An earlier refund has this key, with another amount or of another payment. */
  | { readonly kind: 'key_reused' }
  /** An earlier refund has this number, with another amount or of another payment. */
  | { readonly kind: 'number_reused' }
  /** Not paid, not refundable any more, or less is left than was asked for. */
  | { readonly kind: 'not_refundable'; readonly availableMinor: bigint }

/**
 * Commits a refund with its number and reserves its amount, before the vendor hears of it.
 *
 * The reservation is one guarded statement under the order's lock, and a constraint stands behind it
 * (payment rules, section 6).
 */
export async function requestRefund(
  db: Db,
  jobs: Jobs,
  wanted: NewRefund,
): Promise<RefundRequestOutcome> {
  try {
    return await request(db, jobs, wanted)
  } catch (error) {
    // A twin for another payment, which has another lock, took the number a moment before: now it is seen.
    if (!isNumberTaken(error)) throw error
    return request(db, jobs, wanted)
  }
}

const NUMBER_KEY = 'refund_merchant_id_refund_number_key'

const isNumberTaken = (error: unknown): boolean =>
  error instanceof Error && 'constraint' in error && error.constraint === NUMBER_KEY

const request = (db: Db, jobs: Jobs, wanted: NewRefund): Promise<RefundRequestOutcome> =>
  commit(db, 'refund.request', async (trx) => {
    const payment = await lockOrderOf(trx, wanted.merchantId, wanted.paymentId)
    if (payment === undefined) return { kind: 'payment_not_found' }
    const earlier = await findByKey(trx, wanted)
    if (earlier !== undefined) {
      return isSame(earlier, wanted)
        ? { kind: 'requested', refund: earlier }
        : { kind: 'key_reused' }
    }
    const numbered = await findByNumber(trx, wanted)
    if (numbered !== undefined) {
      return isSame(numbered, wanted)
        ? { kind: 'requested', refund: numbered }
        : { kind: 'number_reused' }
    }
    const refund = await reserveRefund(trx, jobs, wanted)
    if (refund !== undefined) return { kind: 'requested', refund }
    return { kind: 'not_refundable', availableMinor: refundableMinor(payment) }
  })

async function findByKey(trx: Trx, wanted: NewRefund): Promise<RefundRow | undefined> {
  if (wanted.requestKey === undefined) return undefined
  return trx
    .selectFrom('refund')
    .selectAll()
    .where('merchant_id', '=', wanted.merchantId)
    .where('request_key', '=', wanted.requestKey)
    .executeTakeFirst()
}

async function findByNumber(trx: Trx, wanted: NewRefund): Promise<RefundRow | undefined> {
  if (wanted.refundNumber === undefined) return undefined
  return trx
    .selectFrom('refund')
    .selectAll()
    .where('merchant_id', '=', wanted.merchantId)
    .where('refund_number', '=', wanted.refundNumber)
    .executeTakeFirst()
}

const isSame = (refund: RefundRow, wanted: NewRefund): boolean =>
  refund.payment_id === wanted.paymentId && refund.amount === wanted.amountMinor

/** What can still be refunded of a payment, in minor units. */
export function refundableMinor(payment: PaymentRow): bigint {
  if (payment.state !== 'paid' || !payment.refundable) return 0n
  return (payment.received_amount ?? payment.amount) - payment.refund_reserved
}

/** Locks the order of a payment, the mutex for its refunds, then reads the payment anew. */
export async function lockOrderOf(
  trx: Trx,
  merchantId: MerchantId,
  paymentId: PaymentId,
): Promise<PaymentRow | undefined> {
  await trx
    .selectFrom('customer_order')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('id', '=', (where) =>
      where
        .selectFrom('payment')
        .select('order_id')
        .where('merchant_id', '=', merchantId)
        .where('id', '=', paymentId),
    )
    .forNoKeyUpdate()
    .execute()
  // A statement of its own: it must see what the last holder of the lock has committed.
  return trx
    .selectFrom('payment')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', paymentId)
    .forNoKeyUpdate()
    .executeTakeFirst()
}

/** Reserves and inserts under the order's lock that the caller holds; `undefined` when too little is left. */
export async function reserveRefund(
  trx: Trx,
  jobs: Jobs,
  wanted: NewRefund,
): Promise<RefundRow | undefined> {
  const account = await reserving(trx, wanted.merchantId, wanted.paymentId, wanted.amountMinor)
    .where('refundable', '=', true)
    .executeTakeFirst()
  if (account === undefined) return undefined
  const refund = await trx
    .insertInto('refund')
    .values({
      merchant_id: wanted.merchantId,
      id: newRefundId(),
      payment_id: wanted.paymentId,
      channel_account_id: account.channel_account_id,
      origin: wanted.origin,
      amount: wanted.amountMinor,
      currency: account.currency,
      reason: wanted.reason,
      request_key: wanted.requestKey ?? null,
      refund_number: wanted.refundNumber ?? null,
      created_at: wanted.now,
      due_at: wanted.now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  const data = { merchantId: wanted.merchantId, refundId: refund.id }
  await jobs.send(trx, 'refund-submit', [{ data }])
  return refund
}

/** One statement decides; nobody reads, computes and writes back. A new refund is one more condition. */
export function reserving(trx: Trx, merchantId: MerchantId, paymentId: PaymentId, amount: bigint) {
  return trx
    .updateTable('payment')
    .set({ refund_reserved: sql`refund_reserved + ${amount}::bigint` })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', paymentId)
    .where('state', '=', 'paid')
    .where(sql<boolean>`refund_reserved + ${amount}::bigint <= coalesce(received_amount, amount)`)
    .returning(['channel_account_id', 'currency'])
}

/** A refund of this merchant; `undefined` when there is none. */
export const findRefund = (
  db: Db,
  merchantId: MerchantId,
  id: RefundId,
): Promise<RefundRow | undefined> =>
  db
    .selectFrom('refund')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()

/** All refunds of a payment, the oldest first. */
export const findRefundsOf = (
  db: Db | Trx,
  merchantId: MerchantId,
  paymentId: PaymentId,
): Promise<RefundRow[]> =>
  db
    .selectFrom('refund')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('payment_id', '=', paymentId)
    .orderBy('id')
    .execute()
