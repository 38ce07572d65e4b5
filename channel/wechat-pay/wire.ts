import { jsonMinor, parseMinor } from '#domain/money'
import type {
  OtherFacts,
  PaymentFacts,
  RefundFacts,
  VendorRefundState,
  VendorState,
} from '#domain/notification'
import { formatChinaTime, parseRfc3339 } from '#domain/time'
import { z } from 'zod'
import type { PaymentRequest, RefundRequest } from '../channel.ts'
import { openSealed } from '../crypto-native.ts'
import type { NativeSymmetricKey } from '../crypto-native.ts'
import { decodeBase64, utf8 } from '../crypto.ts'
import { parseJson } from '../json.ts'
import type { Settings } from './settings.ts'

/**
 * The vendor's JSON in its own words, and what it means in ours.
 *
 * Ids must be text: a number of 28 digits has lost digits before we see it. Fields that we do not need are
 * not looked at, so that a value the vendor invents tomorrow does not make a payment unreadable.
 */

/** WeChat Pay dossier, sections 3.2 and 4: the order object of a query and of a payment notification. */
const orderSchema = z.object({
  appid: z.string(),
  mchid: z.string(),
  out_trade_no: z.string().min(1),
  trade_state: z.string().min(1),
  transaction_id: z.string().nullish(),
  success_time: z.string().nullish(),
  amount: z.object({ total: z.unknown(), currency: z.string().nullish() }).nullish(),
})

/** WeChat Pay dossier, section 1.8. */
const SEALED_ALGORITHM = 'AEAD_AES_256_GCM'

const sealedSchema = z.object({
  algorithm: z.literal(SEALED_ALGORITHM),
  ciphertext: z.string(),
  nonce: z.string(),
  // Missing, null and empty mean the same (dossier, section 4.1).
  associated_data: z.string().nullish(),
})

export type SealedField = z.infer<typeof sealedSchema>

/** WeChat Pay dossier, section 4.1. */
const envelopeSchema = z.object({
  id: z.string().min(1).max(64),
  event_type: z.string().min(1).max(64),
  resource: sealedSchema,
})

export interface Envelope {
  readonly id: string
  readonly eventType: string
  readonly sealed: SealedField
}

const errorSchema = z.object({ code: z.string().min(1), message: z.string().optional() })

const certificatesSchema = z.object({
  data: z.array(z.object({ serial_no: z.string(), encrypt_certificate: sealedSchema })).max(100),
})

const prepaySchema = z.object({
  prepay_id: z.string().min(1).optional(),
  code_url: z.string().min(1).optional(),
  h5_url: z.string().min(1).optional(),
})

export function parseEnvelope(bytes: Uint8Array): Envelope | undefined {
  const event = envelopeSchema.safeParse(parseJson(bytes)).data
  return event && { id: event.id, eventType: event.event_type, sealed: event.resource }
}

/** The vendor's refusal; `undefined` for pages of a proxy and empty bodies (dossier, section 1.10). */
export const parseVendorError = (
  bytes: Uint8Array,
): { readonly code: string; readonly message: string } | undefined => {
  const error = errorSchema.safeParse(parseJson(bytes)).data
  return error && { code: error.code, message: error.message ?? '' }
}

export interface SealedCertificate {
  readonly serial: string
  readonly sealed: SealedField
}

/** The list of platform certificates; `undefined` when it is none (dossier, section 1.6). */
export const parseCertificates = (bytes: Uint8Array): readonly SealedCertificate[] | undefined =>
  certificatesSchema
    .safeParse(parseJson(bytes))
    .data?.data.map((item) => ({ serial: item.serial_no, sealed: item.encrypt_certificate }))

/** What a customer needs to pay; which of them is there depends on the product (dossier, section 2.3). */
export interface Credential {
  readonly prepayId?: string | undefined
  readonly codeUrl?: string | undefined
  readonly h5Url?: string | undefined
}

export function parseCredential(bytes: Uint8Array): Credential {
  const answer = prepaySchema.safeParse(parseJson(bytes)).data
  return { prepayId: answer?.prepay_id, codeUrl: answer?.code_url, h5Url: answer?.h5_url }
}

/** Writes the body of a prepay call (WeChat Pay dossier, section 2.2). */
export function writePrepay(settings: Settings, request: PaymentRequest): string {
  const { method } = request
  return JSON.stringify({
    appid: settings.appid,
    mchid: settings.mchid,
    description: request.subject,
    out_trade_no: request.paymentId,
    time_expire: formatChinaTime(request.expiresAt),
    notify_url: request.callbackUrl,
    amount: { total: jsonMinor(request.amount.minor), currency: request.amount.currency },
    ...(method === 'jsapi' || method === 'mini_program'
      ? { payer: { openid: request.payerOpenId } }
      : {}),
    ...(method === 'h5'
      ? { scene_info: { payer_client_ip: request.clientIp, h5_info: { type: 'Wap' } } }
      : {}),
  })
}

/** Writes the body of a close call (WeChat Pay dossier, section 3.1). */
export const writeClose = (settings: Settings): string => JSON.stringify({ mchid: settings.mchid })

/**
 * Payment rules, section 3: what a state means for money.
 *
 * `REFUND` follows the first refund, also a partial one: the order was paid, and more it does not say.
 * An unknown value only means that we ask again.
 */
const VENDOR_STATES: Readonly<Record<string, VendorState>> = {
  SUCCESS: 'success',
  REFUND: 'success',
  NOTPAY: 'not_yet',
  USERPAYING: 'not_yet',
  ACCEPT: 'not_yet',
  CLOSED: 'closed',
  REVOKED: 'closed',
  PAYERROR: 'failed',
}

