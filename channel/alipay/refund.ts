import { unreachable } from '#domain/assert'
import type { RefundFacts } from '#domain/notification'
import type { PaymentReference } from '#domain/payment'
import type { RefundOutcome, RefundPart, RefundQueryOutcome, RefundRequest } from '../channel.ts'
import type { RecordExchange } from '../http.ts'
import { unlessMade } from '../refund-call.ts'
import { callVendor, normalCode } from './call.ts'
import type { Context } from './call.ts'
import { BUSINESS_FAILED, NOT_EXECUTED_CODES, causeOf } from './payment.ts'
import type { Refusal } from './payment.ts'
import {
  REFUND_API,
  REFUND_QUERY_API,
  parseQueried,
  parseRefunded,
  writeRefund,
  writeRefundQuery,
} from './wire-refund.ts'
import type { RefundAnswer } from './wire-refund.ts'

/** Alipay dossier, section 5.1: between two refunds of one payment. */
const SPACING_SECONDS = 3
/** Alipay dossier, section 5.2. Even then absence is not final: the same call follows, never a new number. */
const ABSENT_AFTER_SECONDS = 10

/** The vendor's balance is too low: the number stays, the call is repeated after a top-up (dossier, 5.4). */
const HELD_CODE = 'SELLER_BALANCE_NOT_ENOUGH'
/** Alipay dossier, section 5.4, F and O: no money moves by this call. Any other code is asked about. */
const REFUSED_CODES = new Set(
  `REFUND_AMT_NOT_EQUAL_TOTAL REASON_TRADE_BEEN_FREEZEN TRADE_NOT_EXIST TRADE_HAS_FINISHED
  TRADE_STATUS_ERROR REASON_TRADE_REFUND_FEE_ERR TRADE_NOT_ALLOW_REFUND NOT_ALLOW_PARTIAL_REFUND
  REFUNDALLOC_UNAUTH_LIMIT INVALID_PARAMETER`.split(/\s+/),
)
/**
 * The payment is closed, by other refunds or by this very one; or our number already stands for another amount.
 * Nothing is left to repeat, and money may have moved: a person looks.
 */
const ALARM_CODES = new Set(['TRADE_HAS_CLOSE', 'DISCORDANT_REPEAT_REQUEST'])
const ABSENT_CODE = 'TRADE_NOT_EXIST'

export const refundPart = (context: Context): RefundPart => ({
  isRepeatable: true,
  spacingSeconds: SPACING_SECONDS,
  absentAfterSeconds: ABSENT_AFTER_SECONDS,
  submit: (refund, record) => submitRefund(context, refund, record),
  query: (refund, record) => queryRefund(context, ownOf(refund), record),
  queryForeign: (payment, number, record) => queryRefund(context, { payment, number }, record),
})

/** Which refund is meant: the vendor's numbers of refunds are unique within a payment. */
interface Named {
  readonly payment: PaymentReference
  readonly number: string
}

const ownOf = ({ payment, refundId }: RefundRequest): Named => ({ payment, number: refundId })

/**
 * Alipay dossier, section 5.1: the same number with the same amount is the same refund.
 *
 * `fund_change` other than `Y` says neither yes nor no; the refund stays sent and is asked about.
 */
