import { z } from 'zod'

import { formatChinaDateTime } from '../core/china-time.ts'
import type { Outcome } from './answer.ts'
import { committed, done, refused, tradeMissing } from './answer.ts'
import type { Method } from './method.ts'
import { findTrade, namesOf, unnamed } from './method.ts'
import type { Refund, Trade } from './trade.ts'
import { BUYER, refundedFen } from './trade.ts'
import type { AlipayVendor } from './vendor.ts'
import { formatYuan, parseYuan } from './yuan.ts'

const refundBody = z.looseObject({
  refund_amount: z.union([z.string(), z.number().transform(String)]),
  out_request_no: z
    .string()
    .regex(/^\w{1,64}$/)
    .exactOptional(),
  refund_reason: z.string().max(256).exactOptional(),
})

/** The synchronous refund (dossier 5.1). `refund_fee` is the sum of all refunds of the trade. */
export const refund: Method = (vendor, call) => {
  const trade = findTrade(vendor, call)
  const body = refundBody.safeParse(call.biz)
  if (trade === 'unnamed') return unnamed()
  if (!body.success) return refused('ACQ.INVALID_PARAMETER', z.prettifyError(body.error))
  if (trade === undefined) return tradeMissing()
  const fen = parseYuan(body.data.refund_amount)
  if (fen === undefined || fen === 0)
    return refused('ACQ.REASON_TRADE_REFUND_FEE_ERR', '退款金额错误')
  const outRequestNo = body.data.out_request_no ?? trade.offer.outTradeNo
  const known = trade.refunds.find((earlier) => earlier.outRequestNo === outRequestNo)
  if (known !== undefined) return repeat(vendor, trade, { known, fen })
  const refusal = refuse(vendor, trade, fen)
  if (refusal !== undefined) return refusal
  if (vendor.panel.take('refundsWithoutChange')) return done(refundNode(vendor, trade, 'N'))
  const reason = body.data.refund_reason
  const wish = { outRequestNo, fen, ...(reason !== undefined && { reason }) }
  return committed(refundNode(vendor, vendor.refund(trade, wish), 'Y'))
}

function repeat(
  vendor: AlipayVendor,
  trade: Trade,
  { known, fen }: { readonly known: Refund; readonly fen: number },
): Outcome {
  if (known.fen !== fen) return refused('ACQ.DISCORDANT_REPEAT_REQUEST', '不一致的请求')
  return done(refundNode(vendor, trade, 'N'))
}

function refuse(vendor: AlipayVendor, trade: Trade, fen: number): Outcome | undefined {
  switch (trade.state) {
    case 'WAIT_BUYER_PAY':
      return refused('ACQ.TRADE_STATUS_ERROR', '交易状态不合法')
    case 'TRADE_CLOSED':
      return refused('ACQ.TRADE_HAS_CLOSE', '交易已经关闭')
    case 'TRADE_FINISHED':
      return refused('ACQ.TRADE_HAS_FINISHED', '交易已完结')
    case 'TRADE_SUCCESS':
      if (refundedFen(trade) + fen > trade.offer.totalFen) {
        return refused('ACQ.REFUND_AMT_NOT_EQUAL_TOTAL', '退款金额超限')
      }
      if (!vendor.panel.take('sellerBalanceShort')) return undefined
      return refused('ACQ.SELLER_BALANCE_NOT_ENOUGH', '卖家余额不足')
  }
}

const refundNode = (vendor: AlipayVendor, trade: Trade, change: 'Y' | 'N') => ({
  ...namesOf(trade),
  ...vendor.buyerOf(trade.offer),
  buyer_logon_id: BUYER.logonId,
  fund_change: change,
  refund_fee: formatYuan(refundedFen(trade)),
})

const refundQueryBody = z.looseObject({
  out_request_no: z.string().min(1),
  query_options: z.array(z.string()).exactOptional(),
})

/** Answers 10000 without data for a request number that it does not know (dossier 5.2). */
export const queryRefund: Method = (vendor, call) => {
  const trade = findTrade(vendor, call)
  const body = refundQueryBody.safeParse(call.biz)
  if (trade === 'unnamed') return unnamed()
  if (!body.success) return refused('ACQ.INVALID_PARAMETER', z.prettifyError(body.error))
  if (trade === undefined) return tradeMissing()
  const { out_request_no: outRequestNo, query_options: options = [] } = body.data
  const known = trade.refunds.find((earlier) => earlier.outRequestNo === outRequestNo)
  if (known === undefined) return done({})
  return done({
    ...namesOf(trade),
    out_request_no: outRequestNo,
    total_amount: formatYuan(trade.offer.totalFen),
    refund_amount: formatYuan(known.fen),
    refund_status: 'REFUND_SUCCESS',
    ...(known.reason !== undefined && { refund_reason: known.reason }),
    ...(options.includes('gmt_refund_pay') && { gmt_refund_pay: formatChinaDateTime(known.at) }),
  })
}
