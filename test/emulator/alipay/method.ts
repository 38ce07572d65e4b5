import { z } from 'zod'

import { formatChinaDateTime } from '../core/china-time.ts'
import type { Node, Outcome } from './answer.ts'
import { committed, done, refused, tradeMissing } from './answer.ts'
import type { GatewayCall } from './gateway-call.ts'
import { readOffer } from './biz-content.ts'
import type { AlipayVendor } from './vendor.ts'
import type { Trade } from './trade.ts'
import { BUYER } from './trade.ts'
import { formatYuan } from './yuan.ts'

/** Handles one method that answers in JSON. The host is the one that was called. */
export type Method = (vendor: AlipayVendor, call: GatewayCall, host: string) => Outcome

const reference = z.looseObject({
  out_trade_no: z.string().exactOptional(),
  trade_no: z.string().exactOptional(),
  query_options: z.array(z.string()).exactOptional(),
})

/** Order codes: no trade exists until the code is scanned (dossier 2.5). */
export const precreate: Method = (vendor, call) => {
  const reading = readOffer('precreate', call, vendor.now())
  if (reading.kind === 'refused') return reading
  const { outTradeNo } = reading.offer
  const code = vendor.book.offer(reading.offer)
  if (code !== undefined) return refused(code)
  return committed({ out_trade_no: outTradeNo, qr_code: vendor.book.newQrCode(outTradeNo) })
}

/** JSAPI and mini program: the trade exists at once. */
export const create: Method = (vendor, call) => {
  const reading = readOffer('create', call, vendor.now())
  if (reading.kind === 'refused') return reading
  const { outTradeNo } = reading.offer
  const code = vendor.book.offer(reading.offer)
  if (code !== undefined) return refused(code)
  const move = vendor.enter(outTradeNo)
  if (move.kind === 'refused') return refused('ACQ.SYSTEM_ERROR', `交易创建失败：${move.reason}`)
  return committed({ out_trade_no: outTradeNo, trade_no: move.trade.tradeNo })
}

export const query: Method = (vendor, call) => {
  const asked = reference.safeParse(call.biz)
  const trade = findTrade(vendor, call)
  if (!asked.success || trade === 'unnamed') return unnamed()
  if (trade === undefined) return tradeMissing({ ...ZEROES, out_trade_no: asked.data.out_trade_no })
  const { unknownTradeState } = vendor.panel.get()
  const state = unknownTradeState === '' ? {} : { trade_status: unknownTradeState }
  return done({ ...tradeObject(vendor, trade, asked.data.query_options), ...state })
}

export const close: Method = (vendor, call) => {
  const trade = findTrade(vendor, call)
  if (trade === 'unnamed') return unnamed()
  if (trade === undefined) return tradeMissing()
  if (trade.state !== 'WAIT_BUYER_PAY') {
    return refused('ACQ.REASON_TRADE_STATUS_INVALID', '交易状态异常')
  }
  vendor.close(trade, call.parameters.get('notify_url'))
  return committed(namesOf(trade))
}

const CANCEL_WINDOW_MS = 24 * 3600 * 1000

/** Cancels whatever there is; a paid trade is refunded, which a merchant hardly wanted (dossier 3.5). */
export const cancel: Method = (vendor, call) => {
  const asked = reference.safeParse(call.biz)
  const trade = findTrade(vendor, call)
  if (trade === 'unnamed') return unnamed()
  if (trade === undefined) {
    const outTradeNo = asked.data?.out_trade_no ?? ''
    vendor.book.dropOffer(outTradeNo)
    return committed({ out_trade_no: outTradeNo, retry_flag: 'N' })
  }
  const names = { ...namesOf(trade), retry_flag: 'N' }
  switch (trade.state) {
    case 'WAIT_BUYER_PAY':
      vendor.close(trade)
      return committed({ ...names, action: 'close' })
    case 'TRADE_CLOSED':
      return done({ ...names, action: trade.refunds.length > 0 ? 'refund' : 'close' })
    case 'TRADE_FINISHED':
      return refused('ACQ.TRADE_HAS_FINISHED', '交易已完结')
    case 'TRADE_SUCCESS':
      return cancelPaid(vendor, trade, names)
  }
}

