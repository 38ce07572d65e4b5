import { isIP } from 'node:net'
import type { Method } from '#domain/method'
import { AMOUNT_MINOR_MAX } from '#domain/money'
import { unixSeconds } from '#domain/time'
import type { PaymentRequest, PrepareOutcome } from '../channel.ts'
import { isAllowedUrl } from '../host.ts'
import type { Context } from './call.ts'
import { writePrepay } from './wire.ts'

/** WeChat Pay dossier, section 2.1. Mini programs use the JSAPI product. */
const ENDPOINTS: Readonly<Partial<Record<Method, string>>> = {
  qr: '/v3/pay/transactions/native',
  jsapi: '/v3/pay/transactions/jsapi',
  mini_program: '/v3/pay/transactions/jsapi',
  h5: '/v3/pay/transactions/h5',
  app: '/v3/pay/transactions/app',
}

export const METHODS = ['qr', 'jsapi', 'mini_program', 'h5', 'app'] as const

export const endpointOf = (method: Method): string | undefined => ENDPOINTS[method]

/** WeChat Pay dossier, section 2.2; characters, not bytes. */
const DESCRIPTION_CHARACTERS_MAX = 127
const NOTIFY_URL_CHARACTERS_MAX = 255
const OPEN_ID_CHARACTERS_MAX = 128
/** WeChat Pay dossier, section 2.4; 7 days is what all product pages allow. */
export const EXPIRES_IN_SECONDS_MIN = 60
export const EXPIRES_IN_SECONDS_MAX = 7 * 86_400

type Refused = Extract<PrepareOutcome, { kind: 'refused' }>
type Check = (request: PaymentRequest, context: Context) => string | undefined

/** What the vendor would refuse, by the field's name in our API. Checked in this order. */
const CHECKS: Readonly<Record<string, Check>> = {
  method: (request) =>
    endpointOf(request.method) ? undefined : `no product for ${request.method}`,
  payment_id: (request) =>
    /^[0-9A-Za-z_-]{6,32}$/.test(request.paymentId)
      ? undefined
      : 'expected 6 to 32 safe characters',
  amount: checkAmount,
  subject: (request) =>
    withinCharacters(
      request.subject.trim() === '' ? '' : request.subject,
      DESCRIPTION_CHARACTERS_MAX,
    ),
  expires_in_s: checkExpiry,
  callback_url: checkCallbackUrl,
  payer_open_id: checkOpenId,
  client_ip: (request) =>
    request.method !== 'h5' || isIP(request.clientIp) > 0 ? undefined : 'expected an IP address',
}

/**
 * Builds the body of the first call, and of every repeat of it.
 *
 * Refused here is what the vendor would refuse, before a number is used up there.
 */
export function preparePayment(context: Context, request: PaymentRequest): PrepareOutcome {
  const refused = firstRefusal(context, request)
  if (refused !== undefined) return refused
  return {
    kind: 'prepared',
    prepared: {
      paymentId: request.paymentId,
      method: request.method,
      body: writePrepay(context.settings, request),
      returnUrl: request.returnUrl,
    },
  }
}

function firstRefusal(context: Context, request: PaymentRequest): Refused | undefined {
  for (const [field, check] of Object.entries(CHECKS)) {
    const problem = check(request, context)
    if (problem !== undefined) {
      return { kind: 'refused', code: 'INVALID_PAYMENT', message: `${field}: ${problem}` }
    }
  }
  return undefined
}

const hasPayer = (method: Method): boolean => method === 'jsapi' || method === 'mini_program'

function withinCharacters(text: string | undefined, max: number): string | undefined {
  const characters = Array.from(text ?? '').length
  return characters >= 1 && characters <= max
    ? undefined
    : `expected 1 to ${max} characters, found ${characters}`
}

function checkAmount({ amount }: PaymentRequest): string | undefined {
  if (amount.currency !== 'CNY') return 'expected CNY'
  return amount.minor >= 1n && amount.minor <= AMOUNT_MINOR_MAX
    ? undefined
    : `expected at least 1 fen, found ${amount.minor}`
}

/** Whole seconds are sent, so whole seconds are compared. */
function checkExpiry(request: PaymentRequest, context: Context): string | undefined {
  const seconds = unixSeconds(request.expiresAt) - context.deps.clock.now().getTime() / 1000
  return seconds >= EXPIRES_IN_SECONDS_MIN && seconds <= EXPIRES_IN_SECONDS_MAX
    ? undefined
    : 'expected 1 minute to 7 days from now'
}

/** WeChat Pay dossier, section 2.2: `notify_url`. */
function checkCallbackUrl(request: PaymentRequest, context: Context): string | undefined {
  const url = request.callbackUrl
  if (/[?#]/.test(url)) return 'must have no query'
  if (!isAllowedUrl(url, context.deps.localHosts)) return 'expected https and a public host'
  return withinCharacters(url, NOTIFY_URL_CHARACTERS_MAX)
}

function checkOpenId(request: PaymentRequest): string | undefined {
  return hasPayer(request.method)
    ? withinCharacters(request.payerOpenId, OPEN_ID_CHARACTERS_MAX)
    : undefined
}