/** The vendor's state in our words. */
export const vendorStateOf = (state: string): VendorState =>
  Object.hasOwn(VENDOR_STATES, state) ? (VENDOR_STATES[state] ?? 'unknown') : 'unknown'

/**
 * Reads an order object; `undefined` when it is none.
 *
 * The amount is `amount.total`, what the order cost, not `payer_total`, what was left after coupons
 * (payment rules, section 2).
 */
export function parsePayment(bytes: Uint8Array): PaymentFacts | undefined {
  const order = orderSchema.safeParse(parseJson(bytes)).data
  if (order === undefined) return undefined
  const amountMinor = parseMinor(order.amount?.total)
  const paidAt = parseRfc3339(order.success_time ?? '')
  return {
    kind: 'payment',
    paymentNumber: order.out_trade_no,
    identity: { mchid: order.mchid, appid: order.appid },
    vendorState: vendorStateOf(order.trade_state),
    vendorStateText: order.trade_state,
    ...(order.transaction_id ? { channelPaymentId: order.transaction_id } : {}),
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(order.amount?.currency ? { currency: order.amount.currency } : {}),
    ...(paidAt === undefined ? {} : { paidAt }),
    ...(order.trade_state === 'REFUND' ? { hasRefund: true } : {}),
  }
}

const otherSchema = z.object({ out_trade_no: z.string().min(1) })

/** News of another kind: only the number of the payment is read, where there is one. */
export function parseOther(eventType: string, bytes: Uint8Array): OtherFacts {
  const paymentNumber = otherSchema.safeParse(parseJson(bytes)).data?.out_trade_no
  return { kind: 'other', eventType, ...(paymentNumber === undefined ? {} : { paymentNumber }) }
}

/** Opens a sealed field with the first key that fits; `undefined` when none does (dossier, section 1.8). */
export function openField(
  keys: readonly NativeSymmetricKey[],
  field: SealedField,
): Uint8Array | undefined {
  const ciphertext = decodeBase64(field.ciphertext)
  if (ciphertext === undefined) return undefined
  const sealed = {
    nonce: utf8(field.nonce),
    associatedData: utf8(field.associated_data ?? ''),
    ciphertext,
  }
  for (const key of keys) {
    const opened = openSealed(key, sealed)
    if (opened !== undefined) return opened
  }
  return undefined
}

/** Answers to a refund that say that its number will never move money. Anything else is asked about. */
export const REFUND_REFUSED_CODES: ReadonlySet<string> = new Set([
  'PARAM_ERROR',
  'INVALID_REQUEST',
  'NO_AUTH',
  'USER_ACCOUNT_ABNORMAL',
  'TRADE_OVERDUE',
  'MCH_NOT_EXISTS',
])

/** WeChat Pay dossier, section 5.1. The total is what the order cost, whatever coupons paid of it. */
export const writeRefund = (refund: RefundRequest): string =>
  JSON.stringify({
    out_trade_no: refund.payment.paymentId,
    out_refund_no: refund.refundId,
    reason: refund.reason,
    // Without it the vendor sends the old, unsigned XML, or nothing (dossier, section 5.6).
    notify_url: refund.callbackUrl,
    amount: {
      refund: jsonMinor(refund.amount.minor),
      total: jsonMinor(refund.paid.minor),
      currency: refund.amount.currency,
    },
  })

/** WeChat Pay dossier, section 5.4. */
const REFUND_STATES: Readonly<Record<string, VendorRefundState>> = {
  SUCCESS: 'succeeded',
  PROCESSING: 'accepted',
  ABNORMAL: 'abnormal',
  // The vendor's balance stayed short for a week: failed, and a new number is needed.
  CLOSED: 'refused',
}

const stateOf = (word: string): VendorRefundState =>
  Object.hasOwn(REFUND_STATES, word) ? (REFUND_STATES[word] ?? 'unknown') : 'unknown'

const refundSchema = z.object({
  out_trade_no: z.string().min(1),
  out_refund_no: z.string().min(1),
  refund_id: z.string().nullish(),
  mchid: z.string().nullish(),
  status: z.string().nullish(),
  refund_status: z.string().nullish(),
  success_time: z.string().nullish(),
  amount: z.object({ refund: z.unknown(), currency: z.string().nullish() }),
})

/**
 * Reads a refund; `undefined` when it is none.
 *
 * The state has two names: `status` in answers, `refund_status` in notices (dossier, section 5.6).
 */
export function parseRefund(
  bytes: Uint8Array,
  stateName: 'status' | 'refund_status',
  identity: Readonly<Record<string, string>>,
): RefundFacts | undefined {
  const refund = refundSchema.safeParse(parseJson(bytes)).data
  const word = refund?.[stateName]
  if (refund === undefined || !word) return undefined
  const amountMinor = parseMinor(refund.amount.refund)
  const refundedAt = parseRfc3339(refund.success_time ?? '')
  return {
    kind: 'refund',
    paymentNumber: refund.out_trade_no,
    refundNumber: refund.out_refund_no,
    identity: refund.mchid ? { mchid: refund.mchid } : identity,
    refundState: stateOf(word),
    refundStateText: word,
    ...(refund.refund_id ? { channelRefundId: refund.refund_id } : {}),
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(refund.amount.currency ? { currency: refund.amount.currency } : {}),
    ...(refundedAt === undefined ? {} : { refundedAt }),
  }
}
