import { unreachable } from '#domain/assert'
import type { NextAction } from '#domain/method'
import type { PaymentReference } from '#domain/payment'
import { unixSeconds } from '#domain/time'
import type { CloseOutcome, CreateOutcome, PreparedPayment, QueryOutcome } from '../channel.ts'
import type { RecordExchange } from '../http.ts'
import { callVendor } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { endpointOf } from './prepare.ts'
import { signForClient } from './signature.ts'
import { parseCredential, parsePayment, writeClose } from './wire.ts'
import type { Credential } from './wire.ts'

type Refusal = Extract<VendorAnswer, { kind: 'refusal' }>

/**
 * Refusals after which the number may be open, paid or burnt at the vendor: only a query tells.
 *
 * WeChat Pay dossier, sections 1.12 and 2.4; the older spellings are still sent.
 */
const UNDECIDED_CODES = new Set([
  'OUT_TRADE_NO_USED',
  'ORDER_CLOSED',
  'ORDERCLOSED',
  'ORDERPAID',
  'SYSTEM_ERROR',
  'SYSTEMERROR',
  'BANK_ERROR',
  'BANKERROR',
])
/** WeChat Pay dossier, section 1.12: "already paid" and "re-entry with other parameters". */
const UNDECIDED_NUMBERS = new Set(['268449538', '268498689', '268498688'])
const ALREADY_PAID = /已支付|already paid/i
const CLOSED_CODES = new Set(['ORDER_CLOSED', 'ORDERCLOSED'])
const ABSENT_CODES = new Set(['ORDER_NOT_EXIST', 'ORDERNOTEXIST'])

