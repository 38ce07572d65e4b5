import type { Method } from '#domain/method'
import { unixSeconds } from '#domain/time'
import type { PaymentRequest, PrepareOutcome } from '../channel.ts'
import { encodeForm } from '../form.ts'
import { checkAddress, checkAmount, firstRefusal } from '../payment-check.ts'
import type { Checks } from '../payment-check.ts'
import type { Context } from './call.ts'
import { VERSION, present } from './signature.ts'
import { AMOUNT_MAX, CONSUME, formatTxnTime } from './wire.ts'
import type { Fields } from './wire.ts'

export interface Product {
  readonly path: string
  /** The customer's browser brings the request, and we call nobody. */
  readonly isFront: boolean
  readonly orderIdMax: number
  readonly fields: Fields
}

const FRONT_PATH = '/gateway/api/frontTransReq.do'

/** UnionPay dossier, sections 2.1 to 2.3. */
const PRODUCTS: Readonly<Partial<Record<Method, Product>>> = {
  page: {
    path: FRONT_PATH,
    isFront: true,
    orderIdMax: 40,
    fields: { txnSubType: '01', bizType: '000201', channelType: '07' },
  },
  wap: {
    path: FRONT_PATH,
    isFront: true,
    orderIdMax: 40,
    fields: { txnSubType: '01', bizType: '000201', channelType: '08' },
  },
  app: {
    path: '/gateway/api/appTransReq.do',
    isFront: false,
    orderIdMax: 40,
    fields: { txnSubType: '01', bizType: '000201', channelType: '08', accType: '01' },
  },
  qr: {
    path: '/gateway/api/backTransReq.do',
    isFront: false,
    orderIdMax: 32,
    fields: { txnSubType: '07', bizType: '000000', channelType: '08' },
  },
}

export const METHODS = ['page', 'wap', 'app', 'qr'] as const

export const productOf = (method: Method): Product | undefined => PRODUCTS[method]

/** UnionPay dossier, section 1.2. */
const URL_CHARACTERS_MAX = 256
const ORDER_ID_CHARACTERS_MIN = 8
export const EXPIRES_IN_SECONDS_MIN = 60
/** A code lives a day by default (dossier, section 2.3); for the other products no limit is published. */
export const EXPIRES_IN_SECONDS_MAX = 86_400

/** What the vendor would refuse, by the field's name in our API. Checked in this order. */
const CHECKS: Checks<[request: PaymentRequest, context: Context]> = {
  method: ({ method }) => (productOf(method) ? undefined : `no product for ${method}`),
  payment_id: checkNumber,
  amount: ({ amount }) => checkAmount(amount, AMOUNT_MAX),
  expires_in_s: checkExpiry,
  callback_url: (request, context) => checkUrl(request.callbackUrl, context),
  return_url: (request, context) =>
    productOf(request.method)?.isFront === true ? checkUrl(request.returnUrl, context) : undefined,
}

/**
 * Builds the fields of the first call, unsigned: the signature follows from them and the current key.
 *
 * `txnTime` is part of the payment's number at the vendor, so it is fixed here and stored before anything is
 * sent. Refused here is what the vendor would refuse, before a number is used up there.
 */
export function preparePayment(context: Context, request: PaymentRequest): PrepareOutcome {
  const refused = firstRefusal(CHECKS, request, context)
  if (refused !== undefined) return refused
  const fields = fieldsOf(context, request)
  const { txnTime } = fields
  return {
    kind: 'prepared',
    prepared: {
      paymentId: request.paymentId,
      method: request.method,
      body: encodeForm(Object.entries(fields)),
      returnUrl: request.returnUrl,
      ...(txnTime === undefined ? {} : { vendorTime: txnTime }),
    },
  }
}

/** UnionPay dossier, section 1.2, and 2.1 to 2.3 for the products. */
function fieldsOf({ deps, settings }: Context, request: PaymentRequest): Fields {
  const product = productOf(request.method)
  return present({
    ...commonFields(settings.merId),
    ...product?.fields,
    txnType: CONSUME,
    orderId: request.paymentId,
    txnTime: formatTxnTime(deps.clock.now()),
    txnAmt: request.amount.minor.toString(),
    currencyCode: '156',
    backUrl: request.callbackUrl,
    frontUrl: product?.isFront === true ? request.returnUrl : '',
    payTimeout: formatTxnTime(request.expiresAt),
    riskRateInfo: riskRateInfo(request.subject),
  })
}

/** What every request says. */
export const commonFields = (merId: string): Fields => ({
  version: VERSION,
  encoding: 'UTF-8',
  accessType: '0',
  merId,
})

const SUBJECT_CHARACTERS_MAX = 60

/**
 * What is bought, where the vendor's risk control looks for it.
 *
 * Letters, digits and blanks of any language only: a bracket, `&` or `=` of a shop's text would divide the
 * message in another way than we signed it (dossier, section 1.2, `reqReserved`).
 */
function riskRateInfo(subject: string): string {
  const plain = subject.replace(/[^\p{L}\p{N}]+/gu, ' ').trim()
  const name = Array.from(plain).slice(0, SUBJECT_CHARACTERS_MAX).join('').trim()
  return name === '' ? '' : `{commodityName=${name}}`
}

/** UnionPay dossier, section 1.2: letters and digits only. */
function checkNumber({ paymentId, method }: PaymentRequest): string | undefined {
  const max = productOf(method)?.orderIdMax ?? 0
  const isGood =
    /^[0-9A-Za-z]+$/.test(paymentId) &&
    paymentId.length >= ORDER_ID_CHARACTERS_MIN &&
    paymentId.length <= max
  return isGood ? undefined : `expected ${ORDER_ID_CHARACTERS_MIN} to ${max} letters or digits`
}

/** Whole seconds are sent, so whole seconds are compared. */
function checkExpiry(request: PaymentRequest, { deps }: Context): string | undefined {
  const seconds = unixSeconds(request.expiresAt) - unixSeconds(deps.clock.now())
  return seconds >= EXPIRES_IN_SECONDS_MIN && seconds <= EXPIRES_IN_SECONDS_MAX
    ? undefined
    : 'expected 1 minute to 1 day from now'
}

/** UnionPay dossier, sections 1.2 and 1.6: parameters of our own would enter the vendor's message. */
const checkUrl = (url: string, { deps }: Context): string | undefined =>
  url.includes('~') ? 'must have no ~' : checkAddress(url, deps, URL_CHARACTERS_MAX)
