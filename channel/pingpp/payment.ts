import { unreachable } from '#domain/assert'
import type { NextAction } from '#domain/method'
import type { PaymentReference } from '#domain/payment'
import { unixSeconds } from '#domain/time'
import type { CreateOutcome, PreparedPayment, QueryOutcome } from '../channel.ts'
import { isAllowedUrl } from '../host.ts'
import type { RecordExchange } from '../http.ts'
import { callVendor } from './call.ts'
import type { Context, VendorError } from './call.ts'
import { PATH, causeOf, searchWindow } from './list.ts'
import { EXPIRES_IN_SECONDS_MAX, readCredential } from './prepare.ts'
import type { Credential } from './prepare.ts'
import { parseCreation, parsePayment } from './wire.ts'
import type { Creation, VendorPayment } from './wire.ts'

const NUMBER_USED = 'charge_order_no_used'

/**
 * Refusals after which the number may stand at the vendor or at the wallet behind it: only a query tells.
 *
 * Ping++ dossier, section 5: those of an object that is there, and those of a talk with the wallet that broke.
 */
const UNDECIDED_CODES = new Set([
  'charge_closed',
  'charge_unexpected_status',
  'channel_connection_error',
  'channel_request_error',
  'channel_parse_error',
  'channel_sign_error',
  'channel_unexpected_error',
  'channel_parameters_consistency_error',
])
const OWN_TROUBLE = 'api_error'

