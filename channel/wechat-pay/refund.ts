import { unreachable } from '#domain/assert'
import type { RefundFacts } from '#domain/notification'
import type { RefundOutcome, RefundPart, RefundQueryOutcome, RefundRequest } from '../channel.ts'
import type { RecordExchange } from '../http.ts'
import { unlessMade } from '../refund-call.ts'
import { callVendor } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { REFUND_REFUSED_CODES, parseRefund, writeRefund } from './wire.ts'

type Refusal = Extract<VendorAnswer, { kind: 'refusal' }>

/** WeChat Pay dossier, section 5.2: a minute between two refunds of one order. */
const SPACING_SECONDS = 60
const PATH = '/v3/refund/domestic/refunds'

/** The vendor's balance is too low: the number stays, the call is repeated later (payment rules, section 5). */
const HELD_CODES = new Set(['NOT_ENOUGH', 'NOTENOUGH'])
const ABSENT_CODES = new Set(['RESOURCE_NOT_EXISTS', 'RESOURCE_NOT_EXIST', 'REFUND_NOT_EXIST'])

export const refundPart = (context: Context): RefundPart => ({
  isRepeatable: true,
  spacingSeconds: SPACING_SECONDS,
  absentAfterSeconds: SPACING_SECONDS,
  submit: (refund, record) => submitRefund(context, refund, record),
  query: (refund, record) => queryRefund(context, namedBy(refund), record),
  // One of the vendor's own console has a number as well, which bills and XML news name.
  queryForeign: (payment, number, record) =>
    queryRefund(context, { number, paymentNumber: payment.paymentId }, record),
})

/** WeChat Pay dossier, section 5.1: 200 means accepted, not done. */
async function submitRefund(
  context: Context,
  refund: RefundRequest,
  record: RecordExchange,
): Promise<RefundOutcome> {
  const call = { kind: 'refund', method: 'POST', target: PATH, body: writeRefund(refund) } as const
  const answer = await callVendor(context, call, record)
  switch (answer.kind) {
    case 'done': {
      const facts = parseRefund(answer.body, 'status', identityOf(context))
      return isAbout(facts, namedBy(refund))
        ? { kind: 'answered', facts }
        : { kind: 'unknown', cause: 'the answer is about another refund' }
    }
    case 'refusal': {
      const judged = judgeRefusal(answer)
      if (judged.kind !== 'refused') return judged
      return unlessMade(() => queryRefund(context, namedBy(refund), record), judged)
    }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

/**
 * A code that we do not know is asked about: a refund that was refused in error gives its amount free, and
 * is then paid twice.
 */
function judgeRefusal({ status, code, message }: Refusal): RefundOutcome {
  if (HELD_CODES.has(code)) return { kind: 'not_executed', code }
  return REFUND_REFUSED_CODES.has(code) && status !== 429
    ? { kind: 'refused', code, message }
    : { kind: 'unknown', cause: `status ${status} ${code}` }
}

/** A refund by the merchant's number, of a payment. */
interface Named {
  readonly number: string
  readonly paymentNumber: string
}

const namedBy = ({ refundId, payment }: RefundRequest): Named => ({
  number: refundId,
  paymentNumber: payment.paymentId,
})

/** WeChat Pay dossier, section 5.5. */
async function queryRefund(
  context: Context,
  named: Named,
  record: RecordExchange,
): Promise<RefundQueryOutcome> {
  const target = `${PATH}/${encodeURIComponent(named.number)}`
  const answer = await callVendor(context, { kind: 'refund_query', method: 'GET', target }, record)
  switch (answer.kind) {
    case 'done': {
      const facts = parseRefund(answer.body, 'status', identityOf(context))
      return isAbout(facts, named)
        ? { kind: 'found', facts }
        : { kind: 'unknown', cause: 'the answer is about another refund' }
    }
    case 'refusal':
      return answer.status === 404 && ABSENT_CODES.has(answer.code)
        ? { kind: 'absent', code: answer.code }
        : { kind: 'unknown', cause: `status ${answer.status} ${answer.code}` }
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

const isAbout = (facts: RefundFacts | undefined, named: Named): facts is RefundFacts =>
  facts?.refundNumber === named.number && facts.paymentNumber === named.paymentNumber

/** An answer names no merchant: it is signed for the one that asked. */
const identityOf = ({ settings }: Context): Readonly<Record<string, string>> => ({
  mchid: settings.mchid,
  appid: settings.appid,
})