function cancelPaid(vendor: AlipayVendor, trade: Trade, names: Node): Outcome {
  const now = vendor.now()
  const paidAt = trade.payment?.paidAt ?? now
  if (now.getTime() - paidAt.getTime() > CANCEL_WINDOW_MS) {
    return refused('ACQ.TRADE_CANCEL_TIME_OUT', '超过撤销时间范围')
  }
  vendor.refundRest(trade)
  return committed({ ...names, action: 'refund', gmt_refund_pay: formatChinaDateTime(now) })
}

const certificateWish = z.looseObject({ alipay_cert_sn: z.string() })

/** Hands out any platform certificate there ever was, base64 of its PEM text (dossier 1.7). */
export const downloadCertificate: Method = (vendor, call) => {
  const wish = certificateWish.safeParse(call.biz)
  const known = vendor.certificates.find(({ number }) => number === wish.data?.alipay_cert_sn)
  if (known === undefined) return refused('isv.invalid-parameter', 'alipay_cert_sn不存在')
  return done({ alipay_cert_content: Buffer.from(known.certificatePem).toString('base64') })
}

/** `unnamed`: the call names neither number. Orders of other merchants do not exist. */
export function findTrade(vendor: AlipayVendor, call: GatewayCall): Trade | undefined | 'unnamed' {
  const asked = reference.safeParse(call.biz)
  const { trade_no: tradeNo, out_trade_no: outTradeNo } = asked.data ?? {}
  if (!tradeNo && !outTradeNo) return 'unnamed'
  const trade = tradeNo ? vendor.book.findByTradeNo(tradeNo) : vendor.book.find(outTradeNo ?? '')
  return trade?.offer.sellerId === call.app.sellerId ? trade : undefined
}

export const unnamed = (): Outcome =>
  refused('ACQ.INVALID_PARAMETER', 'out_trade_no和trade_no不能同时为空')

export const namesOf = ({ tradeNo, offer }: Trade): Node => ({
  trade_no: tradeNo,
  out_trade_no: offer.outTradeNo,
})

const ZEROES = {
  buyer_pay_amount: '0.00',
  invoice_amount: '0.00',
  point_amount: '0.00',
  receipt_amount: '0.00',
} as const

/** The answer to a query (dossier 3.1). */
function tradeObject(vendor: AlipayVendor, trade: Trade, options: readonly string[] = []): Node {
  const { offer, payment, state } = trade
  const base = {
    ...namesOf(trade),
    ...vendor.buyerOf(offer),
    buyer_logon_id: BUYER.logonId,
    buyer_user_type: 'PRIVATE',
    trade_status: state,
    total_amount: formatYuan(offer.totalFen),
    ...ZEROES,
    ...(offer.passbackParams !== undefined && { passback_params: offer.passbackParams }),
  }
  if (payment === undefined) return base
  const paid = formatYuan(payment.buyerPaysFen)
  return {
    ...base,
    buyer_pay_amount: paid,
    invoice_amount: paid,
    receipt_amount: formatYuan(offer.totalFen),
    send_pay_date: formatChinaDateTime(payment.paidAt),
    ...(options.includes('fund_bill_list') && {
      fund_bill_list: [{ amount: paid, fund_channel: 'ALIPAYACCOUNT' }],
    }),
  }
}

const billBody = z.looseObject({ bill_type: z.string(), bill_date: z.string() })

/** Dossier 6.1: where a day's or a month's bill lies. */
export const billUrl: Method = (vendor, { app, biz }, host) => {
  const body = billBody.safeParse(biz)
  if (!body.success) return refused('INVAILID_ARGUMENTS', z.prettifyError(body.error))
  const { bill_type: kind, bill_date: date } = body.data
  return vendor.bills.ask(kind, { sellerId: app.sellerId, date }, host)
}