/** Sends the prepared bytes. A repeat is the same bytes and gets the same payment (dossier, section 2.4). */
export async function createPayment(
  context: Context,
  prepared: PreparedPayment,
  record: RecordExchange,
): Promise<CreateOutcome> {
  const target = endpointOf(prepared.method)
  if (target === undefined) return { kind: 'refused', code: 'METHOD', message: prepared.method }
  const call = { kind: 'create', method: 'POST', target, body: prepared.body } as const
  const answer = await callVendor(context, call, record)
  switch (answer.kind) {
    case 'done':
      return created(context, prepared, answer.body)
    case 'refusal':
      return isUndecided(answer)
        ? { kind: 'unknown', cause: `status ${answer.status} ${answer.code}` }
        : { kind: 'refused', code: answer.code, message: answer.message }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

const isUndecided = (refusal: Refusal): boolean =>
  refusal.status === 429 ||
  UNDECIDED_CODES.has(refusal.code) ||
  UNDECIDED_NUMBERS.has(refusal.errorNumber) ||
  ALREADY_PAID.test(refusal.message)

async function created(
  context: Context,
  prepared: PreparedPayment,
  body: Uint8Array,
): Promise<CreateOutcome> {
  const nextAction = await nextActionOf(context, prepared, parseCredential(body))
  return nextAction === undefined
    ? { kind: 'unknown', cause: 'the answer holds no credential' }
    : { kind: 'created', nextAction }
}

async function nextActionOf(
  context: Context,
  prepared: PreparedPayment,
  credential: Credential,
): Promise<NextAction | undefined> {
  switch (prepared.method) {
    case 'qr':
      return qrCode(credential.codeUrl)
    case 'h5':
      return redirectTo(credential.h5Url, prepared.returnUrl)
    case 'jsapi':
    case 'mini_program':
      return bridgeParams(context, credential.prepayId)
    case 'app':
      return appParams(context, credential.prepayId)
    case 'page':
    case 'wap':
      return undefined
    default:
      return unreachable(prepared.method)
  }
}

/** WeChat Pay dossier, section 2.7: the code is opaque and stays as it is. */
const qrCode = (content: string | undefined): NextAction | undefined =>
  content === undefined ? undefined : { type: 'qr_code', content }

/** WeChat Pay dossier, section 2.6. Coming back to `returnUrl` proves nothing. */
function redirectTo(h5Url: string | undefined, returnUrl: string): NextAction | undefined {
  if (h5Url === undefined || !/^https?:\/\//.test(h5Url) || !URL.canParse(h5Url)) return undefined
  const joint = h5Url.includes('?') ? '&' : '?'
  return { type: 'redirect', url: `${h5Url}${joint}redirect_url=${encodeURIComponent(returnUrl)}` }
}

/** WeChat Pay dossier, section 2.5. Everything is text, `timeStamp` too. */
async function bridgeParams(
  context: Context,
  prepayId: string | undefined,
): Promise<NextAction | undefined> {
  if (prepayId === undefined) return undefined
  const prepay = `prepay_id=${prepayId}`
  const { appid, timestamp, nonce, signature } = await signedClient(context, prepay)
  const params = {
    appId: appid,
    timeStamp: timestamp,
    nonceStr: nonce,
    package: prepay,
    signType: 'RSA',
    paySign: signature,
  }
  return { type: 'sdk', params }
}

/** WeChat Pay dossier, section 2.8: the bare id is signed, and there is no `signType`. */
async function appParams(
  context: Context,
  prepayId: string | undefined,
): Promise<NextAction | undefined> {
  if (prepayId === undefined) return undefined
  const { appid, timestamp, nonce, signature } = await signedClient(context, prepayId)
  const params = {
    appId: appid,
    partnerId: context.settings.mchid,
    prepayId,
    packageValue: 'Sign=WXPay',
    nonceStr: nonce,
    timeStamp: timestamp,
    sign: signature,
  }
  return { type: 'sdk', params }
}

async function signedClient(context: Context, prepay: string) {
  const client = {
    appid: context.settings.appid,
    timestamp: String(unixSeconds(context.deps.clock.now())),
    nonce: context.deps.newNonce(),
    prepay,
  }
  return { ...client, signature: await signForClient(await context.keyring.signer(), client) }
}

const pathOf = (payment: PaymentReference): string =>
  `/v3/pay/transactions/out-trade-no/${encodeURIComponent(payment.paymentId)}`

/** WeChat Pay dossier, section 3.1: `mchid` belongs to the signed target. */
export async function queryPayment(
  context: Context,
  payment: PaymentReference,
  record: RecordExchange,
): Promise<QueryOutcome> {
  const target = `${pathOf(payment)}?mchid=${encodeURIComponent(context.settings.mchid)}`
  const answer = await callVendor(context, { kind: 'query', method: 'GET', target }, record)
  switch (answer.kind) {
    case 'done':
      return found(payment, answer.body)
    case 'refusal':
      return answer.status === 404 && ABSENT_CODES.has(answer.code)
        ? { kind: 'absent', code: answer.code, isSigned: answer.isSigned }
        : { kind: 'unknown', cause: `status ${answer.status} ${answer.code}` }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

function found(payment: PaymentReference, body: Uint8Array): QueryOutcome {
  const facts = parsePayment(body)
  if (facts === undefined) return { kind: 'unknown', cause: 'the order object cannot be read' }
  return facts.paymentNumber === payment.paymentId
    ? { kind: 'found', facts }
    : { kind: 'unknown', cause: 'the answer is about another order' }
}

/**
 * Closes a payment at the vendor.
 *
 * WeChat Pay dossier, section 3.4: the customer may pay in this very second, and the code of that refusal is
 * not documented. So any other refusal, 429 too, is followed by a query, and the query decides.
 */
export async function closePayment(
  context: Context,
  payment: PaymentReference,
  record: RecordExchange,
): Promise<CloseOutcome> {
  const body = writeClose(context.settings)
  const target = `${pathOf(payment)}/close`
  const answer = await callVendor(context, { kind: 'close', method: 'POST', target, body }, record)
  switch (answer.kind) {
    case 'done':
      return answer.status === 204
        ? { kind: 'closed', proof: '204' }
        : decideByQuery(context, payment, record)
    case 'refusal':
      return CLOSED_CODES.has(answer.code)
        ? { kind: 'closed', proof: answer.code }
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
  switch (outcome.kind) {
    case 'found':
      if (outcome.facts.vendorState === 'success') return { kind: 'paid', facts: outcome.facts }
      return outcome.facts.vendorState === 'closed'
        ? { kind: 'closed', proof: `query ${outcome.facts.vendorStateText}` }
        : { kind: 'unknown', cause: `close refused while ${outcome.facts.vendorStateText}` }
    case 'absent':
      // A prepay that is still on its way may create it: only deadline, margin and a last query close.
      return { kind: 'absent', code: outcome.code }
    case 'unknown':
      return outcome
    default:
      return unreachable(outcome)
  }
}
