import { unreachable } from '#domain/assert'
import type { NextAction } from '#domain/method'
import type { PaymentReference } from '#domain/payment'
import type { CloseOutcome, CreateOutcome, PreparedPayment, QueryOutcome } from '../channel.ts'
import { encodeForm } from '../form.ts'
import type { RecordExchange } from '../http.ts'
import { parseJson } from '../json.ts'
import { addressOf, callVendor, normalCode, signRequest } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { readPrepared } from './prepare.ts'
import type { Params } from './signature.ts'
import type { PreparedOrder } from './prepare.ts'
import {
  CLOSE_API,
  QUERY_API,
  parseCreated,
  parsePayment,
  writeBridge,
  writeReference,
} from './wire.ts'

export type Refusal = Extract<VendorAnswer, { kind: 'refusal' }>

/** Alipay dossier, section 1.11: the gateway did not execute the call. */
export const NOT_EXECUTED_CODES = new Set(['20001', '40001', '40002', '40003', '40005', '40006'])
export const BUSINESS_FAILED = '40004'
/**
 * Business codes by which this call made no payment (dossier, section 1.12, F and O). Of an earlier call with
 * the same number they say nothing.
 *
 * Left out on purpose are those that speak of an existing one: `CONTEXT_INCONSISTENT`,
 * `TRADE_BUYER_NOT_MATCH`, `TRADE_HAS_SUCCESS`, `TRADE_HAS_CLOSE`. Then, and after a code that we do not
 * know, only a query tells.
 */
const REFUSED_CODES = new Set(
  `INVALID_PARAMETER ACCESS_FORBIDDEN EXIST_FORBIDDEN_WORD PARTNER_ERROR TOTAL_FEE_EXCEED
  BUYER_SELLER_EQUAL BUYER_ENABLE_STATUS_FORBID ERROR_BUYER_CERTIFY_LEVEL_LIMIT
  BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR
  BEYOND_PAY_RESTRICTION BEYOND_PER_RECEIPT_RESTRICTION SELLER_BEEN_BLOCKED
  MERCHANT_STATUS_NOT_NORMAL PAYMENT_REQUEST_HAS_RISK NO_PAYMENT_INSTRUMENTS_AVAILABLE
  NOW_TIME_AFTER_EXPIRE_TIME_ERROR PRODUCT_AMOUNT_LIMIT_ERROR INVALID_RECEIVE_ACCOUNT`.split(/\s+/),
)
/** Alipay dossier, section 3.2: nobody has opened the cashier or scanned the code, so far. */
const ABSENT_CODE = 'TRADE_NOT_EXIST'
/** Alipay dossier, sections 2.4 and 2.5: of a GET address and of an order string. */
const TEXT_CHARACTERS_MAX = 16_384

/**
 * Signs what was prepared, and calls the vendor where the product has a call.
 *
 * Page, wap and app have none: the customer's own client brings the signed text to the vendor, and the vendor
 * knows of no payment before that (dossier, sections 2.4 and 3.2).
 */
export async function createPayment(
  context: Context,
  prepared: PreparedPayment,
  record: RecordExchange,
): Promise<CreateOutcome> {
  const order = readPrepared(prepared)
  if (order === undefined) return refused('PREPARED', 'the stored request cannot be read')
  const { page_request, wap_request } = context.settings
  switch (prepared.method) {
    case 'page':
      return openPage(context, prepared, { order, how: page_request })
    case 'wap':
      return openPage(context, prepared, { order, how: wap_request })
    case 'app':
      return openApp(context, order)
    case 'qr':
    case 'jsapi':
    case 'mini_program':
      return callCreate(context, prepared, { order, record })
    case 'h5':
      return refused('METHOD', prepared.method)
    default:
      return unreachable(prepared.method)
  }
}

const refused = (code: string, message: string): CreateOutcome => ({
  kind: 'refused',
  code,
  message,
})

function handedOut(nextAction: NextAction, length: number): CreateOutcome {
  return length <= TEXT_CHARACTERS_MAX
    ? { kind: 'created', nextAction }
    : refused('TOO_LONG', `expected at most ${TEXT_CHARACTERS_MAX} characters, found ${length}`)
}

const fieldsOf = ({ time, callbackUrl, content }: PreparedOrder): Params => ({
  ...(time === undefined ? {} : { timestamp: time }),
  notify_url: callbackUrl,
  biz_content: content,
})

/** Alipay dossier, section 2.4. */
async function openPage(
  context: Context,
  { returnUrl }: PreparedPayment,
  { order, how }: { readonly order: PreparedOrder; readonly how: 'form' | 'redirect' },
): Promise<CreateOutcome> {
  const params = await signRequest(context, order.api, {
    ...fieldsOf(order),
    return_url: returnUrl,
  })
  const action = addressOf(context.settings, params)
  if (how === 'form') {
    const fields = { biz_content: order.content }
    return handedOut({ type: 'form', action, fields }, action.length)
  }
  const url = `${context.settings.gateway_url}?${encodeForm(Object.entries(params))}`
  return handedOut({ type: 'redirect', url }, url.length)
}

