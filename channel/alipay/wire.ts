import { z } from 'zod'
import { formatYuan, parseYuan } from '#domain/money'
import type { NotificationFacts, PaymentFacts, VendorState } from '#domain/notification'
import { formatChinaTime, parseRfc3339 } from '#domain/time'
import type { PaymentRequest } from '../channel.ts'
import { decodeBase64 } from '../crypto.ts'
import { parseJson } from '../json.ts'
import type { Settings } from './settings.ts'

/**
 * Every message is text that the vendor signed, verified before we see it. Fields that we do not need are not
 * looked at, so that a value the vendor invents tomorrow does not make a payment unreadable.
 */

/** Alipay dossier, section 1.10: Beijing time, whatever the zone of this machine. */
export const formatTime = (moment: Date): string =>
  formatChinaTime(moment).slice(0, 19).replace('T', ' ')

const TIME = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?$/

/** Reads Beijing time, perhaps with a fraction; `undefined` for a moment that is none. */
export function parseTime(text: string): Date | undefined {
  const match = TIME.exec(text)
  const moment = match === null ? undefined : parseRfc3339(`${match[1]}T${match[2]}+08:00`)
  return moment !== undefined && text.startsWith(formatTime(moment)) ? moment : undefined
}

/** Alipay dossier, section 2.1. */
export const PRODUCTS = {
  page: { api: 'alipay.trade.page.pay', code: 'FAST_INSTANT_TRADE_PAY' },
  wap: { api: 'alipay.trade.wap.pay', code: 'QUICK_WAP_WAY' },
  app: { api: 'alipay.trade.app.pay', code: 'QUICK_MSECURITY_PAY' },
  qr: { api: 'alipay.trade.precreate', code: undefined },
  jsapi: { api: 'alipay.trade.create', code: 'JSAPI_PAY' },
  mini_program: { api: 'alipay.trade.create', code: 'JSAPI_PAY' },
} as const

export type AlipayMethod = keyof typeof PRODUCTS

export const QUERY_API = 'alipay.trade.query'
export const CLOSE_API = 'alipay.trade.close'
export const CERTIFICATE_API = 'alipay.open.app.alipaycert.download'

/** Writes the business fields of a payment once; every repeat sends these very bytes (dossier, 2.2). */
export function writeOrder(
  settings: Settings,
  request: PaymentRequest,
  method: AlipayMethod,
): string {
  return JSON.stringify({
    out_trade_no: request.paymentId,
    total_amount: formatYuan(request.amount),
    subject: request.subject,
    product_code: PRODUCTS[method].code ?? settings.qr_product_code,
    time_expire: formatTime(request.expiresAt),
    ...(method === 'wap' ? { quit_url: request.returnUrl } : {}),
    ...(method === 'jsapi' || method === 'mini_program'
      ? writePayer(settings, request.payerOpenId ?? '')
      : {}),
  })
}

/** Old apps know their users by 16 digits from 2088, newer ones by an open id of the app that pays. */
export const isUserId = (payer: string): boolean => /^2088\d{12}$/.test(payer)

/** Alipay dossier, section 2.5: the id is the one that this app sees, or that the mini program sees. */
function writePayer(settings: Settings, payer: string): Readonly<Record<string, string>> {
  const opener = settings.op_app_id ?? settings.app_id
  if (isUserId(payer)) return { op_app_id: opener, buyer_id: payer }
  return opener === settings.app_id
    ? { op_app_id: opener, buyer_open_id: payer }
    : { op_app_id: opener, op_buyer_open_id: payer }
}

export const writeReference = (paymentId: string): string =>
  JSON.stringify({ out_trade_no: paymentId })

/** What the wallet's `tradePay` takes (dossier, section 2.5). */
export const writeBridge = (channelPaymentId: string): Readonly<Record<string, string>> => ({
  tradeNO: channelPaymentId,
})

export const writeCertificateRequest = (digest: string): string =>
  JSON.stringify({ alipay_cert_sn: digest })

const codeSchema = z.object({
  code: z.string(),
  msg: z.string().nullish(),
  sub_code: z.string().nullish(),
  sub_msg: z.string().nullish(),
})

