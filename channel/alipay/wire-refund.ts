import { z } from 'zod'
import { formatYuan, parseYuan } from '#domain/money'
import type { RefundFacts, VendorRefundState } from '#domain/notification'
import type { RefundRequest } from '../channel.ts'
import { parseJson } from '../json.ts'
import { FINISHED, PAYMENT_NOTICE, identityOf, isAboveZero, parseTime } from './wire.ts'
import type { Notice } from './wire.ts'

/** Refunds in the vendor's words. Its `refund_fee` is a sum over the payment and never one refund's amount. */

export const REFUND_API = 'alipay.trade.refund'
export const REFUND_QUERY_API = 'alipay.trade.fastpay.refund.query'

/** Alipay dossier, section 5.1: without our own number a second part would look like a repeat of the first. */
export const writeRefund = (refund: RefundRequest): string =>
  JSON.stringify({
    out_trade_no: refund.payment.paymentId,
    out_request_no: refund.refundId,
    refund_amount: formatYuan(refund.amount),
    refund_reason: refund.reason,
  })

/** Alipay dossier, section 5.2: the time comes only to those who ask for it. */
export const writeRefundQuery = (paymentId: string, refundNumber: string): string =>
  JSON.stringify({
    out_trade_no: paymentId,
    out_request_no: refundNumber,
    query_options: ['gmt_refund_pay'],
  })

/** What an answer says of a refund. A number that it does not repeat is absent. */
export interface RefundAnswer {
  readonly paymentNumber?: string | undefined
  readonly channelPaymentId?: string | undefined
  readonly refundNumber?: string | undefined
  readonly state: VendorRefundState
  /** The vendor's word; `undefined` where it has none for this refund. */
  readonly stateText?: string | undefined
  readonly amountMinor?: bigint | undefined
  readonly refundedAt?: Date | undefined
}

const refundedSchema = z.object({
  out_trade_no: z.string(),
  trade_no: z.string().nullish(),
  fund_change: z.string().nullish(),
  gmt_refund_pay: z.string().nullish(),
})

/**
 * What a refund answers; `undefined` when it is not that.
 *
 * Alipay dossier, section 5.1: only `Y` says that this call moved money. `N` is a repeat, or nothing was done.
 */
export function parseRefunded(node: Uint8Array): RefundAnswer | undefined {
  const read = refundedSchema.safeParse(parseJson(node)).data
  return (
    read && {
      paymentNumber: read.out_trade_no,
      channelPaymentId: read.trade_no ?? undefined,
      state: read.fund_change === 'Y' ? 'succeeded' : 'unknown',
      stateText: `fund_change ${read.fund_change || 'absent'}`,
      refundedAt: parseTime(read.gmt_refund_pay ?? ''),
    }
  )
}

/** Alipay dossier, sections 5.2 and 5.3. An unknown value only means that we ask again. */
const REFUND_STATES: Readonly<Record<string, VendorRefundState>> = {
  REFUND_SUCCESS: 'succeeded',
  REFUND_PROCESSING: 'accepted',
  REFUND_FAIL: 'refused',
}

const stateOf = (word: string): VendorRefundState =>
  Object.hasOwn(REFUND_STATES, word) ? (REFUND_STATES[word] ?? 'unknown') : 'unknown'

const queriedSchema = z.object({
  out_trade_no: z.string().nullish(),
  trade_no: z.string().nullish(),
  out_request_no: z.string().nullish(),
  refund_status: z.string().nullish(),
  refund_amount: z.unknown().optional(),
  gmt_refund_pay: z.string().nullish(),
})

/** What a query answers, often nothing at all (dossier, section 5.2). */
export function parseQueried(node: Uint8Array): RefundAnswer | undefined {
  const read = queriedSchema.safeParse(parseJson(node)).data
  return (
    read && {
      paymentNumber: read.out_trade_no ?? undefined,
      channelPaymentId: read.trade_no ?? undefined,
      refundNumber: read.out_request_no ?? undefined,
      state: stateOf(read.refund_status ?? ''),
      stateText: read.refund_status || undefined,
      amountMinor: minorOf(read.refund_amount),
      refundedAt: parseTime(read.gmt_refund_pay ?? ''),
    }
  )
}

const minorOf = (value: unknown): bigint | undefined =>
  typeof value === 'string' ? parseYuan(value)?.minor : undefined

/**
 * What a notification says of a refund; `undefined` when it is about none.
 *
 * It looks like a payment's: the same status, then `TRADE_CLOSED`. Of the amount it has only the sum, unless
 * the refund was asked for asynchronously (dossier, sections 4.3 and 4.7).
 */
export function readRefundNotice(notice: Notice): RefundFacts | undefined {
  if (!isRefundNews(notice)) return undefined
  const refundNumber = numberIn(notice)
  const amountMinor = minorOf(notice['refund_amount'])
  const refundedAt = parseTime(notice['gmt_refund'] ?? '')
  return {
    kind: 'refund',
    paymentNumber: notice['out_trade_no'] ?? '',
    identity: namedIdentity(notice),
    refundState: stateIn(notice),
    refundStateText: notice['refund_status'] ?? notice['trade_status'] ?? '',
    ...(refundNumber === undefined ? {} : { refundNumber }),
    ...(amountMinor === undefined ? {} : { amountMinor, currency: 'CNY' }),
    ...(refundedAt === undefined ? {} : { refundedAt }),
  }
}

const numberIn = (notice: Notice): string | undefined =>
  notice['out_biz_no'] ?? notice['out_request_no']

/**
 * A plain payment may say `refund_fee=0.00`, so the value counts and not the presence (dossier, section 4.7).
 * Where the window is over the sum is history, unless a number says that this very refund is the news.
 */
function isRefundNews(notice: Notice): boolean {
  if (notice['notify_type'] !== PAYMENT_NOTICE || notice['msg_method'] !== undefined) return false
  if (notice['dback_status'] !== undefined) return false
  if (notice['refund_status'] !== undefined) return true
  const isNamed = numberIn(notice) !== undefined
  if (notice['trade_status'] === FINISHED && !isNamed) return false
  return notice['refund_fee'] === undefined
    ? isNamed || notice['gmt_refund'] !== undefined
    : isAboveZero(notice['refund_fee'])
}

/** A synchronous refund is told when it is done. A sum that cannot be read says nothing. */
function stateIn(notice: Notice): VendorRefundState {
  const word = notice['refund_status']
  if (word !== undefined) return stateOf(word)
  const sum = notice['refund_fee']
  return sum === undefined || parseYuan(sum) !== undefined ? 'succeeded' : 'unknown'
}

/** What a notification does not name is not compared: the payment it names is ours or it is not. */
const namedIdentity = (notice: Notice): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(identityOf(notice)).filter(([, name]) => name !== ''))
