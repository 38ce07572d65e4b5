import { isIPv4 } from 'node:net'
import type { Method, Wallet } from '#domain/method'
import { AMOUNT_MINOR_MAX } from '#domain/money'
import { unixSeconds } from '#domain/time'
import { z } from 'zod'
import type { PaymentRequest, PrepareOutcome } from '../channel.ts'
import { checkAmount, firstRefusal, refuse, withinCharacters } from '../payment-check.ts'
import type { Checks } from '../payment-check.ts'
import type { Context } from './call.ts'
import { writeCreation } from './wire.ts'
import type { VendorPayment } from './wire.ts'

/** Ping++ dossier, section 2.3: the vendor's `channel` for each of our pairs. */
const PRODUCTS: Readonly<Record<Wallet, Readonly<Partial<Record<Method, string>>>>> = {
  alipay: { page: 'alipay_pc_direct', wap: 'alipay_wap', qr: 'alipay_qr', app: 'alipay' },
  wechat_pay: {
    jsapi: 'wx_pub',
    qr: 'wx_pub_qr',
    mini_program: 'wx_lite',
    h5: 'wx_wap',
    app: 'wx',
  },
  unionpay: { page: 'upacp_pc', wap: 'upacp_wap', app: 'upacp', qr: 'upacp_qr' },
}

export const WALLET_METHODS: Readonly<Record<Wallet, readonly Method[]>> = {
  alipay: ['page', 'wap', 'qr', 'app'],
  wechat_pay: ['jsapi', 'qr', 'mini_program', 'h5', 'app'],
  unionpay: ['page', 'wap', 'app', 'qr'],
}

interface Limits {
  readonly number: RegExp
  readonly expiresInSecondsMax: number
  /** UnionPay counts bytes of the subject where the others count characters. */
  readonly subjectBytesMax?: number
}

const DAY_SECONDS = 86_400
export const EXPIRES_IN_SECONDS_MIN = 60
export const EXPIRES_IN_SECONDS_MAX = 15 * DAY_SECONDS

/** Ping++ dossier, section 2.1: `order_no`, `time_expire` and `subject` by family. */
const LIMITS: Readonly<Record<Wallet, Limits>> = {
  alipay: { number: /^[0-9A-Za-z]{1,64}$/, expiresInSecondsMax: 15 * DAY_SECONDS },
  wechat_pay: { number: /^[0-9A-Za-z]{2,32}$/, expiresInSecondsMax: 7 * DAY_SECONDS },
  unionpay: {
    number: /^[0-9A-Za-z]{8,40}$/,
    expiresInSecondsMax: 3600,
    subjectBytesMax: 32,
  },
}

const SUBJECT_CHARACTERS_MAX = 32
const BODY_CHARACTERS_MAX = 128
const OPEN_ID_CHARACTERS_MAX = 128
/** An IPv4 address as a socket for both families shows it. */
const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/i

type Extra = Readonly<Record<string, string>>

/** Ping++ dossier, section 2.4. What is not here needs nothing. */
const EXTRAS: Readonly<Record<string, (request: PaymentRequest) => Extra>> = {
  alipay_wap: ({ returnUrl }) => ({ success_url: returnUrl }),
  alipay_pc_direct: ({ returnUrl }) => ({ success_url: returnUrl }),
  wx_pub: ({ payerOpenId = '' }) => ({ open_id: payerOpenId }),
  wx_lite: ({ payerOpenId = '' }) => ({ open_id: payerOpenId }),
  wx_pub_qr: ({ paymentId }) => ({ product_id: paymentId }),
  wx_wap: ({ returnUrl }) => ({ result_url: returnUrl }),
  upacp_wap: ({ returnUrl }) => ({ result_url: returnUrl }),
  upacp_pc: ({ returnUrl }) => ({ result_url: returnUrl }),
}

interface Plan {
  readonly product: string
  readonly limits: Limits
  readonly subject: string
  readonly extra: Extra
}