/** Sends the prepared bytes. A repeat is the same bytes, and our number guards against a second payment. */
export async function createPayment(
  context: Context,
  prepared: PreparedPayment,
  record: RecordExchange,
): Promise<CreateOutcome> {
  const creation = parseCreation(prepared.body)
  if (creation === undefined) return { kind: 'refused', code: 'BODY', message: 'not a creation' }
  const call = { kind: 'create', method: 'POST', target: PATH, body: prepared.body } as const
  const answer = await callVendor(context, call, record)
  switch (answer.kind) {
    case 'done':
      return created(context, creation, parsePayment(answer.body))
    case 'refusal':
      return answer.error.code === NUMBER_USED
        ? lookUp(context, creation, record)
        : refusedOrUnknown(answer.error)
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

const refusedOrUnknown = ({ type, code, message }: VendorError): CreateOutcome =>
  type === OWN_TROUBLE || UNDECIDED_CODES.has(code)
    ? { kind: 'unknown', cause: code }
    : { kind: 'refused', code, message }

/** An answer counts when it is about what we asked for, all of it (Ping++ dossier, checklist 15). */
function created(
  context: Context,
  creation: Creation,
  payment: VendorPayment | undefined,
): CreateOutcome {
  if (payment === undefined) return { kind: 'unknown', cause: 'the charge object cannot be read' }
  if (!isOf(context, payment) || !isAnswerTo(creation, payment)) {
    return { kind: 'unknown', cause: 'the answer is about another payment' }
  }
  const nextAction = nextActionOf(context, readCredential(payment))
  return nextAction === undefined
    ? { kind: 'unknown', cause: 'the answer holds no credential' }
    : { kind: 'created', nextAction, channelPaymentId: payment.id }
}

const isOf = (context: Context, payment: VendorPayment): boolean =>
  payment.isLive === (context.settings.mode === 'live')

const isAnswerTo = (creation: Creation, { facts, product }: VendorPayment): boolean =>
  facts.paymentNumber === creation.paymentNumber &&
  facts.identity['app'] === creation.app &&
  product === creation.product &&
  facts.amountMinor === creation.amountMinor &&
  facts.currency === creation.currency

/** Ping++ dossier, section 2.5. `undefined` for what the customer could not use. */
function nextActionOf(context: Context, credential: Credential): NextAction | undefined {
  const { localHosts } = context.deps
  switch (credential.kind) {
    case 'form':
      return { type: 'form', action: context.settings.unionpay_form_url, fields: credential.fields }
    case 'redirect':
      return isAllowedUrl(credential.url, localHosts)
        ? { type: 'redirect', url: credential.url }
        : undefined
    case 'qr_code':
      return { type: 'qr_code', content: credential.content }
    case 'sdk':
      return { type: 'sdk', params: credential.params }
    case 'none':
      return undefined
    default:
      return unreachable(credential)
  }
}

/**
 * The number is taken: an earlier call of ours arrived after all. Its credential serves the customer now.
 *
 * Ping++ dossier, checklist 28: never a new number without this. Whether the list and a retrieval show the credential of
 * what is not paid is not known (section 10), so both are asked.
 */
async function lookUp(
  context: Context,
  creation: Creation,
  record: RecordExchange,
): Promise<CreateOutcome> {
  const until = unixSeconds(context.deps.clock.now()) + CLOCK_SKEW_SECONDS
  const expiry = creation.expiresAt === undefined ? until : unixSeconds(creation.expiresAt)
  const from = expiry - EXPIRES_IN_SECONDS_MAX - CLOCK_SKEW_SECONDS
  const wanted = { number: creation.paymentNumber, product: creation.product }
  const isWanted = () => true
  const search = await searchWindow(context, { ...wanted, from, until, isWanted }, record)
  if (search.kind === 'unknown') return search
  if (search.payment?.facts.vendorState !== 'not_yet') {
    return { kind: 'unknown', cause: `${NUMBER_USED}, and the list does not show it unpaid` }
  }
  const listed = created(context, creation, search.payment)
  return listed.kind === 'created'
    ? listed
    : fetchAgain(context, creation, search.payment.id, record)
}

/** `used` only for our own charge, not paid, that shows no credential at all. */
async function fetchAgain(
  context: Context,
  creation: Creation,
  id: string,
  record: RecordExchange,
): Promise<CreateOutcome> {
  const target = `${PATH}/${encodeURIComponent(id)}`
  const answer = await callVendor(context, { kind: 'query', method: 'GET', target }, record)
  if (answer.kind !== 'done') return { kind: 'unknown', cause: causeOf(answer) }
  const payment = parsePayment(answer.body)
  if (payment?.facts.vendorState !== 'not_yet') {
    return { kind: 'unknown', cause: `${NUMBER_USED}, and it is not shown unpaid` }
  }
  const isLost =
    isOf(context, payment) &&
    isAnswerTo(creation, payment) &&
    readCredential(payment).kind === 'none'
  return isLost ? { kind: 'used', code: NUMBER_USED } : created(context, creation, payment)
}

/**
 * Asks for a payment by the vendor's id; without one, after a creation that was never answered, by our
 * number in the list.
 */
export async function queryPayment(
  context: Context,
  payment: PaymentReference,
  record: RecordExchange,
): Promise<QueryOutcome> {
  const id = payment.channelPaymentId
  return id === undefined
    ? search(context, payment, record)
    : retrieve(context, payment, id, record)
}

async function retrieve(
  context: Context,
  payment: PaymentReference,
  id: string,
  record: RecordExchange,
): Promise<QueryOutcome> {
  const target = `${PATH}/${encodeURIComponent(id)}`
  const answer = await callVendor(context, { kind: 'query', method: 'GET', target }, record)
  switch (answer.kind) {
    case 'done':
      return found(context, { ...payment, channelPaymentId: id }, parsePayment(answer.body))
    case 'refusal':
      // Ping++ dossier, section 2.6: any other 404 is about something else than this payment.
      return answer.status === 404 && answer.error.parameter === 'id'
        ? { kind: 'absent', code: answer.error.code, isSigned: answer.isSigned }
        : { kind: 'unknown', cause: `status ${answer.status} ${answer.error.code}` }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

function found(
  context: Context,
  reference: PaymentReference,
  payment: VendorPayment | undefined,
): QueryOutcome {
  if (payment === undefined) return { kind: 'unknown', cause: 'the charge object cannot be read' }
  if (!isOf(context, payment)) {
    return { kind: 'unknown', cause: `the account is ${context.settings.mode}, the answer is not` }
  }
  const { channelPaymentId: id = payment.id } = reference
  return payment.facts.paymentNumber === reference.paymentId && payment.id === id
    ? { kind: 'found', facts: payment.facts }
    : { kind: 'unknown', cause: 'the answer is about another payment' }
}

const CLOCK_SKEW_SECONDS = 600
/**
 * Seconds after our own creation between which the vendor's is looked for, step by step: nearly always in
 * the first, and in a later one when the stored bytes were sent again while the payment lived.
 */
const SEARCH_STEPS_SECONDS = [-CLOCK_SKEW_SECONDS, 60, 600, 7200, EXPIRES_IN_SECONDS_MAX] as const

/**
 * One number may have been created twice: the one that was paid counts, wherever it stands.
 *
 * Payment rules, section 3: that nobody can pay any more is said by a retrieval, never by a list.
 */
async function search(
  context: Context,
  reference: PaymentReference,
  record: RecordExchange,
): Promise<QueryOutcome> {
  const createdAt = unixSeconds(reference.createdAt)
  const now = unixSeconds(context.deps.clock.now())
  const wanted = { number: reference.paymentId, product: reference.vendorProduct }
  let unpaid: VendorPayment | undefined
  for (const [step, start] of SEARCH_STEPS_SECONDS.entries()) {
    const from = createdAt + start
    const end = SEARCH_STEPS_SECONDS[step + 1]
    if (end === undefined || from > now + CLOCK_SKEW_SECONDS) break
    const window = { ...wanted, from, until: createdAt + end, isWanted: isPaid }
    const result = await searchWindow(context, window, record)
    if (result.kind === 'unknown') return result
    unpaid ??= result.payment
    if (result.payment !== undefined && isPaid(result.payment)) {
      return found(context, reference, result.payment)
    }
  }
  if (unpaid === undefined) {
    const isSigned = context.settings.answer_signature === 'required'
    return { kind: 'absent', code: 'not_in_list', isSigned }
  }
  const outcome = await retrieve(context, reference, unpaid.id, record)
  return outcome.kind === 'absent' ? { kind: 'unknown', cause: 'listed, and not found' } : outcome
}

const isPaid = ({ facts }: VendorPayment): boolean => facts.vendorState !== 'not_yet'