/** The part of every answer that says what became of the call (dossier, section 1.4). */
export interface Verdict {
  readonly code: string
  readonly subCode: string
  readonly message: string
}

export function parseVerdict(node: Uint8Array): Verdict | undefined {
  const read = codeSchema.safeParse(parseJson(node)).data
  return (
    read && {
      code: read.code,
      subCode: read.sub_code ?? '',
      message: read.sub_msg ?? read.msg ?? '',
    }
  )
}

const createdSchema = z.object({
  out_trade_no: z.string(),
  trade_no: z.string().min(1).optional(),
  qr_code: z.string().min(1).optional(),
})

export interface Created {
  readonly paymentNumber: string
  readonly channelPaymentId?: string | undefined
  readonly qrContent?: string | undefined
}

/** What precreate and create answer; `undefined` when it is not that. Also the answer of a close. */
export function parseCreated(node: Uint8Array): Created | undefined {
  const read = createdSchema.safeParse(parseJson(node)).data
  return (
    read && {
      paymentNumber: read.out_trade_no,
      channelPaymentId: read.trade_no,
      qrContent: read.qr_code,
    }
  )
}

const certificateSchema = z.object({ alipay_cert_content: z.string() })

/** The PEM text of a downloaded certificate (dossier, section 1.7). */
export function parseCertificate(node: Uint8Array): string | undefined {
  const read = certificateSchema.safeParse(parseJson(node)).data
  const bytes = read && decodeBase64(read.alipay_cert_content)
  return bytes && Buffer.from(bytes).toString('utf8')
}

/** Fields of a query's answer and of a notification that say what a payment's state is. */
const paymentSchema = z.object({
  out_trade_no: z.string().min(1),
  trade_status: z.string().min(1),
  trade_no: z.string().nullish(),
  total_amount: z.unknown().optional(),
  trans_currency: z.string().nullish(),
  send_pay_date: z.string().nullish(),
  gmt_payment: z.string().nullish(),
  buyer_pay_amount: z.unknown().optional(),
  refund_fee: z.unknown().optional(),
})

type Order = z.infer<typeof paymentSchema>

/** The refund window is over, or the product has none (dossier, section 3.3). */
export const FINISHED = 'TRADE_FINISHED'
const CLOSED = 'TRADE_CLOSED'

/** Payment rules, section 3. An unknown value only means that we ask again. */
const VENDOR_STATES: Readonly<Record<string, VendorState>> = {
  TRADE_SUCCESS: 'success',
  [FINISHED]: 'success',
  WAIT_BUYER_PAY: 'not_yet',
  [CLOSED]: 'closed',
}

/**
 * The vendor's state in our words.
 *
 * A payment that was paid and then refunded in full is `TRADE_CLOSED` too, like one that nobody paid. Only
 * marks of the payment tell them apart (dossier, section 3.1), and it was paid.
 */
export function vendorStateOf(status: string, isMarkedPaid: boolean): VendorState {
  const state = Object.hasOwn(VENDOR_STATES, status) ? VENDOR_STATES[status] : undefined
  return state === 'closed' && isMarkedPaid ? 'success' : (state ?? 'unknown')
}

/** Whether a decimal is above zero. What cannot be read is not zero. */
export const isAboveZero = (value: unknown): boolean =>
  typeof value === 'string' && value !== '' && parseYuan(value)?.minor !== 0n

const isMarkedPaid = (order: Order): boolean =>
  (order.send_pay_date ?? '') !== '' ||
  (order.gmt_payment ?? '') !== '' ||
  isAboveZero(order.buyer_pay_amount) ||
  isAboveZero(order.refund_fee)

/**
 * Reads what a query or a notification says of a payment; `undefined` when it is about none.
 *
 * The amount is `total_amount`, what the order cost, not what was left after coupons (payment rules, 2).
 * The vendor names no currency but for cross-border products: it is CNY (dossier, section 4.4).
 */