/** What the vendor would refuse, by the field's name in our API. Checked in this order. */
const CHECKS: Checks<[request: PaymentRequest, plan: Plan, context: Context]> = {
  payment_id: ({ paymentId }, { limits }) =>
    limits.number.test(paymentId) ? undefined : 'expected letters and digits of the right length',
  amount: ({ amount }) => checkAmount(amount, AMOUNT_MINOR_MAX),
  subject: (_request, { subject }) =>
    subject === '' ? 'expected text of which at least one character fits' : undefined,
  expires_in_s: checkExpiry,
  client_ip: ({ clientIp }) => (isIPv4(clientIp) ? undefined : 'expected an IPv4 address'),
  // Asked only where the product has it.
  payer_open_id: (_request, { extra: { open_id: payer } }) =>
    payer === undefined ? undefined : withinCharacters(payer, OPEN_ID_CHARACTERS_MAX),
  return_url: (_request, { extra }) => checkReturnUrl(extra['success_url'] ?? extra['result_url']),
}

/**
 * Builds the body of the first call, and of every repeat of it.
 *
 * Refused here is what the vendor would refuse, before a number is used up there. A subject that is too long
 * is cut, and more of it stands in `body`.
 */
export function preparePayment(context: Context, request: PaymentRequest): PrepareOutcome {
  const wallet = request.wallet
  const product = wallet && PRODUCTS[wallet][request.method]
  if (wallet === undefined || product === undefined) {
    return refuse('method', `no product for ${request.method} of ${wallet ?? 'no wallet'}`)
  }
  const sent = { ...request, clientIp: request.clientIp.replace(MAPPED_IPV4, '') }
  const plan = planOf(product, LIMITS[wallet], sent)
  const problem = firstRefusal(CHECKS, sent, plan, context)
  if (problem !== undefined) return problem
  const { app } = context.settings
  const body = cut(request.subject.trim(), BODY_CHARACTERS_MAX)
  const prepared = {
    paymentId: request.paymentId,
    method: request.method,
    body: writeCreation({ app, product, subject: plan.subject, body, extra: plan.extra }, sent),
    vendorProduct: product,
    returnUrl: request.returnUrl,
  }
  return { kind: 'prepared', prepared }
}

const planOf = (product: string, limits: Limits, request: PaymentRequest): Plan => ({
  product,
  limits,
  subject: cut(request.subject.trim(), SUBJECT_CHARACTERS_MAX, limits.subjectBytesMax),
  extra: EXTRAS[product]?.(request) ?? {},
})

const segmenter = new Intl.Segmenter('zh', { granularity: 'grapheme' })

/** The longest start that fits, by what a reader takes for one character: no letter loses its accent. */
export function cut(text: string, charactersMax: number, bytesMax = Infinity): string {
  let kept = ''
  let characters = 0
  let bytes = 0
  for (const { segment } of segmenter.segment(text)) {
    characters += Array.from(segment).length
    bytes += Buffer.byteLength(segment)
    if (characters > charactersMax || bytes > bytesMax) break
    kept += segment
  }
  return kept
}

/** Whole seconds are sent, so whole seconds are compared. */
function checkExpiry(request: PaymentRequest, plan: Plan, context: Context): string | undefined {
  const seconds = unixSeconds(request.expiresAt) - context.deps.clock.now().getTime() / 1000
  const max = plan.limits.expiresInSecondsMax
  return seconds >= EXPIRES_IN_SECONDS_MIN && seconds <= max
    ? undefined
    : `expected ${EXPIRES_IN_SECONDS_MIN} to ${max} seconds from now for ${plan.product}`
}

