import { sql } from 'kysely'
import type { Trx } from '../database.ts'
import { refundEvents } from '../event/event-data.ts'
import type { Jobs } from '../job.ts'
import { createEvents } from '../event/merchant-event.ts'
import type { PaymentRow } from '../payment/payment.ts'
import type { RefundRow } from './refund.ts'
import { createRevoke } from '../points/revoke.ts'

export interface EffectDeps {
  readonly jobs: Jobs
  readonly now: () => Date
}

type Moved = Pick<RefundRow, 'id' | 'amount'>

/**
 * What follows a refund that succeeded, under the order's lock: payment, order, points, event.
 *
 * An excess or late payment's refund touches neither order nor points.
 */
export async function followSuccess(
  trx: Trx,
  deps: EffectDeps,
  payment: PaymentRow,
  refund: Moved,
): Promise<void> {
  const { refunded } = await trx
    .updateTable('payment')
    .set({ refunded: sql`refunded + ${refund.amount}::bigint` })
    .where('merchant_id', '=', payment.merchant_id)
    .where('id', '=', payment.id)
    .returning('refunded')
    .executeTakeFirstOrThrow()
  if (payment.disposition === 'counted') {
    await followOrder(trx, deps, payment, { id: refund.id, refunded })
  }
  await tell(trx, deps, payment, { type: 'refund.succeeded', refund })
}

async function followOrder(
  trx: Trx,
  deps: EffectDeps,
  payment: PaymentRow,
  { id, refunded }: { readonly id: RefundRow['id']; readonly refunded: bigint },
): Promise<void> {
  const amountMinor = payment.received_amount ?? payment.amount
  const order = await trx
    .updateTable('customer_order')
    .set({ state: refunded >= amountMinor ? 'refunded' : 'partly_refunded' })
    .where('merchant_id', '=', payment.merchant_id)
    .where('id', '=', payment.order_id)
    .where('paid_payment_id', '=', payment.id)
    .returning('user_id')
    .executeTakeFirstOrThrow()
  await createRevoke(trx, deps.jobs, payment.merchant_id, {
    orderId: payment.order_id,
    refundId: id,
    userId: order.user_id,
    amountMinor,
    refundedMinor: refunded,
    now: deps.now(),
  })
}

/** The reservation is released at a refusal, and only there. */
export async function followRefusal(
  trx: Trx,
  deps: EffectDeps,
  payment: PaymentRow,
  refund: Moved,
): Promise<void> {
  await trx
    .updateTable('payment')
    .set({ refund_reserved: sql`refund_reserved - ${refund.amount}::bigint` })
    .where('merchant_id', '=', payment.merchant_id)
    .where('id', '=', payment.id)
    .execute()
  await tell(trx, deps, payment, { type: 'refund.refused', refund })
}

async function tell(
  trx: Trx,
  deps: EffectDeps,
  payment: PaymentRow,
  news: { readonly type: 'refund.succeeded' | 'refund.refused'; readonly refund: Moved },
): Promise<void> {
  const merchantId = payment.merchant_id
  const named = { merchant_id: merchantId, id: news.refund.id, payment_id: payment.id }
  const events = await refundEvents(trx, news.type, named)
  await createEvents(trx, deps.jobs, { merchantId, at: deps.now() }, events)
}
