import { parsePaymentId } from '#domain/id'
import type {
  OtherFacts,
  PaymentFacts,
  RefundFacts,
  VendorRefundState,
  VendorState,
} from '#domain/notification'
import { formatChinaTime } from '#domain/time'
import { utf8 } from '../crypto.ts'
import { decodeText } from '../form.ts'
import type { FormField } from '../form.ts'

/** A message: values by the vendor's names. An empty value is no field. */
export type Fields = Readonly<Record<string, string>>

const FIELDS_MAX = 200
const BRACKETS: Readonly<Record<string, string>> = { '{': '}', '[': ']' }

/**
 * Reads the body of an answer, whose values are raw: nothing is unescaped, `+` stays `+`.
 *
 * UnionPay dossier, section 1.6: a pair ends at `&`, except inside a bracket that opens the value, and the
 * first `=` divides it. `undefined` for anything else: an answer that is no message.
 */
export function parseAnswer(body: Uint8Array): readonly FormField[] | undefined {
  const text = withoutLineEnd(decodeText(body, 'utf-8') ?? '')
  if (text === '') return undefined
  const fields: FormField[] = []
  for (let at = 0; at <= text.length;) {
    const equals = text.indexOf('=', at)
    const name = text.slice(at, equals)
    if (equals === -1 || name === '' || name.includes('&')) return undefined
    const end = endOfValue(text, equals + 1)
    if (end === undefined || fields.length === FIELDS_MAX) return undefined
    fields.push([Buffer.from(name, 'utf8').toString('latin1'), utf8(text.slice(equals + 1, end))])
    at = end + 1
  }
  return fields
}

/** A loop, because a pattern would look again from every break, and nobody has verified these bytes. */
function withoutLineEnd(text: string): string {
  let end = text.length
  while (end > 0 && '\r\n'.includes(text.charAt(end - 1))) end -= 1
  return text.slice(0, end)
}

/** Where the value that starts here ends; `undefined` when its bracket never closes. */
function endOfValue(text: string, start: number): number | undefined {
  const closed = afterBracket(text, start)
  if (closed === undefined) return undefined
  const end = text.indexOf('&', closed)
  return end === -1 ? text.length : end
}

/** Behind the bracket that opens the value; the start itself when none opens it. */
function afterBracket(text: string, start: number): number | undefined {
  const opening = text[start] ?? ''
  const closing = Object.hasOwn(BRACKETS, opening) ? BRACKETS[opening] : undefined
  if (closing === undefined) return start
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === opening) depth += 1
    else if (text[at] === closing) depth -= 1
    if (depth === 0) return at + 1
  }
  return undefined
}

/**
 * Whether a field can be found again in the text that was signed.
 *
 * The signed text joins raw values with `&`, so another message may have the same text: two fields in one
 * value, or one bracket in two. Such a message says something that nobody signed.
 */
export function isUnambiguous([name, value]: readonly [name: string, value: string]): boolean {
  if (!/^[0-9A-Za-z_.-]+$/.test(name)) return false
  return endOfValue(value, 0) === value.length
}

/** UnionPay dossier, section 1.2: 14 digits in GMT+8, whatever the zone of the machine. */
export const formatTxnTime = (moment: Date): string =>
  formatChinaTime(moment).replace(/\D/g, '').slice(0, 14)

/** UnionPay dossier, section 1.2: fen, 1 to 12 digits. */
export const AMOUNT_MAX = 999_999_999_999n

/** An amount of fen as text; `undefined` for anything but a whole number of at least 1. */
export function parseFen(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^\d{1,12}$/.test(text)) return undefined
  const minor = BigInt(text)
  return minor >= 1n ? minor : undefined
}

const CNY_NUMERIC = '156'

/** ISO 4217 numbers to letters; a number that we do not take stays as it is, and differs from ours. */
const currencyOf = (code: string): string => (code === CNY_NUMERIC ? 'CNY' : code)

const codes = (list: string): readonly string[] => list.split(' ')

/** UnionPay dossier, section 2.6, state R: faults of the request, after which nothing happened. */
const REQUEST_FAULTS = codes('10 11 13 14 15 31 32 43 92 93 94 95 96')

export const isRequestFault = (code: string): boolean => REQUEST_FAULTS.includes(code)

/**
 * UnionPay dossier, section 2.6: what a result code says about a payment's money.
 *
 * Not listed, so unknown: 03 to 06, 70 and 83, after which the payment may still succeed, at the deadline too
 * (so they are not "not yet", which then proves that nobody paid); 12, where the query decides; 34 to 37, 45
 * and 46, which are about another message than the payment; 98; and 99, after which money may have moved.
 */
const STATES: readonly (readonly [VendorState, readonly string[]])[] = [
  ['success', codes('00 A6')],
  ['money_moved', codes('42 74 75')],
  ['failed', REQUEST_FAULTS],
  ['failed', codes('01 02 30 33 38 39 40 41 44 47 48')],
  ['failed', codes('60 61 62 63 64 65 66 67 68 69 71 72 73 76 77 78 79')],
  ['failed', codes('80 81 82 85 86 87 88 89 90 91')],
]

const STATE_OF = new Map(
  STATES.flatMap(([state, list]) => list.map((code) => [code, state] as const)),
)

/** The vendor's code in our words. A code that we do not know only reschedules. */
export const vendorStateOf = (code: string): VendorState => STATE_OF.get(code) ?? 'unknown'

/** A query is answered by these codes only (payment rules, section 3). */
export const isAnswered = (code: string | undefined): boolean => code === '00' || code === 'A6'

