import { sql } from 'kysely'
import type { MerchantId, PaymentId, RefundId } from '#domain/id'
import type { RefundState } from '#domain/state'
import type { Db } from '../database.ts'
import type { RefundRow } from './refund.ts'

/** A refund with what the points system has taken back for it. */
export interface ShownRefund {
  readonly refund: RefundRow
  readonly pointsTakenBack: bigint
}

export interface RefundFilter {
  readonly merchantId: MerchantId
  readonly paymentId?: PaymentId
  readonly refundId?: RefundId
}

/** Refunds for the merchant's own eyes, the oldest first. */
export async function findShownRefunds(db: Db, filter: RefundFilter): Promise<ShownRefund[]> {
  let query = refundsOf(db, filter.merchantId).orderBy('r.id')
  if (filter.paymentId !== undefined) query = query.where('r.payment_id', '=', filter.paymentId)
  if (filter.refundId !== undefined) query = query.where('r.id', '=', filter.refundId)
  return (await query.execute()).map(shownOf)
}

export interface RefundListFilter {
  readonly merchantId: MerchantId
  readonly state?: RefundState | undefined
  readonly paymentId?: PaymentId | undefined
  /** The merchant's own number of the refund. */
  readonly refundNumber?: string | undefined
  /** The merchant's own number of the order. */
  readonly orderNumber?: string | undefined
  readonly createdFrom?: Date | undefined
  readonly createdBefore?: Date | undefined
  /** The last refund of the page before. */
  readonly after?: RefundId | undefined
  readonly limit: number
}

/** Refunds of a merchant, the newest first. A cursor that is not this merchant's finds nothing. */
export async function listRefunds(db: Db, filter: RefundListFilter): Promise<ShownRefund[]> {
  const { merchantId, state, paymentId, refundNumber, createdFrom, createdBefore } = filter
  let query = refundsOf(db, merchantId)
    .orderBy('r.created_at', 'desc')
    .orderBy('r.id', 'desc')
    .limit(filter.limit)
  if (state !== undefined) query = query.where('r.state', '=', state)
  if (paymentId !== undefined) query = query.where('r.payment_id', '=', paymentId)
  if (refundNumber !== undefined) query = query.where('r.refund_number', '=', refundNumber)
  if (createdFrom !== undefined) query = query.where('r.created_at', '>=', createdFrom)
  if (createdBefore !== undefined) query = query.where('r.created_at', '<', createdBefore)
  const rows = await query
    .where(isOfOrder(merchantId, filter.orderNumber))
    .where(isAfter(merchantId, filter.after))
    .execute()
  return rows.map(shownOf)
}

const ALWAYS = sql<boolean>`true`

const isOfOrder = (merchantId: MerchantId, orderNumber: string | undefined) =>
  orderNumber === undefined
    ? ALWAYS
    : sql<boolean>`r.payment_id IN (SELECT p.id FROM payment p JOIN customer_order o
        ON o.merchant_id = p.merchant_id AND o.id = p.order_id
        WHERE p.merchant_id = ${merchantId} AND o.order_number = ${orderNumber})`

/** In the database: a Date has milliseconds, the column has microseconds. */
const isAfter = (merchantId: MerchantId, after: RefundId | undefined) =>
  after === undefined
    ? ALWAYS
    : sql<boolean>`(r.created_at, r.id) < (SELECT c.created_at, c.id FROM refund c
        WHERE c.merchant_id = ${merchantId} AND c.id = ${after})`

const refundsOf = (db: Db, merchantId: MerchantId) =>
  db
    .selectFrom('refund as r')
    .leftJoin('points_grant as g', (join) =>
      join
        .onRef('g.merchant_id', '=', 'r.merchant_id')
        .onRef('g.refund_id', '=', 'r.id')
        .on('g.state', '=', 'taken'),
    )
    .selectAll('r')
    .select('g.points')
    .where('r.merchant_id', '=', merchantId)

const shownOf = ({
  points,
  ...refund
}: RefundRow & { readonly points: bigint | null }): ShownRefund => ({
  refund,
  pointsTakenBack: points ?? 0n,
})