/** Ping++ dossier, section 2.4: no parameters of our own, and 127.0.0.1 where one would write localhost. */
function checkReturnUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return 'expected an http address'
  if (/[?#]/.test(text)) return 'must have no query'
  return url.hostname === 'localhost' ? 'must not be localhost' : undefined
}

/** What the customer's client needs, by what it must do with it (Ping++ dossier, section 2.5). */
export type Credential =
  | { readonly kind: 'form'; readonly fields: Texts }
  | { readonly kind: 'redirect'; readonly url: string }
  | { readonly kind: 'qr_code'; readonly content: string }
  | { readonly kind: 'sdk'; readonly params: Texts }
  | { readonly kind: 'none' }

type Texts = Readonly<Record<string, string>>

const NONE: Credential = { kind: 'none' }

const CREDENTIALS: Readonly<Record<string, (value: unknown) => Credential>> = {
  alipay: (value) => sdk(value, 'orderInfo'),
  alipay_wap: alipayAddress,
  alipay_pc_direct: alipayAddress,
  alipay_qr: qrCode,
  wx: (value) => sdk(value, 'prepayId', 'sign'),
  wx_pub: (value) => sdk(value, 'package', 'paySign'),
  wx_lite: miniProgram,
  wx_pub_qr: qrCode,
  wx_wap: address,
  upacp: (value) => sdk(value, 'tn'),
  upacp_pc: form,
  upacp_wap: form,
  // Not documented; the other codes of the vendor are text.
  upacp_qr: qrCode,
}

/** `none` for what is missing, empty or of another shape. */
export function readCredential({ product, credential }: VendorPayment): Credential {
  const values = z.record(z.string(), z.unknown()).safeParse(credential).data ?? {}
  return CREDENTIALS[product]?.(values[product]) ?? NONE
}

/** Clients want text everywhere, and the vendor sends some numbers. */
const textsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

function texts(value: unknown, ...required: readonly string[]): Texts | undefined {
  const read = textsSchema.safeParse(value).data ?? {}
  const pairs = Object.entries(read).map(([name, item]) => [name, String(item)] as const)
  const found = Object.fromEntries(pairs)
  return required.every((name) => (found[name] ?? '') !== '') ? found : undefined
}

function sdk(value: unknown, ...required: readonly string[]): Credential {
  const params = texts(value, ...required)
  return params === undefined ? NONE : { kind: 'sdk', params }
}

/** `wx.requestPayment` takes all but the `appId`. */
function miniProgram(value: unknown): Credential {
  const { appId: _, ...params } = texts(value, 'package', 'paySign') ?? {}
  return Object.keys(params).length === 0 ? NONE : { kind: 'sdk', params }
}

function qrCode(value: unknown): Credential {
  const content = z.string().min(1).safeParse(value).data
  return content === undefined ? NONE : { kind: 'qr_code', content }
}

function address(value: unknown): Credential {
  const url = z.union([z.string(), z.object({ url: z.string() })]).safeParse(value).data
  if (url === undefined) return NONE
  return { kind: 'redirect', url: typeof url === 'string' ? url : url.url }
}

/** Posted unchanged: the wallet's signature covers every field. */
function form(value: unknown): Credential {
  const fields = texts(value, 'signature')
  return fields === undefined ? NONE : { kind: 'form', fields }
}

const ALIPAY_URL = 'https://mapi.alipay.com/gateway.do'
/** These read the charset outside what is signed. */
const OLD_SERVICES = new Set(['alipay.wap.create.direct.pay.by.user', 'create_direct_pay_by_user'])

function alipayAddress(value: unknown): Credential {
  const { channel_url: base = ALIPAY_URL, ...fields } = texts(value, 'sign') ?? {}
  if (Object.keys(fields).length === 0) return NONE
  const charset = OLD_SERVICES.has(fields['service'] ?? '') ? { _input_charset: 'utf-8' } : {}
  const query = Object.entries({ ...charset, ...fields })
    .map((pair) => pair.map(encodeURIComponent).join('='))
    .join('&')
  return { kind: 'redirect', url: `${base}${base.includes('?') ? '&' : '?'}${query}` }
}