const REFUND_STATES: Readonly<Record<VendorState, VendorRefundState>> = {
  success: 'succeeded',
  failed: 'refused',
  money_moved: 'abnormal',
  not_yet: 'unknown',
  closed: 'unknown',
  unknown: 'unknown',
}

/**
 * UnionPay dossier, section 2.6: codes that say more about a refund than about a payment.
 *
 * 45 and 46: the money was given back before, by whatever hand. This refund fails, and yet its amount must not
 * be free again before a person has looked.
 */
const REFUND_STATE_OF = new Map<string, VendorRefundState>([
  ['35', 'refused'],
  ['36', 'refused'],
  ['45', 'abnormal'],
  ['46', 'abnormal'],
])

/** What became of a refund, by the vendor's code. Not of a call, whose 00 only means "accepted". */
export const refundStateOf = (code: string): VendorRefundState =>
  REFUND_STATE_OF.get(code) ?? REFUND_STATES[vendorStateOf(code)]

export const CONSUME = '01'
export const REFUND = '04'

/**
 * What identifies a transaction (dossier, section 1.2), and what became of it.
 *
 * Not `bizType`: the answer to a query repeats the query's own, so it says nothing of the payment (dossier,
 * section 6.4), and section 3.1 does not compare it.
 */
interface Result {
  readonly merId: string
  readonly orderId: string
  readonly txnTime: string
  readonly code: string
}

function factsOf(message: Fields, { merId, orderId, txnTime, code }: Result): PaymentFacts {
  const { queryId, currencyCode, settleDate } = message
  // Not settleAmt, which is what the merchant gets (payment rules, section 2).
  const amountMinor = parseFen(message['txnAmt'])
  return {
    kind: 'payment',
    paymentNumber: orderId,
    identity: { merId },
    vendorState: vendorStateOf(code),
    vendorStateText: code,
    vendorTime: txnTime,
    ...(queryId === undefined ? {} : { channelPaymentId: queryId }),
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(currencyCode === undefined ? {} : { currency: currencyOf(currencyCode) }),
    // Month and day, as received: it follows neither from txnTime nor from our clock (dossier, 7.13).
    ...(settleDate === undefined ? {} : { clearingDate: settleDate }),
  }
}

function resultOf(message: Fields, code: string | undefined): Result | undefined {
  const { merId, orderId, txnTime } = message
  if (merId === undefined || orderId === undefined || txnTime === undefined) return undefined
  return code === undefined ? undefined : { merId, orderId, txnTime, code }
}

/**
 * Reads a refund; `undefined` when the message is about something else.
 *
 * A refund is a transaction with its own number and time. Of the payment it names only the vendor's number, so
 * our own comes back in `reqReserved`, if it does (dossier, sections 1.2 and 3.2).
 */
export function parseRefund(
  message: Fields,
  code: string | undefined,
  stateOf: (code: string) => VendorRefundState,
): RefundFacts | undefined {
  const result = resultOf(message, code)
  if (result === undefined || message['txnType'] !== REFUND) return undefined
  const { queryId, currencyCode, reqReserved } = message
  const amountMinor = parseFen(message['txnAmt'])
  return {
    kind: 'refund',
    paymentNumber: parsePaymentId(reqReserved ?? '') ?? '',
    refundNumber: result.orderId,
    identity: { merId: result.merId },
    refundState: stateOf(result.code),
    refundStateText: result.code,
    ...(queryId === undefined ? {} : { channelRefundId: queryId }),
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(currencyCode === undefined ? {} : { currency: currencyOf(currencyCode) }),
  }
}

export interface Notice {
  readonly eventKey: string
  readonly facts: PaymentFacts | RefundFacts | OtherFacts
}

/** Only answers to calls have these; their 00 means "asked well" or "code issued", never "paid". */
const ANSWER_FIELDS = ['origRespCode', 'qrCode', 'tn']

/**
 * Reads a verified notice; `undefined` when it does not say what it is about, and for the answer to a call
 * that somebody brings as one: it is signed by the same rule and also says 00.
 *
 * Voids are not made by us: they are other news.
 */
export function parseNotice(message: Fields): Notice | undefined {
  if (ANSWER_FIELDS.some((name) => message[name] !== undefined)) return undefined
  const { txnType, txnSubType = '-', queryId = '-' } = message
  const result = resultOf(message, message['respCode'])
  if (result === undefined || txnType === undefined) return undefined
  const { orderId, txnTime, code } = result
  // Payment rules, section 2: without the code, a failure would swallow the success.
  const eventKey = `acp:${txnType}:${txnSubType}:${orderId}:${txnTime}:${queryId}:${code}`
  const facts =
    txnType === CONSUME
      ? factsOf(message, result)
      : parseRefund(message, code, (word) => noticedState(message, word))
  return { eventKey, facts: facts ?? { kind: 'other', eventType: `acp:${txnType}` } }
}

/**
 * The answer to a refund's call has the fields of its notice, and its 00 means "accepted" (dossier, sections 4.1
 * and 6.4). What ended has a trace number; without one the query decides.
 */
const noticedState = ({ traceNo }: Fields, code: string): VendorRefundState =>
  isAnswered(code) && traceNo === undefined ? 'accepted' : refundStateOf(code)

/**
 * Reads the fate of a payment out of the verified answer to a query, whose outer code is already known to be
 * good; `undefined` when it is about something else.
 */
export function parseFate(message: Fields): PaymentFacts | undefined {
  const result = resultOf(message, message['origRespCode'])
  if (result === undefined || message['txnType'] !== CONSUME) return undefined
  return factsOf(message, result)
}
