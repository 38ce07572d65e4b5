import { z } from 'zod'

import { parseJson } from '../config.ts'
import { chinaDigits, formatChinaTime } from '../core/china-time.ts'
import { newDigits } from '../core/random.ts'
import type { Answer } from './answer.ts'
import { ok, parameterError, problem } from './answer.ts'
import type { EmulatedMerchant } from './authorization.ts'
import type { EmulatedOrder } from './order.ts'
import type { OrderBook } from './order-book.ts'

/** Dossier 5.4. */
export type RefundStatus = 'PROCESSING' | 'SUCCESS' | 'ABNORMAL' | 'CLOSED'

export interface EmulatedRefund {
  readonly mchid: string
  readonly outTradeNo: string
  readonly outRefundNo: string
  readonly refundId: string
  readonly amount: number
  readonly total: number
  readonly notifyUrl: string | undefined
  readonly createdAt: Date
  readonly status: RefundStatus
  readonly succeededAt?: Date
}

const REFUNDS_MAX = 50
const INT_MIN = 1

/** Dossier 5.1: a strict part of it, because what we send is what we test. */
const refundBody = z.strictObject({
  out_trade_no: z.string().min(INT_MIN),
  out_refund_no: z.string().regex(/^[0-9A-Za-z_\-|*@]{1,64}$/),
  reason: z.string().min(INT_MIN).max(80).exactOptional(),
  notify_url: z.url().exactOptional(),
  amount: z.strictObject({
    refund: z.int().min(INT_MIN),
    total: z.int().min(INT_MIN),
    currency: z.literal('CNY'),
  }),
})

type RefundBody = z.output<typeof refundBody>

/** All refunds of all merchants. The number is the idempotency key (dossier 5.2). */
export class RefundBook {
  readonly #refunds = new Map<string, EmulatedRefund>()
  readonly #orders: OrderBook
  readonly #now: () => Date

  constructor(orders: OrderBook, now: () => Date) {
    this.#orders = orders
    this.#now = now
  }

  find(outRefundNo: string): EmulatedRefund | undefined {
    return this.#refunds.get(outRefundNo)
  }

  list(): readonly EmulatedRefund[] {
    return [...this.#refunds.values()]
  }

  /** What the order has given back or promised to. A closed refund gives nothing back. */
  refunded(outTradeNo: string): number {
    return this.list()
      .filter((refund) => refund.outTradeNo === outTradeNo && refund.status !== 'CLOSED')
      .reduce((sum, { amount }) => sum + amount, 0)
  }

  /** Books a refund of a paid order and puts the order into state REFUND. */
  add(
    order: EmulatedOrder,
    body: Pick<RefundBody, 'out_refund_no' | 'notify_url'>,
    amount: number,
  ): EmulatedRefund {
    const now = this.#now()
    const refund: EmulatedRefund = {
      mchid: order.body.mchid,
      outTradeNo: order.body.out_trade_no,
      outRefundNo: body.out_refund_no,
      refundId: `503${chinaDigits(now)}${newDigits(11)}`,
      amount,
      total: order.body.amount.total,
      notifyUrl: body.notify_url,
      createdAt: now,
      status: 'PROCESSING',
    }
    this.#refunds.set(refund.outRefundNo, refund)
    this.#orders.move(order, 'REFUND')
    return refund
  }

  finish(refund: EmulatedRefund, status: RefundStatus): EmulatedRefund {
    const moved: EmulatedRefund = {
      ...refund,
      status,
      ...(status === 'SUCCESS' && { succeededAt: this.#now() }),
    }
    this.#refunds.set(refund.outRefundNo, moved)
    return moved
  }
}

export interface RefundDeps {
  readonly book: OrderBook
  readonly refunds: RefundBook
  readonly takeNotEnough: () => boolean
}

/** Dossier 5.1 and 5.2: a repeat is the same refund, other parameters under its number are an error. */
export function createRefund(deps: RefundDeps, merchant: EmulatedMerchant, raw: string): Answer {
  const parsed = refundBody.safeParse(parseJson(raw))
  if (parsed.data === undefined) {
    const path = `/${parsed.error.issues[0]?.path.join('/') ?? ''}`
    return parameterError({ field: path, value: '', issue: 'invalid' })
  }
  const body = parsed.data
  const known = deps.refunds.find(body.out_refund_no)
  if (known !== undefined) return isSame(known, body) ? ok(refundObject(known)) : differs()
  const order = deps.book.find(merchant.mchid, body.out_trade_no)
  if (order?.payment === undefined) return missing()
  if (deps.takeNotEnough()) {
    return problem({
      status: 403,
      code: 'NOT_ENOUGH',
      message: '基本账户余额不足，请充值后重新发起',
    })
  }
  return book(deps, order, body)
}

function book(deps: RefundDeps, order: EmulatedOrder, body: RefundBody): Answer {
  const { total } = order.body.amount
  const number = order.body.out_trade_no
  const count = deps.refunds.list().filter(({ outTradeNo }) => outTradeNo === number).length
  const isTooMuch = deps.refunds.refunded(number) + body.amount.refund > total
  if (body.amount.total !== total || isTooMuch || count >= REFUNDS_MAX) {
    return problem({ status: 400, code: 'PARAM_ERROR', message: '订单金额或退款金额不正确' })
  }
  return ok(refundObject(deps.refunds.add(order, body, body.amount.refund)))
}

const isSame = (refund: EmulatedRefund, body: RefundBody): boolean =>
  refund.outTradeNo === body.out_trade_no && refund.amount === body.amount.refund

const differs = (): Answer =>
  problem({ status: 400, code: 'PARAM_ERROR', message: '订单金额或退款金额与之前请求不一致' })

const missing = (): Answer =>
  problem({ status: 404, code: 'RESOURCE_NOT_EXISTS', message: '查询的资源不存在' })

/** Dossier 5.5. */
export function findRefund(deps: RefundDeps, merchant: EmulatedMerchant, number: string): Answer {
  const refund = deps.refunds.find(number)
  return refund?.mchid === merchant.mchid ? ok(refundObject(refund)) : missing()
}

const amountOf = ({ amount, total }: EmulatedRefund) => ({
  total,
  refund: amount,
  payer_total: total,
  payer_refund: amount,
})

/** Dossier 5.3: the answer to create and query; its state is `status`. */
const refundObject = (refund: EmulatedRefund): Record<string, unknown> => ({
  refund_id: refund.refundId,
  out_refund_no: refund.outRefundNo,
  out_trade_no: refund.outTradeNo,
  channel: 'ORIGINAL',
  user_received_account: '招商银行信用卡0403',
  create_time: formatChinaTime(refund.createdAt),
  ...(refund.succeededAt && { success_time: formatChinaTime(refund.succeededAt) }),
  status: refund.status,
  funds_account: 'AVAILABLE',
  amount: { ...amountOf(refund), discount_refund: 0, currency: 'CNY', refund_fee: 0 },
  promotion_detail: [],
})

/** Dossier 5.6: the plaintext of a notice; its state is `refund_status`, and it has no currency. */
export const refundNotice = (refund: EmulatedRefund): Record<string, unknown> => ({
  mchid: refund.mchid,
  out_trade_no: refund.outTradeNo,
  out_refund_no: refund.outRefundNo,
  refund_id: refund.refundId,
  refund_status: refund.status,
  ...(refund.succeededAt && { success_time: formatChinaTime(refund.succeededAt) }),
  user_received_account: '招商银行信用卡0403',
  amount: amountOf(refund),
})