/** Alipay dossier, section 2.5: the client hands the text on unchanged. */
async function openApp(context: Context, order: PreparedOrder): Promise<CreateOutcome> {
  const params = await signRequest(context, order.api, fieldsOf(order))
  const orderString = encodeForm(Object.entries(params))
  return handedOut({ type: 'sdk', params: { orderString } }, orderString.length)
}

async function callCreate(
  context: Context,
  prepared: PreparedPayment,
  { order, record }: { readonly order: PreparedOrder; readonly record: RecordExchange },
): Promise<CreateOutcome> {
  const answer = await callVendor(context, { kind: 'create', ...order }, record)
  switch (answer.kind) {
    case 'done':
      return created(prepared, answer.node)
    case 'refusal':
      return isNotExecuted(answer)
        ? refused(answer.subCode || answer.code, answer.message)
        : { kind: 'unknown', cause: causeOf(answer) }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

const isNotExecuted = ({ code, subCode }: Refusal): boolean =>
  NOT_EXECUTED_CODES.has(code) ||
  (code === BUSINESS_FAILED && REFUSED_CODES.has(normalCode(subCode)))

export const causeOf = ({ code, subCode }: Refusal): string => `${code} ${subCode}`.trimEnd()

function created(prepared: PreparedPayment, node: Uint8Array): CreateOutcome {
  const answer = parseCreated(node)
  if (answer?.paymentNumber !== prepared.paymentId) {
    return { kind: 'unknown', cause: 'the answer is about another payment' }
  }
  if (prepared.method === 'qr') {
    return answer.qrContent === undefined
      ? { kind: 'unknown', cause: 'the answer holds no code' }
      : { kind: 'created', nextAction: { type: 'qr_code', content: answer.qrContent } }
  }
  const { channelPaymentId } = answer
  if (channelPaymentId === undefined) {
    return { kind: 'unknown', cause: 'the answer holds no number' }
  }
  const nextAction: NextAction = { type: 'sdk', params: writeBridge(channelPaymentId) }
  return { kind: 'created', nextAction, channelPaymentId }
}

/** Alipay dossier, section 3.1. */
export async function queryPayment(
  context: Context,
  payment: PaymentReference,
  record: RecordExchange,
): Promise<QueryOutcome> {
  const content = writeReference(payment.paymentId)
  const answer = await callVendor(context, { kind: 'query', api: QUERY_API, content }, record)
  switch (answer.kind) {
    case 'done':
      return found(context, payment, answer.node)
    case 'refusal':
      return isAbsent(answer)
        ? { kind: 'absent', code: answer.subCode, isSigned: true }
        : { kind: 'unknown', cause: causeOf(answer) }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

const isAbsent = ({ code, subCode }: Refusal): boolean =>
  code === BUSINESS_FAILED && normalCode(subCode) === ABSENT_CODE

function found(context: Context, payment: PaymentReference, node: Uint8Array): QueryOutcome {
  const { app_id, seller_id } = context.settings
  // The answer names neither: it was asked for by this app, which belongs to this seller, and is signed.
  const facts = parsePayment(parseJson(node), { app_id, seller_id })
  if (facts === undefined) return { kind: 'unknown', cause: 'the payment cannot be read' }
  return facts.paymentNumber === payment.paymentId
    ? { kind: 'found', facts }
    : { kind: 'unknown', cause: 'the answer is about another payment' }
}

/**
 * Closes a payment at the vendor. Never cancels: that would give the money back.
 *
 * Alipay dossier, section 3.4: a close that meets a payment is refused, so after any refusal but "no such
 * payment" a query decides. "No such payment" leaves the code or page payable (dossier, section 3.2).
 */
export async function closePayment(
  context: Context,
  payment: PaymentReference,
  record: RecordExchange,
): Promise<CloseOutcome> {
  const content = writeReference(payment.paymentId)
  const answer = await callVendor(context, { kind: 'close', api: CLOSE_API, content }, record)
  switch (answer.kind) {
    case 'done':
      return parseCreated(answer.node)?.paymentNumber === payment.paymentId
        ? { kind: 'closed', proof: 'close 10000' }
        : decideByQuery(context, payment, record)
    case 'refusal':
      return isAbsent(answer)
        ? { kind: 'absent', code: answer.subCode }
        : decideByQuery(context, payment, record)
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

async function decideByQuery(
  context: Context,
  payment: PaymentReference,
  record: RecordExchange,
): Promise<CloseOutcome> {
  const outcome = await queryPayment(context, payment, record)
  if (outcome.kind !== 'found') return outcome
  const { facts } = outcome
  if (facts.vendorState === 'success') return { kind: 'paid', facts }
  return facts.vendorState === 'closed'
    ? { kind: 'closed', proof: `query ${facts.vendorStateText}` }
    : { kind: 'unknown', cause: `close refused while ${facts.vendorStateText}` }
}
