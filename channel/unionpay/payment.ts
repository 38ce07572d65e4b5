import { assert } from '#domain/assert'
import type { NextAction } from '#domain/method'
import type { PaymentReference } from '#domain/payment'
import type {
  CreateOutcome,
  PreparedPayment,
  QueryOutcome,
  RefundQueryOutcome,
} from '../channel.ts'
import { utf8 } from '../crypto.ts'
import { decodeText, readForm } from '../form.ts'
import type { RecordExchange } from '../http.ts'
import { callVendor } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { commonFields, productOf } from './prepare.ts'
import type { Product } from './prepare.ts'
import { hostOf } from './settings.ts'
import type { Settings } from './settings.ts'
import { signFields } from './signature.ts'
import { formatTxnTime, isAnswered, parseFate, vendorStateOf } from './wire.ts'
import type { Fields } from './wire.ts'

/**
 * Signs the prepared fields: for the customer's browser to bring, or for a call that gives a credential.
 *
 * A call is never sure to be the first with its number, so only definite refusals are one.
 */
export async function createPayment(
  context: Context,
  prepared: PreparedPayment,
  record: RecordExchange,
): Promise<CreateOutcome> {
  const product = productOf(prepared.method)
  if (product === undefined) return { kind: 'refused', code: 'METHOD', message: prepared.method }
  const fields = readPrepared(prepared)
  if (product.isFront)
    return { kind: 'created', nextAction: await formOf(context, product, fields) }
  const call = { kind: 'create', path: product.path, fields } as const
  const answer = await callVendor(context, call, record)
  return answer.kind === 'answered' && answer.respCode === NUMBER_USED
    ? askForUsed(context, fields, record)
    : created(context.settings, prepared, answer)
}

/** UnionPay dossier, section 2.6: the number is used, and the query decides. */
const NUMBER_USED = '12'

/**
 * An earlier call of ours has arrived after all. No query shows its credential, so that it is lost.
 *
 * UnionPay dossier, section 3.1: 34 is an order that nobody has begun to pay. Of one that may be paid nothing is said
 * here: the worker asks about it.
 */
async function askForUsed(
  context: Context,
  { orderId = '', txnTime = '' }: Fields,
  record: RecordExchange,
): Promise<CreateOutcome> {
  const fate = await queryTransaction(context, 'query', { orderId, txnTime }, record)
  if (fate.kind === 'unknown') return fate
  const state = fate.kind === 'absent' ? 'not_yet' : parseFate(fate.message)?.vendorState
  return state === 'not_yet' || state === 'failed'
    ? { kind: 'used', code: NUMBER_USED }
    : { kind: 'unknown', cause: `respCode ${NUMBER_USED}, and the query does not say unpaid` }
}

const PREPARED_LIMITS = { bytesMax: 65_536, fieldsMax: 100 } as const

/** What `preparePayment` wrote. */
function readPrepared({ body }: PreparedPayment): Fields {
  const form = readForm(utf8(body), PREPARED_LIMITS)
  assert(form.kind === 'read', 'expected the form that was prepared')
  return Object.fromEntries(
    form.fields.map(([name, bytes]) => [name, decodeText(bytes, 'utf-8') ?? '']),
  )
}

/** UnionPay dossier, section 2.1: every signed field; the page escapes them for HTML. */
async function formOf(
  { settings, keyring }: Context,
  product: Product,
  fields: Fields,
): Promise<NextAction> {
  return {
    type: 'form',
    action: hostOf(settings) + product.path,
    fields: await signFields(await keyring.signer(), fields),
  }
}

/** UnionPay dossier, sections 2.2, 2.3 and 2.6. Here 00 means "take the credential", not "paid". */
function created(
  settings: Settings,
  prepared: PreparedPayment,
  answer: VendorAnswer,
): CreateOutcome {
  if (answer.kind === 'unknown') return answer
  const { respCode, message } = answer
  if (respCode === '00') {
    const nextAction = credentialOf(settings, prepared, message)
    return nextAction === undefined
      ? { kind: 'unknown', cause: 'the answer holds no credential' }
      : { kind: 'created', nextAction }
  }
  return vendorStateOf(respCode) === 'failed'
    ? { kind: 'refused', code: respCode, message: message['respMsg'] ?? '' }
    : { kind: 'unknown', cause: `respCode ${respCode}` }
}

function credentialOf(
  settings: Settings,
  { method }: PreparedPayment,
  { tn, qrCode }: Fields,
): NextAction | undefined {
  if (method === 'qr')
    return qrCode === undefined ? undefined : { type: 'qr_code', content: qrCode }
  if (tn === undefined) return undefined
  // UnionPay dossier, section 2.2: the mode in which the app starts the vendor's SDK.
  const mode = settings.environment === 'live' ? '00' : '01'
  return { type: 'sdk', params: { tn, mode } }
}

/**
 * Asks what became of a payment (dossier, section 3.1).
 *
 * 34 proves nothing before `payTimeout`: the customer may still be on the vendor's page. Nor does a failure,
 * as another card may follow it. Both wait for the payment's deadline, which the worker knows.
 */
export async function queryPayment(
  context: Context,
  payment: PaymentReference,
  record: RecordExchange,
): Promise<QueryOutcome> {
  const transaction = {
    orderId: payment.paymentId,
    // Without a stored time nothing was ever sent: then any time is as good.
    txnTime: payment.vendorTime ?? formatTxnTime(payment.createdAt),
  }
  const fate = await queryTransaction(context, 'query', transaction, record)
  if (fate.kind === 'unknown') return fate
  // Every answer of this vendor is signed, or it is unknown.
  if (fate.kind === 'absent') return { ...fate, isSigned: true }
  const facts = parseFate(fate.message)
  return facts === undefined
    ? { kind: 'unknown', cause: 'the answer is not about a payment' }
    : { kind: 'found', facts }
}

/** What names a payment or a refund in a query, together with the merchant (dossier, section 1.2). */
interface Transaction {
  readonly orderId: string
  readonly txnTime: string
}

export type Fate =
  | { readonly kind: 'found'; readonly message: Fields }
  | Exclude<RefundQueryOutcome, { kind: 'found' }>

/** Asks about a transaction; `found` when the vendor took the question, whatever became of the transaction. */
export async function queryTransaction(
  context: Context,
  kind: 'query' | 'refund_query',
  { orderId, txnTime }: Transaction,
  record: RecordExchange,
): Promise<Fate> {
  const fields = {
    ...commonFields(context.settings.merId),
    txnType: '00',
    txnSubType: '00',
    bizType: '000000',
    orderId,
    txnTime,
  }
  const call = { kind, path: '/gateway/api/queryTrans.do', fields }
  const answer = await callVendor(context, call, record)
  if (answer.kind === 'unknown') return answer
  const { respCode, message } = answer
  if (respCode === '34') return { kind: 'absent', code: respCode }
  // 37 among them: asked too often, which says nothing about the transaction.
  return isAnswered(respCode)
    ? { kind: 'found', message }
    : { kind: 'unknown', cause: `respCode ${respCode}` }
}