export function parsePayment(
  message: unknown,
  identity: Readonly<Record<string, string>>,
): PaymentFacts | undefined {
  const order = paymentSchema.safeParse(message).data
  if (order === undefined) return undefined
  const amount = typeof order.total_amount === 'string' ? parseYuan(order.total_amount) : undefined
  const paidAt = parseTime(order.gmt_payment || order.send_pay_date || '')
  const isPaid = isMarkedPaid(order)
  return {
    kind: 'payment',
    paymentNumber: order.out_trade_no,
    identity,
    vendorState: vendorStateOf(order.trade_status, isPaid),
    vendorStateText: order.trade_status,
    ...(order.trade_no ? { channelPaymentId: order.trade_no } : {}),
    ...(amount === undefined ? {} : { amountMinor: amount.minor }),
    currency: order.trans_currency || 'CNY',
    ...(paidAt === undefined ? {} : { paidAt }),
    ...marksOf(order.trade_status, isPaid),
  }
}

/** What the state of a paid order tells of refunds (dossier, section 3.3). */
function marksOf(status: string, isPaid: boolean): Pick<PaymentFacts, 'isFinal' | 'isReturned'> {
  if (status === FINISHED) return { isFinal: true }
  return status === CLOSED && isPaid ? { isReturned: true } : {}
}

/** The fields of a notification as text, none of them empty. */
export type Notice = Readonly<Record<string, string>>

/** Alipay dossier, section 4.3: the kind that tells of a payment's state, and of its refunds. */
export const PAYMENT_NOTICE = 'trade_status_sync'

/** What a notification or message says, unless it is of a refund. */
export function readNotice(notice: Notice): NotificationFacts {
  if (notice['msg_method'] !== undefined) return readMessage(notice['msg_method'], notice)
  const kind = notice['notify_type'] ?? ''
  const isPayment = kind === PAYMENT_NOTICE && notice['dback_status'] === undefined
  if (!isPayment) return other(kind, notice['out_trade_no'])
  return (
    parsePayment(notice, identityOf(notice)) ?? {
      kind: 'unreadable',
      reason: 'the notification is not the documented one',
    }
  )
}

/** All names of the account that was paid. An app that acts for another is not what we ordered with. */
export function identityOf(notice: Notice): Readonly<Record<string, string>> {
  const { app_id: app = '', seller_id: seller = '', auth_app_id: authorising = app } = notice
  const identity = { app_id: app, seller_id: seller }
  return authorising === app ? identity : { ...identity, auth_app_id: authorising }
}

const contentSchema = z.object({ out_trade_no: z.string().min(1) })

/** A message of the application gateway: its business fields are JSON (dossier, section 4.9). */
const readMessage = (kind: string, notice: Notice): NotificationFacts =>
  other(kind, contentSchema.safeParse(contentOf(notice)).data?.out_trade_no)

const contentOf = (notice: Notice): unknown =>
  parseJson(Buffer.from(notice['biz_content'] ?? '', 'utf8'))

const other = (eventType: string, paymentNumber: string | undefined): NotificationFacts => ({
  kind: 'other',
  eventType,
  ...(paymentNumber === undefined ? {} : { paymentNumber }),
})

const depositSchema = z.object({
  trade_no: z.string(),
  out_request_no: z.string(),
  dback_status: z.string(),
})

/** Payment rules, section 2: what names an event; `undefined` when nothing in it does. */
export function eventKeyOf(notice: Notice): string | undefined {
  const id = notice['notify_id']
  if (id !== undefined) return `ntf:${id}`
  const deposit = depositSchema.safeParse(
    notice['msg_method'] === undefined ? notice : contentOf(notice),
  ).data
  if (deposit !== undefined) {
    return `dbk:${deposit.trade_no}:${deposit.out_request_no}:${deposit.dback_status}`
  }
  if (notice['trade_no'] === undefined) return undefined
  const parts = [
    notice['trade_no'],
    notice['trade_status'],
    notice['refund_fee'],
    notice['gmt_refund'],
    notice['out_biz_no'] ?? notice['out_request_no'],
    notice['refund_status'],
  ]
  return `trd:${parts.map((part) => part ?? '').join(':')}`
}
