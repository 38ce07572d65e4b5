import { sql } from 'kysely'
import type { MerchantId, PaymentId } from '#domain/id'
import type { PaymentState } from '#domain/state'
import type { Db } from '../database.ts'
import type { OrderRow, PaymentRow } from './payment.ts'

export interface PaymentFilter {
  readonly merchantId: MerchantId
  readonly state?: PaymentState | undefined
  /** The merchant's own number: all attempts of one order. */
  readonly orderNumber?: string | undefined
  readonly channel?: string | undefined
  readonly channelAccount?: string | undefined
  /** Created at this moment or later. */
  readonly createdFrom?: Date | undefined
  /** Created before this moment. */
  readonly createdBefore?: Date | undefined
  /** The last payment of the page before. */
  readonly after?: PaymentId | undefined
  readonly limit: number
}

export interface ListedPayment {
  readonly payment: PaymentRow
  readonly order: Pick<OrderRow, 'order_number' | 'state' | 'user_id'>
}

/** Payments of a merchant, the newest first. A cursor that is not this merchant's finds nothing. */
export async function listPayments(db: Db, filter: PaymentFilter): Promise<ListedPayment[]> {
  const { merchantId, state, orderNumber, createdFrom, createdBefore, after } = filter
  let query = db
    .selectFrom('payment as p')
    .innerJoin('customer_order as o', (join) =>
      join.onRef('o.merchant_id', '=', 'p.merchant_id').onRef('o.id', '=', 'p.order_id'),
    )
    .selectAll('p')
    .select(['o.order_number', 'o.state as order_state', 'o.user_id'])
    .where('p.merchant_id', '=', merchantId)
    .orderBy('p.created_at', 'desc')
    .orderBy('p.id', 'desc')
    .limit(filter.limit)
  if (state !== undefined) query = query.where('p.state', '=', state)
  if (orderNumber !== undefined) query = query.where('o.order_number', '=', orderNumber)
  if (filter.channel !== undefined) query = query.where(isOfChannel(merchantId, filter.channel))
  if (filter.channelAccount !== undefined) {
    query = query.where(sql<boolean>`p.channel_account_id = ${filter.channelAccount}`)
  }
  if (createdFrom !== undefined) query = query.where('p.created_at', '>=', createdFrom)
  if (createdBefore !== undefined) query = query.where('p.created_at', '<', createdBefore)
  if (after !== undefined) {
    // In the database: a Date has milliseconds, the column has microseconds.
    query = query.where(
      sql<boolean>`(p.created_at, p.id) < (SELECT c.created_at, c.id FROM payment c
        WHERE c.merchant_id = ${merchantId} AND c.id = ${after})`,
    )
  }
  const rows = await query.execute()
  return rows.map(({ order_number, order_state, user_id, ...payment }) => ({
    payment,
    order: { order_number, state: order_state, user_id },
  }))
}

/** The accounts first: they are few, and known before the payments are walked. */
const isOfChannel = (merchantId: MerchantId, channel: string) =>
  sql<boolean>`p.channel_account_id IN (SELECT a.id FROM channel_account a
    WHERE a.merchant_id = ${merchantId} AND a.channel = ${channel})`
