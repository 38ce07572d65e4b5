import { chinaDigits, formatChinaTime } from '../core/china-time.ts'
import { newDigits } from '../core/random.ts'
import type { PrepayBody, Product } from './prepay-body.ts'

export type TradeState = 'NOTPAY' | 'SUCCESS' | 'CLOSED' | 'REFUND'

/** One order in the vendor's books. Never changed: a move replaces it. */
export interface EmulatedOrder {
  readonly product: Product
  readonly body: PrepayBody
  readonly state: TradeState
  readonly createdAt: Date
  /** After it payment is refused, but the order stays `NOTPAY` (dossier 2.4). */
  readonly expiresAt: Date
  readonly payment?: EmulatedPayment
}

export interface EmulatedPayment {
  readonly transactionId: string
  readonly paidAt: Date
  readonly payerTotal: number
  readonly openid: string
  readonly bankType: string
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** An order nobody paid is closed by itself after this time (dossier 3.3). */
export const ORDER_LIFE_MS = 7 * DAY_MS

/** The buyer, unless a prepay or the test names one. */
export const DEFAULT_OPENID = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'

export const TRADE_TYPES: Readonly<Record<Product, string>> = {
  native: 'NATIVE',
  jsapi: 'JSAPI',
  h5: 'MWEB',
  app: 'APP',
}

const STATE_TEXTS: Readonly<Record<TradeState, string>> = {
  NOTPAY: '订单未支付',
  SUCCESS: '支付成功',
  CLOSED: '订单已关闭',
  REFUND: '订单发生过退款，退款详情请查询退款单',
}

export function newOrder(product: Product, body: PrepayBody, now: Date): EmulatedOrder {
  const wished = body.time_expire === undefined ? undefined : Date.parse(body.time_expire)
  const earliest = now.getTime() + MINUTE_MS
  const latest = now.getTime() + ORDER_LIFE_MS
  const expiresAt = new Date(Math.max(earliest, Math.min(wished ?? latest, latest)))
  return { product, body, state: 'NOTPAY', createdAt: now, expiresAt }
}

/** Equal for a repeat that asks for the same thing. `time_expire` is fixed by the first prepay. */
export function isRepeat(order: EmulatedOrder, product: Product, body: PrepayBody): boolean {
  const { time_expire: _, ...mine } = order.body
  const { time_expire: __, ...theirs } = body
  return order.product === product && JSON.stringify(mine) === JSON.stringify(theirs)
}

/** `4200`, the moment in China, and ten digits of chance: 28 digits in all. */
export const newTransactionId = (now: Date): string => `4200${chinaDigits(now)}${newDigits(10)}`

/** The order as a callback would show it if it were paid: a paid one as it is. */
export function claimSuccess(order: EmulatedOrder, now: Date): EmulatedOrder {
  if (order.payment !== undefined) return order
  const payment: EmulatedPayment = {
    transactionId: newTransactionId(now),
    paidAt: now,
    payerTotal: order.body.amount.total,
    openid: order.body.payer?.openid ?? DEFAULT_OPENID,
    bankType: 'OTHERS',
  }
  return { ...order, state: 'SUCCESS', payment }
}

/** The order object of dossier 3.2: the answer to a query, and the plaintext of a callback. */
export function orderObject(order: EmulatedOrder): Record<string, unknown> {
  const { body, payment, state } = order
  const names = { appid: body.appid, mchid: body.mchid, out_trade_no: body.out_trade_no }
  const states = { trade_state: state, trade_state_desc: STATE_TEXTS[state] }
  const { total } = body.amount
  if (payment === undefined) {
    return { ...names, ...states, amount: { total, currency: 'CNY' } }
  }
  const coupons = total - payment.payerTotal
  return {
    ...names,
    transaction_id: payment.transactionId,
    trade_type: TRADE_TYPES[order.product],
    ...states,
    bank_type: payment.bankType,
    attach: body.attach ?? '',
    success_time: formatChinaTime(payment.paidAt),
    payer: { openid: payment.openid },
    amount: {
      total,
      payer_total: payment.payerTotal,
      currency: 'CNY',
      payer_currency: 'CNY',
    },
    ...(coupons > 0 && { promotion_detail: [coupon(coupons)] }),
    ...(body.scene_info?.device_id !== undefined && {
      scene_info: { device_id: body.scene_info.device_id },
    }),
  }
}

const coupon = (amount: number): Record<string, unknown> => ({
  coupon_id: '109519',
  name: '代金券',
  scope: 'GLOBAL',
  type: 'CASH',
  amount,
  stock_id: '931386',
  wechatpay_contribute: amount,
  merchant_contribute: 0,
  other_contribute: 0,
  currency: 'CNY',
})
