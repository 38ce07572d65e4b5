import { sql } from 'kysely'
import type { Db } from '#db/database'
import { newOrderId, newPaymentId } from '#domain/id'
import type { ChannelAccountId, MerchantId, OrderId, PaymentId } from '#domain/id'
import { signCallback } from '../../emulator/wechat-pay/callback.ts'
import type { SignedCallback } from '../../emulator/wechat-pay/callback.ts'
import type { WechatPayKeys } from '../../emulator/wechat-pay/keys.ts'
import { claimSuccess, newOrder, orderObject } from '../../emulator/wechat-pay/order.ts'
import { APPID, MCHID } from '../../support/platform.ts'

/** An order with its pending payment, and the vendor's event about it. */
export interface Sale {
  readonly orderId: OrderId
  readonly paymentId: PaymentId
  readonly userId: string
  readonly amount: number
  readonly eventId: string
  /** What the vendor says was paid: a few events are one fen off. */
  readonly paidAmount: number
  readonly transactionId: string
}

const USERS = 40
const AMOUNT_MIN = 60
const AMOUNT_STEP = 37
/** Every so many events are one fen off; prime, so that they meet all kinds of orders. */
const WRONG_EVERY = 97
const TRANSACTION_DIGITS = 24

/** Makes sales of many users and amounts; the cheapest earn no points. */
export function makeSales(count: number): Sale[] {
  return Array.from({ length: count }, (_, index) => {
    const amount = AMOUNT_MIN + index * AMOUNT_STEP
    return {
      orderId: newOrderId(),
      paymentId: newPaymentId(),
      userId: `user-${index % USERS}`,
      amount,
      eventId: crypto.randomUUID(),
      paidAmount: index % WRONG_EVERY === WRONG_EVERY - 1 ? amount + 1 : amount,
      transactionId: `4200${String(index).padStart(TRANSACTION_DIGITS, '0')}`,
    }
  })
}

/** Inserts all orders and payments with two statements, as if the vendor had answered each call. */
export async function insertSales(
  db: Db,
  merchantId: MerchantId,
  accountId: ChannelAccountId,
  sales: readonly Sale[],
): Promise<void> {
  const orderIds = sales.map((sale) => sale.orderId)
  const amounts = sales.map((sale) => sale.amount)
  await db.transaction().execute(async (trx) => {
    // Raw, because kysely has no `unnest` over several arrays.
    await sql`
      INSERT INTO customer_order (merchant_id, id, order_number, user_id, amount, currency)
      SELECT ${merchantId}, id, id, user_id, amount, 'CNY'
      FROM unnest(${orderIds}::text[], ${sales.map((sale) => sale.userId)}::text[],
                  ${amounts}::bigint[]) AS t (id, user_id, amount)`.execute(trx)
    await sql`
      INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, currency,
                           subject, state, vendor_request, expires_at)
      SELECT ${merchantId}, id, order_id, ${accountId}, 'qr', amount, 'CNY',
             'Demo tea set', 'pending', '{}', now() + interval '2 hours'
      FROM unnest(${sales.map((sale) => sale.paymentId)}::text[], ${orderIds}::text[],
                  ${amounts}::bigint[]) AS t (id, order_id, amount)`.execute(trx)
  })
}

/** The vendor's callback about the sale, signed now; a repeat has the same id and the same content. */
export function signSale(keys: WechatPayKeys, sale: Sale, paidAt: Date): SignedCallback {
  const body = {
    appid: APPID,
    mchid: MCHID,
    description: 'Demo tea set',
    out_trade_no: sale.paymentId,
    notify_url: 'https://merchant.example/callback',
    amount: { total: sale.paidAmount },
  }
  const order = claimSuccess(newOrder('native', body, paidAt), paidAt)
  // The emulator draws the vendor's number; ours is fixed, so that no two sales ever share one.
  const content = { ...orderObject(order), transaction_id: sale.transactionId }
  return signCallback({
    keys: keys.vendor,
    apiV3Key: keys.merchant.apiV3Key,
    plaintext: JSON.stringify(content),
    eventType: 'TRANSACTION.SUCCESS',
    id: sale.eventId,
    now: new Date(),
    createdAt: paidAt,
    serialMode: 'public',
  })
}
