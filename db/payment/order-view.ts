import type { MerchantId } from '#domain/id'
import type { Db } from '../database.ts'
import type { OrderRow } from './payment.ts'

/** An order by the merchant's own number; `undefined` when this merchant has none. */
export const findOrder = (
  db: Db,
  merchantId: MerchantId,
  orderNumber: string,
): Promise<OrderRow | undefined> =>
  db
    .selectFrom('customer_order')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('order_number', '=', orderNumber)
    .executeTakeFirst()