async function submitRefund(
  context: Context,
  refund: RefundRequest,
  record: RecordExchange,
): Promise<RefundOutcome> {
  const content = writeRefund(refund)
  const answer = await callVendor(context, { kind: 'refund', api: REFUND_API, content }, record)
  switch (answer.kind) {
    case 'done': {
      const named = ownOf(refund)
      const refunded = parseRefunded(answer.node)
      return refunded !== undefined && isAbout(refunded, named)
        ? { kind: 'answered', facts: factsOf(context, named, refunded) }
        : OTHER_REFUND
    }
    case 'refusal':
      return judgeRefusal(context, refund, { refusal: answer, record })
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

type Class = 'held' | 'refused' | 'alarm' | 'unknown'

/** Alipay dossier, sections 1.11 and 5.4. */
function classOf({ code, subCode }: Refusal): Class {
  // The gateway did not execute it: its number is as good as before.
  if (NOT_EXECUTED_CODES.has(code)) return 'held'
  if (code !== BUSINESS_FAILED) return 'unknown'
  const word = normalCode(subCode)
  if (word === HELD_CODE) return 'held'
  if (REFUSED_CODES.has(word)) return 'refused'
  return ALARM_CODES.has(word) ? 'alarm' : 'unknown'
}

async function judgeRefusal(
  context: Context,
  refund: RefundRequest,
  { refusal, record }: { readonly refusal: Refusal; readonly record: RecordExchange },
): Promise<RefundOutcome> {
  const { code, subCode, message } = refusal
  const kind = classOf(refusal)
  const query = () => queryRefund(context, ownOf(refund), record)
  switch (kind) {
    case 'held':
      return { kind: 'not_executed', code: subCode || code }
    case 'unknown':
      return { kind: 'unknown', cause: causeOf(refusal) }
    case 'refused':
      return unlessMade(query, { kind, code: subCode, message })
    case 'alarm': {
      const facts = factsOf(context, ownOf(refund), { state: 'abnormal', stateText: subCode })
      return unlessMade(query, { kind: 'answered', facts })
    }
    default:
      return unreachable(kind)
  }
}

/** Alipay dossier, section 5.2: without a status the vendor has no such refund, or none that succeeded. */
async function queryRefund(
  context: Context,
  named: Named,
  record: RecordExchange,
): Promise<RefundQueryOutcome> {
  const content = writeRefundQuery(named.payment.paymentId, named.number)
  const call = { kind: 'refund_query', api: REFUND_QUERY_API, content } as const
  const answer = await callVendor(context, call, record)
  switch (answer.kind) {
    case 'done':
      return judgeQueried(context, named, parseQueried(answer.node))
    case 'refusal':
      return answer.code === BUSINESS_FAILED && normalCode(answer.subCode) === ABSENT_CODE
        ? { kind: 'absent', code: answer.subCode }
        : { kind: 'unknown', cause: causeOf(answer) }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

function judgeQueried(
  context: Context,
  named: Named,
  queried: RefundAnswer | undefined,
): RefundQueryOutcome {
  if (queried === undefined || !isAbout(queried, named)) return OTHER_REFUND
  if (queried.stateText === undefined) return { kind: 'absent', code: 'no refund_status' }
  // News of a refund must name it.
  return queried.refundNumber === undefined || queried.paymentNumber === undefined
    ? OTHER_REFUND
    : { kind: 'found', facts: factsOf(context, named, queried) }
}

const OTHER_REFUND = { kind: 'unknown', cause: 'the answer is about another refund' } as const

/** Every number that the answer repeats is ours. */
const isAbout = (answer: RefundAnswer, { payment, number }: Named): boolean =>
  (answer.paymentNumber ?? payment.paymentId) === payment.paymentId &&
  (answer.refundNumber ?? number) === number &&
  (answer.channelPaymentId ?? payment.channelPaymentId) ===
    (payment.channelPaymentId ?? answer.channelPaymentId)

/** An answer names no account: it was asked for by this app, which belongs to this seller, and is signed. */
function factsOf({ settings }: Context, named: Named, answer: RefundAnswer): RefundFacts {
  const { state, stateText = '', amountMinor, refundedAt } = answer
  return {
    kind: 'refund',
    paymentNumber: named.payment.paymentId,
    refundNumber: named.number,
    identity: { app_id: settings.app_id, seller_id: settings.seller_id },
    refundState: state,
    refundStateText: stateText,
    ...(amountMinor === undefined ? {} : { amountMinor, currency: 'CNY' }),
    ...(refundedAt === undefined ? {} : { refundedAt }),
  }
}
