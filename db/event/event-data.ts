import { jsonMinor } from '#domain/money'
import type { MerchantId, PaymentId } from '#domain/id'
import type { Trx } from '../database.ts'
import type { NewEvent } from './merchant-event.ts'
import type { RefundRow } from '../refund/refund.ts'

/** Events about payments as they stand in this transaction, one each. */
export async function paymentEvents(
  trx: Trx,
  type: 'payment.paid' | 'payment.closed',
  merchantId: MerchantId,
  ids: readonly PaymentId[],
): Promise<NewEvent[]> {
  const rows = await readPayments(trx, merchantId, ids)
  return rows.map((row) => ({
    type,
    subject: row.id,
    orderId: row.order_id,
    data: { payment: viewOf(row), order: orderOf(row) },
  }))
}

/** An event about a refund, with its payment and order as they stand in this transaction. */
export async function refundEvents(
  trx: Trx,
  type: 'refund.succeeded' | 'refund.refused',
  refund: Pick<RefundRow, 'merchant_id' | 'id' | 'payment_id'>,
): Promise<NewEvent[]> {
  const [payment] = await readPayments(trx, refund.merchant_id, [refund.payment_id])
  const row = await trx
    .selectFrom('refund')
    .selectAll()
    .where('merchant_id', '=', refund.merchant_id)
    .where('id', '=', refund.id)
    .executeTakeFirst()
  if (payment === undefined || row === undefined) return []
  const shown = {
    id: row.id,
    state: row.state,
    origin: row.origin,
    amount: jsonMinor(row.amount),
    currency: row.currency,
    refusal_code: row.refusal_code,
    channel_refund_id: row.channel_refund_id,
    succeeded_at: row.succeeded_at?.toISOString() ?? null,
  }
  return [
    {
      type,
      subject: row.id,
      orderId: payment.order_id,
      data: { refund: shown, payment: viewOf(payment), order: orderOf(payment) },
    },
  ]
}

const readPayments = (trx: Trx, merchantId: MerchantId, ids: readonly PaymentId[]) =>
  trx
    .selectFrom('payment as p')
    .innerJoin('customer_order as o', (join) =>
      join.onRef('o.merchant_id', '=', 'p.merchant_id').onRef('o.id', '=', 'p.order_id'),
    )
    .selectAll('p')
    .select(['o.order_number', 'o.user_id', 'o.state as order_state'])
    .where('p.merchant_id', '=', merchantId)
    .where('p.id', 'in', [...ids])
    .orderBy('p.id')
    .execute()

type ShownPayment = Awaited<ReturnType<typeof readPayments>>[number]

const viewOf = (row: ShownPayment) => ({
  id: row.id,
  state: row.state,
  disposition: row.disposition,
  method: row.method,
  amount: jsonMinor(row.amount),
  received_amount: row.received_amount === null ? null : jsonMinor(row.received_amount),
  refunded: jsonMinor(row.refunded),
  currency: row.currency,
  channel_payment_id: row.channel_payment_id,
  paid_at: row.paid_at?.toISOString() ?? null,
})

const orderOf = (row: ShownPayment) => ({
  order_number: row.order_number,
  user_id: row.user_id,
  state: row.order_state,
})
