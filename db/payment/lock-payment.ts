import { assert } from '#domain/assert'
import type { PaymentView } from '#domain/confirm'
import { parsePaymentId } from '#domain/id'
import type { MerchantId, OrderId, PaymentId } from '#domain/id'
import type { Trx } from '../database.ts'

/** A payment whose order's lock this transaction holds. */
export interface Locked extends PaymentView {
  readonly id: PaymentId
  readonly orderId: OrderId
  readonly userId: string
}

/**
 * Locks orders, then their payments, each ascending by id. The order's row is the mutex for all of them.
 *
 * Every payment of a locked order comes along, because one attempt's fate decides another's.
 */
export async function lockPayments(
  trx: Trx,
  merchantId: MerchantId,
  numbers: readonly string[],
): Promise<Map<string, Locked>> {
  const ids = numbers.map(parsePaymentId)
  const known = ids.filter((id) => id !== undefined)
  if (known.length === 0) return new Map()
  const plan = await trx
    .selectFrom('payment')
    .select('order_id')
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', known)
    .execute()
  if (plan.length === 0) return new Map()
  const orders = await trx
    .selectFrom('customer_order')
    .select(['id', 'state', 'user_id'])
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', [...new Set(plan.map((row) => row.order_id))])
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  const orderById = new Map(orders.map((order) => [order.id, order]))
  // A statement of its own: it must see what the last holder of the order's lock has committed.
  const rows = await trx
    .selectFrom('payment')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('order_id', 'in', [...orderById.keys()])
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  return new Map(
    rows.map((row) => {
      const order = orderById.get(row.order_id)
      assert(order !== undefined, `payment ${row.id} has no locked order`)
      const locked: Locked = {
        id: row.id,
        orderId: row.order_id,
        userId: order.user_id,
        channelAccountId: row.channel_account_id,
        // An amount that an operator has accepted is the right one from then on.
        amountMinor: row.received_amount ?? row.amount,
        currency: row.currency,
        state: row.state,
        channelPaymentId: row.channel_payment_id ?? undefined,
        vendorTime: row.vendor_time ?? undefined,
        vendorProduct: row.vendor_product ?? undefined,
        orderState: order.state,
      }
      return [row.id, locked]
    }),
  )
}
