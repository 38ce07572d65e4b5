import { chinaDigits } from '../core/china-time.ts'
import { newNonce } from '../core/random.ts'
import type { Answer } from './answer.ts'
import { ERROR_NUMBER, ok, parameterError, problem } from './answer.ts'
import type { EmulatedMerchant } from './authorization.ts'
import type { EmulatedOrder } from './order.ts'
import { isRepeat, newOrder } from './order.ts'
import type { OrderBook } from './order-book.ts'
import type { Product } from './prepay-body.ts'
import { readPrepayBody } from './prepay-body.ts'

/** Creates an order or gives a new credential for it (dossier 2.3, 2.4). */
export function prepay(
  deps: { readonly book: OrderBook; readonly now: () => Date },
  merchant: EmulatedMerchant,
  request: { readonly product: Product; readonly raw: string },
): Answer {
  const reading = readPrepayBody(request.product, request.raw)
  if (reading.kind === 'refused') return reading.answer
  const { body } = reading
  if (body.mchid !== merchant.mchid) return otherMerchant(body.mchid)
  if (!merchant.appids.includes(body.appid)) return appUnbound()
  const now = deps.now()
  const known = deps.book.find(merchant.mchid, body.out_trade_no)
  if (known === undefined) {
    deps.book.put(newOrder(request.product, body, now))
    return ok(newCredential(request.product, now))
  }
  const refusal = refuseRepeat(known)
  if (refusal !== undefined) return refusal
  if (!isRepeat(known, request.product, body)) return numberUsed('201 商户订单号重复')
  if (now >= known.expiresAt) return expired()
  return ok(newCredential(request.product, now))
}

function refuseRepeat(order: EmulatedOrder): Answer | undefined {
  switch (order.state) {
    case 'NOTPAY':
      return undefined
    case 'CLOSED':
      return problem({ status: 400, code: 'ORDER_CLOSED', message: '该订单已关闭，请重新下单' })
    case 'SUCCESS':
    case 'REFUND':
      return numberUsed('该订单已支付', ERROR_NUMBER.orderPaid)
  }
}

const otherMerchant = (mchid: string): Answer =>
  parameterError({ field: '/mchid', value: mchid, issue: 'mchid differs from Authorization' })

const appUnbound = (): Answer =>
  problem({
    status: 400,
    code: 'APPID_MCHID_NOT_MATCH',
    message: 'appid和mch_id不匹配，请检查后再试',
    errorNumber: ERROR_NUMBER.appMismatch,
  })

const numberUsed = (message: string, errorNumber: number = ERROR_NUMBER.reentry): Answer =>
  problem({ status: 403, code: 'OUT_TRADE_NO_USED', message, errorNumber })

const expired = (): Answer =>
  problem({
    status: 400,
    code: 'INVALID_REQUEST',
    message: '订单已过期',
    errorNumber: ERROR_NUMBER.expired,
  })

const PREPAY_NONCE = 18
const CODE_NONCE = 9

function newCredential(product: Product, now: Date): Record<string, string> {
  const prepayId = `wx${chinaDigits(now)}${newNonce(PREPAY_NONCE)}0000`
  switch (product) {
    case 'native':
      return { code_url: `weixin://wxpay/bizpayurl?pr=${newNonce(CODE_NONCE)}` }
    case 'h5':
      return {
        h5_url: `https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=${prepayId}&package=4049184564`,
      }
    case 'jsapi':
    case 'app':
      return { prepay_id: prepayId }
  }
}
