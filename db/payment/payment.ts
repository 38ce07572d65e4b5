import type { Selectable } from 'kysely'
import type { MerchantId, PaymentId } from '#domain/id'
import type { PaymentReference } from '#domain/payment'
import { endAttempt, lockOrder } from './close-payment.ts'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import type { Schema } from '../schema.ts'

export type PaymentRow = Selectable<Schema['payment']>
export type OrderRow = Selectable<Schema['customer_order']>
/** What the answer about a payment shows of its order. */
export type ShownOrder = Pick<OrderRow, 'order_number' | 'state' | 'user_id'>

/** What the vendor needs to find this payment again. */
export const referenceOf = (payment: PaymentRow): PaymentReference => ({
  paymentId: payment.id,
  method: payment.method,
  createdAt: payment.created_at,
  ...(payment.vendor_time === null ? {} : { vendorTime: payment.vendor_time }),
  ...(payment.vendor_product === null ? {} : { vendorProduct: payment.vendor_product }),
  ...(payment.channel_payment_id === null ? {} : { channelPaymentId: payment.channel_payment_id }),
})

/**
 * A definite refusal: nobody can pay this attempt. created → closed; an order that is not wanted any more
 * ends with its last attempt.
 */
export async function refuseAttempt(
  db: Db,
  payment: PaymentRow,
  code: string,
  at: Date,
): Promise<void> {
  const closing = { proof: `refused: ${code}`, refusalCode: code, nextQueryAt: null, at }
  await commit(db, 'payment.refuse', async (trx) => {
    await lockOrder(trx, payment.merchant_id, payment.order_id)
    // With a credential, from a call beside this one, it can be paid.
    await endAttempt(trx, payment, ['created'], closing)
  })
}

/** A payment with its order, for the merchant's own eyes; `undefined` when it is not this merchant's. */
export async function findPayment(
  db: Db,
  merchantId: MerchantId,
  id: PaymentId,
): Promise<{ readonly payment: PaymentRow; readonly order: OrderRow } | undefined> {
  const payment = await db
    .selectFrom('payment')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()
  if (payment === undefined) return undefined
  const order = await db
    .selectFrom('customer_order')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', payment.order_id)
    .executeTakeFirstOrThrow()
  return { payment, order }
}
