import type { RefundFacts } from '#domain/notification'
import type { RefundOutcome, RefundPart, RefundQueryOutcome, RefundRequest } from '../channel.ts'
import type { RecordExchange } from '../http.ts'
import { submitOnce } from '../refund-call.ts'
import { callVendor } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { queryTransaction } from './payment.ts'
import { commonFields, productOf } from './prepare.ts'
import { REFUND, formatTxnTime, isAnswered, parseRefund, refundStateOf } from './wire.ts'
import type { Fields } from './wire.ts'

/** No source names a pause between two refunds of one payment. */
const SPACING_SECONDS = 0
/** UnionPay dossier, section 3.1: what is asked at the back is known within its six queries, 63 seconds. */
const ABSENT_AFTER_SECONDS = 64

/**
 * UnionPay dossier, section 4.1: no key makes a repeat the same refund, and a new number would be a second one.
 *
 * So a refund is sent once. Its `00` means "accepted": the end comes by a notice or by a query of its own number.
 */
export const refundPart = (context: Context): RefundPart => ({
  isRepeatable: false,
  spacingSeconds: SPACING_SECONDS,
  absentAfterSeconds: ABSENT_AFTER_SECONDS,
  newVendorTime: () => formatTxnTime(context.deps.clock.now()),
  submit: (refund, record) =>
    submitOnce(
      () => context.keyring.signer(),
      () => submitRefund(context, refund, record),
    ),
  query: (refund, record) => queryRefund(context, refund, record),
})

async function submitRefund(
  context: Context,
  refund: RefundRequest,
  record: RecordExchange,
): Promise<RefundOutcome> {
  const fields = fieldsOf(context, refund)
  if (fields === undefined) {
    return { kind: 'refused', code: 'NO_NUMBER', message: 'nothing was sent: a number is missing' }
  }
  const call = { kind: 'refund', path: '/gateway/api/backTransReq.do', fields } as const
  return submitted(refund, await callVendor(context, call, record))
}

/** `undefined` when the vendor's number of the payment, or the time of the refund, is not known. */
function fieldsOf({ settings }: Context, refund: RefundRequest): Fields | undefined {
  const { payment, vendorTime } = refund
  const { channelPaymentId } = payment
  if (channelPaymentId === undefined || vendorTime === undefined) return undefined
  const { bizType = '000000', channelType = '07' } = productOf(payment.method)?.fields ?? {}
  return {
    ...commonFields(settings.merId),
    txnType: REFUND,
    txnSubType: '00',
    bizType,
    channelType,
    orderId: refund.refundId,
    txnTime: vendorTime,
    origQryId: channelPaymentId,
    txnAmt: refund.amount.minor.toString(),
    currencyCode: '156',
    backUrl: refund.callbackUrl,
    // Comes back in the notice, which does not name our payment otherwise (dossier, section 1.2).
    reqReserved: payment.paymentId,
  }
}

/**
 * Only a code that says that nothing happens under this number refuses: a refund that was refused in error gives
 * its amount free, and is then paid twice. 12, 45 and 46 point to an earlier message, perhaps this very one.
 */
function submitted(refund: RefundRequest, answer: VendorAnswer): RefundOutcome {
  if (answer.kind === 'unknown') return answer
  const { respCode, message } = answer
  if (isAnswered(respCode)) {
    const facts = parseRefund(message, respCode, () => 'accepted')
    return facts !== undefined && isAbout(message, refund)
      ? { kind: 'answered', facts: named(facts, refund) }
      : OTHER_REFUND
  }
  return refundStateOf(respCode) === 'refused'
    ? { kind: 'refused', code: respCode, message: message['respMsg'] ?? '' }
    : { kind: 'unknown', cause: `respCode ${respCode}` }
}

/** By its own number and time: the query of the payment never shows it (dossier, section 3.1). */
async function queryRefund(
  context: Context,
  refund: RefundRequest,
  record: RecordExchange,
): Promise<RefundQueryOutcome> {
  const { refundId: orderId, vendorTime: txnTime } = refund
  // Another time is another transaction: its absence would prove nothing.
  if (txnTime === undefined) return { kind: 'unknown', cause: 'the refund has no txnTime' }
  const fate = await queryTransaction(context, 'refund_query', { orderId, txnTime }, record)
  if (fate.kind !== 'found') return fate
  const facts = parseRefund(fate.message, fate.message['origRespCode'], refundStateOf)
  return facts !== undefined && isAbout(fate.message, refund)
    ? { kind: 'found', facts: named(facts, refund) }
    : OTHER_REFUND
}

const OTHER_REFUND = { kind: 'unknown', cause: 'the answer is not about this refund' } as const

/** The call has compared order number and time; the payment is compared where the answer names it. */
const isAbout = ({ origQryId }: Fields, { payment }: RefundRequest): boolean =>
  origQryId === undefined || origQryId === payment.channelPaymentId

/** An answer is to our own question, so it needs not repeat the number of the payment. */
const named = (facts: RefundFacts, { payment }: RefundRequest): RefundFacts => ({
  ...facts,
  paymentNumber: payment.paymentId,
})
