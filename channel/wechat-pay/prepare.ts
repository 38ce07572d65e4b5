import { isIP } from 'node:net'
import type { Method } from '#domain/method'
import { AMOUNT_MINOR_MAX } from '#domain/money'
import { unixSeconds } from '#domain/time'
import type { PaymentRequest, PrepareOutcome } from '../channel.ts'
import { checkAddress, checkAmount, firstRefusal, withinCharacters } from '../payment-check.ts'
import type { Checks } from '../payment-check.ts'
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

/** What the vendor would refuse, by the field's name in our API. Checked in this order. */
const CHECKS: Checks<[request: PaymentRequest, context: Context]> = {
  method: (request) =>
    endpointOf(request.method) ? undefined : `no product for ${request.method}`,
  payment_id: (request) =>
    /^[0-9A-Za-z_-]{6,32}$/.test(request.paymentId)
      ? undefined
      : 'expected 6 to 32 safe characters',
  amount: ({ amount }) => checkAmount(amount, AMOUNT_MINOR_MAX),
  subject: (request) =>
    withinCharacters(
      request.subject.trim() === '' ? '' : request.subject,
      DESCRIPTION_CHARACTERS_MAX,
    ),
  expires_in_s: checkExpiry,
  callback_url: ({ callbackUrl }, { deps }) =>
    checkAddress(callbackUrl, deps, NOTIFY_URL_CHARACTERS_MAX),
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
  const refused = firstRefusal(CHECKS, request, context)
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

const hasPayer = (method: Method): boolean => method === 'jsapi' || method === 'mini_program'

/** Whole seconds are sent, so whole seconds are compared. */
function checkExpiry(request: PaymentRequest, context: Context): string | undefined {
  const seconds = unixSeconds(request.expiresAt) - context.deps.clock.now().getTime() / 1000
  return seconds >= EXPIRES_IN_SECONDS_MIN && seconds <= EXPIRES_IN_SECONDS_MAX
    ? undefined
    : 'expected 1 minute to 7 days from now'
}

function checkOpenId({ method, payerOpenId = '' }: PaymentRequest): string | undefined {
  return hasPayer(method) ? withinCharacters(payerOpenId, OPEN_ID_CHARACTERS_MAX) : undefined
}
