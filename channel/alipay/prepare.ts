import type { Method } from '#domain/method'
import { unixSeconds } from '#domain/time'
import type { PaymentRequest, PrepareOutcome, PreparedPayment } from '../channel.ts'
import { decodeText, encodeForm, readForm } from '../form.ts'
import {
  checkAddress,
  checkAmount,
  firstRefusal,
  refuse,
  withinCharacters,
} from '../payment-check.ts'
import type { Checks } from '../payment-check.ts'
import type { Context } from './call.ts'
import { PRODUCTS, formatTime, isUserId, writeOrder } from './wire.ts'
import type { AlipayMethod } from './wire.ts'

export const METHODS: readonly AlipayMethod[] = [
  'qr',
  'page',
  'wap',
  'jsapi',
  'mini_program',
  'app',
]

const isOurs = (method: Method): method is AlipayMethod => Object.hasOwn(PRODUCTS, method)

/** Alipay dossier, section 2.2; characters, not bytes. */
const SUBJECT_CHARACTERS_MAX = 256
/** Addresses have no query: it would come back among the signed fields (dossier, sections 2.7 and 4.1). */
const URL_CHARACTERS_MAX = 256
const PAYER_CHARACTERS_MAX = 128
/** Alipay dossier, section 2.2: 0.01 to 100,000,000 yuan. */
const AMOUNT_MINOR_MAX = 10_000_000_000n
/** Alipay dossier, section 2.2: `time_expire`; wap and app at least 5 minutes. */
export const EXPIRES_IN_SECONDS_MIN = 60
const SLOW_EXPIRES_IN_SECONDS_MIN = 300
export const EXPIRES_IN_SECONDS_MAX = 15 * 86_400

/** What the vendor would refuse, by the field's name in our API. Checked in this order. */
const CHECKS: Checks<[request: PaymentRequest, context: Context]> = {
  method: ({ method }) => (isOurs(method) ? undefined : `no product for ${method}`),
  payment_id: ({ paymentId }) =>
    /^[0-9A-Za-z_]{1,64}$/.test(paymentId) ? undefined : 'expected 1 to 64 safe characters',
  amount: ({ amount }) => checkAmount(amount, AMOUNT_MINOR_MAX),
  subject: checkSubject,
  expires_in_s: checkExpiry,
  callback_url: ({ callbackUrl }, { deps }) => checkAddress(callbackUrl, deps, URL_CHARACTERS_MAX),
  return_url: ({ method, returnUrl }, { deps }) =>
    method === 'page' || method === 'wap'
      ? checkAddress(returnUrl, deps, URL_CHARACTERS_MAX)
      : undefined,
  payer_open_id: checkPayer,
}

/**
 * Products that a customer's own client brings to the vendor, before the payment's deadline and not at once.
 *
 * So their time belongs to the order: asked for again, a customer is handed the very same.
 */
const HANDED_OUT: ReadonlySet<Method> = new Set(['page', 'wap', 'app'])

/**
 * Builds what is sent to create a payment, and in every repeat of it. Of what we send ourselves, time and
 * signature are fresh each time.
 *
 * Refused here is what the vendor would refuse, before a number is used up there.
 */
export function preparePayment(context: Context, request: PaymentRequest): PrepareOutcome {
  const { method } = request
  const refused = firstRefusal(CHECKS, request, context)
  if (refused !== undefined) return refused
  if (!isOurs(method)) return refuse('method', method)
  const order: PreparedOrder = {
    api: PRODUCTS[method].api,
    callbackUrl: request.callbackUrl,
    content: writeOrder(context.settings, request, method),
    ...(HANDED_OUT.has(method) ? { time: formatTime(context.deps.clock.now()) } : {}),
  }
  return {
    kind: 'prepared',
    prepared: {
      paymentId: request.paymentId,
      method,
      body: writePrepared(order),
      returnUrl: request.returnUrl,
    },
  }
}

/** What a stored body holds. */
export interface PreparedOrder {
  readonly api: string
  readonly callbackUrl: string
  readonly content: string
  /** Of what is handed out; what we send ourselves carries the time of sending. */
  readonly time?: string
}

/** Far above anything that the checks let through. */
const BODY_LIMITS = { bytesMax: 65_536, fieldsMax: 4 }

const writePrepared = (order: PreparedOrder): string =>
  encodeForm([
    ['method', order.api],
    ['notify_url', order.callbackUrl],
    ['biz_content', order.content],
    ...(order.time === undefined ? [] : [['timestamp', order.time] as const]),
  ])

/** Reads what `preparePayment` wrote; `undefined` for anything else. */
export function readPrepared({ body }: PreparedPayment): PreparedOrder | undefined {
  const reading = readForm(Buffer.from(body), BODY_LIMITS)
  if (reading.kind === 'unreadable') return undefined
  const values = new Map(
    reading.fields.map(([name, value]) => [name, decodeText(value, 'utf-8') ?? '']),
  )
  const api = values.get('method')
  const content = values.get('biz_content')
  const time = values.get('timestamp')
  if (!api || !content) return undefined
  const order = { api, callbackUrl: values.get('notify_url') ?? '', content }
  return time ? { ...order, time } : order
}

/** Refused and not cleaned: the buyer would see another text than the shop wrote (dossier, section 2.2). */
function checkSubject({ subject }: PaymentRequest): string | undefined {
  if (/[/=&]/.test(subject)) return 'must hold none of / = &'
  return withinCharacters(subject.trim() === '' ? '' : subject, SUBJECT_CHARACTERS_MAX)
}

/** Whole seconds are sent, so whole seconds are compared. */
function checkExpiry(request: PaymentRequest, context: Context): string | undefined {
  const seconds = unixSeconds(request.expiresAt) - context.deps.clock.now().getTime() / 1000
  const isSlow = request.method === 'wap' || request.method === 'app'
  const min = isSlow ? SLOW_EXPIRES_IN_SECONDS_MIN : EXPIRES_IN_SECONDS_MIN
  return seconds >= min && seconds <= EXPIRES_IN_SECONDS_MAX
    ? undefined
    : `expected ${min / 60} minutes to 15 days from now`
}

function checkPayer({ method, payerOpenId = '' }: PaymentRequest): string | undefined {
  if (method !== 'jsapi' && method !== 'mini_program') return undefined
  return isUserId(payerOpenId) || /^[0-9A-Za-z_-]+$/.test(payerOpenId)
    ? withinCharacters(payerOpenId, PAYER_CHARACTERS_MAX)
    : 'expected an open id or a user id'
}
