import type { MerchantId, PaymentId, RefundId } from '#domain/id'
import type { Db } from './database.ts'
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
  let query = db
    .selectFrom('refund as r')
    .leftJoin('points_grant as g', (join) =>
      join
        .onRef('g.merchant_id', '=', 'r.merchant_id')
        .onRef('g.refund_id', '=', 'r.id')
        .on('g.state', '=', 'taken'),
    )
    .selectAll('r')
    .select('g.points')
    .where('r.merchant_id', '=', filter.merchantId)
    .orderBy('r.id')
  if (filter.paymentId !== undefined) query = query.where('r.payment_id', '=', filter.paymentId)
  if (filter.refundId !== undefined) query = query.where('r.id', '=', filter.refundId)
  const rows = await query.execute()
  return rows.map(({ points, ...refund }) => ({ refund, pointsTakenBack: points ?? 0n }))
}
