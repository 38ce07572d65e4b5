import { chinaDigits, formatChinaDateTime } from '../core/china-time.ts'
import type { CallbackEvent } from '../core/courier.ts'
import { newDigits } from '../core/random.ts'
import type { Charset } from './charset.ts'
import { parseCharset } from './charset.ts'
import type { EmulatedApp } from './gateway-call.ts'
import type { Refund, Trade } from './trade.ts'
import { BUYER, refundedFen } from './trade.ts'
import { formatYuan } from './yuan.ts'

export type NoticeField = readonly [name: string, value: string]

/** One event about a trade: its fields but for the time and the signature, which every send has anew. */
export interface AlipayEvent extends CallbackEvent {
  readonly fields: readonly NoticeField[]
  readonly charset: Charset
  readonly app: EmulatedApp
}

/** Eight notices within 25 hours; three more at once where the buyer stands at a till (dossier 4.6). */
export const RETRY_SECONDS = [240, 600, 600, 3600, 7200, 21600, 54000] as const
const RETRY_SECONDS_FACE_TO_FACE = [1, 1, 1, ...RETRY_SECONDS] as const

/** `undefined`: the merchant named no address, so nothing is told. */
export function newEvent(input: {
  readonly trade: Trade
  readonly app: EmulatedApp
  readonly url: string | undefined
  readonly fields: readonly NoticeField[]
  readonly now: Date
}): AlipayEvent | undefined {
  const { trade, app, url, now } = input
  if (url === undefined) return undefined
  const eventId = newNotifyId(now)
  return {
    eventId,
    orderNumber: trade.offer.outTradeNo,
    url,
    retrySeconds: trade.offer.isFaceToFace ? RETRY_SECONDS_FACE_TO_FACE : RETRY_SECONDS,
    fields: [['notify_id', eventId], ...input.fields],
    charset: parseCharset(trade.offer.charset) ?? 'utf-8',
    app,
  }
}

const newNotifyId = (now: Date): string => `${chinaDigits(now).slice(0, 8)}00222${newDigits(21)}`

/** The fields of a notice about a trade (dossier 4.3). `shiftFen` is added to what was paid. */
export function noticeFields(
  trade: Trade,
  { buyer, shiftFen = 0 }: { readonly buyer: readonly NoticeField[]; readonly shiftFen?: number },
): readonly NoticeField[] {
  const { offer, payment } = trade
  return [
    ['notify_type', 'trade_status_sync'],
    ['app_id', offer.appId],
    ['auth_app_id', offer.appId],
    ['charset', offer.charset],
    ['version', '1.0'],
    ['trade_no', trade.tradeNo],
    ['out_trade_no', offer.outTradeNo],
    ...buyer,
    ['buyer_logon_id', BUYER.logonId],
    ['seller_id', offer.sellerId],
    ['trade_status', trade.state],
    ['total_amount', formatYuan(offer.totalFen + shiftFen)],
    ['subject', offer.subject],
    ...optional('body', offer.body),
    ...optional('passback_params', offer.passbackParams),
    ['gmt_create', formatChinaDateTime(trade.createdAt)],
    ...optional('gmt_close', trade.closedAt && formatChinaDateTime(trade.closedAt)),
    ...(payment === undefined ? [] : paidFields(trade, payment.buyerPaysFen + shiftFen)),
  ]
}

function paidFields({ offer, payment }: Trade, buyerPaysFen: number): readonly NoticeField[] {
  const paid = formatYuan(buyerPaysFen)
  return [
    ['receipt_amount', formatYuan(offer.totalFen)],
    ['invoice_amount', paid],
    ['buyer_pay_amount', paid],
    ['point_amount', '0.00'],
    ...optional('gmt_payment', payment && formatChinaDateTime(payment.paidAt)),
    // Camel case here, snake case in the answers of the API.
    ['fund_bill_list', JSON.stringify([{ amount: paid, fundChannel: 'ALIPAYACCOUNT' }])],
  ]
}

/** What a refund adds: the sum so far, never this refund alone. */
export const refundFields = (trade: Trade, refund: Refund): readonly NoticeField[] => [
  ['out_biz_no', refund.outRequestNo],
  ['refund_fee', formatYuan(refundedFen(trade))],
  ['gmt_refund', `${formatChinaDateTime(refund.at)}.${milliseconds(refund.at)}`],
]

const milliseconds = (moment: Date): string => String(moment.getMilliseconds()).padStart(3, '0')

const optional = (name: string, value: string | undefined): readonly NoticeField[] =>
  value === undefined ? [] : [[name, value]]

/** Replaces fields by name and adds those that were not there. */
export const replaceFields = (
  fields: readonly NoticeField[],
  changes: readonly NoticeField[],
): readonly NoticeField[] => [...new Map([...fields, ...changes])]
