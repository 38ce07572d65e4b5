import { unreachable } from '#domain/assert'
import type { NextAction } from '#domain/method'
import type { PaymentReference } from '#domain/payment'
import { unixSeconds } from '#domain/time'
import type { CreateOutcome, PreparedPayment, QueryOutcome } from '../channel.ts'
import { isAllowedUrl } from '../host.ts'
import type { RecordExchange } from '../http.ts'
import { callVendor } from './call.ts'
import type { Context, VendorAnswer, VendorError } from './call.ts'
import { EXPIRES_IN_SECONDS_MAX, readCredential } from './prepare.ts'
import type { Credential } from './prepare.ts'
import { PAGE_ITEMS_MAX, parseCreation, parsePage, parsePayment } from './wire.ts'
import type { Creation, VendorPayment } from './wire.ts'

/** Ping++ dossier, section 2.6. */
const PATH = '/v1/charges'
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
 * Ping++ dossier, checklist 28. Never a new number: both could be paid.
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
  return created(context, creation, search.payment)
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
/** Of one step. Whoever sells more than 2,000 times in it is told `unknown`, and callbacks still arrive. */
const PAGES_MAX = 20

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

interface Window {
  readonly number: string
  readonly product: string | undefined
  /** Seconds since 1970 of the vendor's `created`; the second is not part of it. */
  readonly from: number
  readonly until: number
  /** Ends the search; without such a one the first with the number is the result. */
  readonly isWanted: (payment: VendorPayment) => boolean
}

/** The whole window was read as far as needed, or it is unknown what stands in it. */
type Search =
  | { readonly kind: 'read'; readonly payment: VendorPayment | undefined }
  | { readonly kind: 'unknown'; readonly cause: string }

/** Ping++ dossier, sections 5 and 6: there is no filter by our number, so the list is paged through. */
async function searchWindow(
  context: Context,
  window: Window,
  record: RecordExchange,
): Promise<Search> {
  let other: VendorPayment | undefined
  let after: string | undefined
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const target = listTarget(context.settings.app, window, after)
    const answer = await callVendor(context, { kind: 'query', method: 'GET', target }, record)
    if (answer.kind !== 'done') return { kind: 'unknown', cause: causeOf(answer) }
    const read = parsePage(answer.body, window.number)
    if (read === undefined) return { kind: 'unknown', cause: 'the list cannot be read' }
    const wanted = read.found.find(window.isWanted)
    if (wanted !== undefined) return { kind: 'read', payment: wanted }
    other ??= read.found[0]
    after = read.next
    if (after === undefined) return { kind: 'read', payment: other }
  }
  return { kind: 'unknown', cause: `the list goes on behind ${PAGES_MAX} pages` }
}

const causeOf = (answer: Exclude<VendorAnswer, { kind: 'done' }>): string =>
  answer.kind === 'unknown' ? answer.cause : `status ${answer.status} ${answer.error.code}`

/** Ping++ dossier, sections 1 and 6: brackets are percent-encoded, and signed like that. */
export function listTarget(
  app: string,
  { product, from, until }: Pick<Window, 'product' | 'from' | 'until'>,
  after?: string,
): string {
  const pairs = [
    ['app[id]', app],
    ...(product === undefined ? [] : [['channel', product]]),
    ['created[gte]', String(from)],
    ['created[lt]', String(until)],
    ['limit', String(PAGE_ITEMS_MAX)],
    ...(after === undefined ? [] : [['starting_after', after]]),
  ]
  return `${PATH}?${pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')}`
}
