import { unreachable } from '#domain/assert'
import type { RefundOutcome, RefundPart, RefundQueryOutcome, RefundRequest } from '../channel.ts'
import type { RecordExchange } from '../http.ts'
import { submitOnce } from '../refund-call.ts'
import { callVendor } from './call.ts'
import type { Context, VendorAnswer } from './call.ts'
import { parseRefund, parseRefundPage, writeRefund } from './wire-refund.ts'
import type { VendorRefund } from './wire-refund.ts'
import { PAGE_ITEMS_MAX } from './wire.ts'

type Refusal = Extract<VendorAnswer, { kind: 'refusal' }>

/** The vendor names no pause; the list of an hour ago and of now are the same to it. */
const SPACING_SECONDS = 0
/** Nothing is documented about how fresh a list is. An absence only calls a person, so a minute is enough. */
const ABSENT_AFTER_SECONDS = 60
/** Of one payment's refunds: far more than anybody makes. */
const PAGES_MAX = 20

/** Ping++ dossier, sections 3 and 5: no key of ours, so what was sent is never sent again by a machine. */
export const refundPart = (context: Context): RefundPart => ({
  isRepeatable: false,
  spacingSeconds: SPACING_SECONDS,
  absentAfterSeconds: ABSENT_AFTER_SECONDS,
  submit: (refund, record) =>
    submitOnce(
      () => readyKeys(context),
      () => submitRefund(context, refund, record),
    ),
  query: (refund, record) => queryRefund(context, refund, record),
})

/** Both that a call needs: the secret that names us, and the key that signs. */
function readyKeys({ keyring }: Context): Promise<unknown> {
  keyring.apiSecret()
  return keyring.signer()
}

const pathOf = (channelPaymentId: string): string =>
  `/v1/charges/${encodeURIComponent(channelPaymentId)}/refunds`

/** A paid payment always has the vendor's number, as the proof brought it; without one nothing is sent. */
async function submitRefund(
  context: Context,
  refund: RefundRequest,
  record: RecordExchange,
): Promise<RefundOutcome> {
  const id = refund.payment.channelPaymentId
  if (id === undefined) return { kind: 'not_executed', code: 'NO_VENDOR_NUMBER' }
  const call = {
    kind: 'refund',
    method: 'POST',
    target: pathOf(id),
    body: writeRefund(refund),
  } as const
  const answer = await callVendor(context, call, record)
  switch (answer.kind) {
    case 'done': {
      const answered = parseRefund(answer.body)
      return isAbout(answered, refund) ? { kind: 'answered', facts: answered.facts } : OTHER_REFUND
    }
    case 'refusal':
      return judgeRefusal(answer)
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

const OTHER_REFUND = { kind: 'unknown', cause: 'the answer is about another refund' } as const

/** Ping++ dossier, section 3: what the vendor itself rejects; the channel's refusals are refunds that failed. */
const REFUSED_TYPE = 'invalid_request_error'
const REFUSED_CODES = new Set([REFUSED_TYPE, 'charge_request_invalid', 'request_param_error'])
const REFUSED_STATUSES = new Set([400, 401, 404])

/**
 * A code that we do not know is asked about: a refund that was refused in error gives its amount free, and
 * is then paid twice. So is a talk with the wallet that broke.
 */
function judgeRefusal({ status, error }: Refusal): RefundOutcome {
  const { type, code, message } = error
  return type === REFUSED_TYPE && REFUSED_STATUSES.has(status) && REFUSED_CODES.has(code)
    ? { kind: 'refused', code, message }
    : { kind: 'unknown', cause: `status ${status} ${code}` }
}

/** By the vendor's number where an answer gave it, otherwise in the list of the payment's refunds. */
async function queryRefund(
  context: Context,
  refund: RefundRequest,
  record: RecordExchange,
): Promise<RefundQueryOutcome> {
  const id = refund.payment.channelPaymentId
  if (id === undefined) return { kind: 'unknown', cause: 'the payment has no vendor number' }
  return refund.channelRefundId === undefined
    ? search(context, refund, pathOf(id), record)
    : retrieve(
        context,
        refund,
        `${pathOf(id)}/${encodeURIComponent(refund.channelRefundId)}`,
        record,
      )
}

async function retrieve(
  context: Context,
  refund: RefundRequest,
  target: string,
  record: RecordExchange,
): Promise<RefundQueryOutcome> {
  const answer = await callVendor(context, { kind: 'refund_query', method: 'GET', target }, record)
  switch (answer.kind) {
    case 'done': {
      const answered = parseRefund(answer.body)
      return isAbout(answered, refund) ? { kind: 'found', facts: answered.facts } : OTHER_REFUND
    }
    case 'refusal':
      return absentOrUnknown(answer)
    case 'unknown':
      return answer
    default:
      return unreachable(answer)
  }
}

/** Ping++ dossier, section 2.6: any other 404 is about something else. */
const absentOrUnknown = ({ status, error }: Refusal): RefundQueryOutcome =>
  status === 404 && error.parameter === 'id'
    ? { kind: 'absent', code: error.code }
    : { kind: 'unknown', cause: `status ${status} ${error.code}` }

/** Ping++ dossier, checklist 30. Only a list that was read to its end can lack our number. */
async function search(
  context: Context,
  refund: RefundRequest,
  path: string,
  record: RecordExchange,
): Promise<RefundQueryOutcome> {
  const found: VendorRefund[] = []
  let cursor = ''
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const target = `${path}?limit=${PAGE_ITEMS_MAX}${cursor}`
    const call = { kind: 'refund_query', method: 'GET', target } as const
    const answer = await callVendor(context, call, record)
    if (answer.kind === 'unknown') return answer
    if (answer.kind === 'refusal') return absentOrUnknown(answer)
    const read = parseRefundPage(answer.body, refund.refundId)
    if (read === undefined) return { kind: 'unknown', cause: 'the list cannot be read' }
    found.push(...read.found)
    if (read.next === undefined) return judgeFound(found, refund)
    cursor = `&starting_after=${encodeURIComponent(read.next)}`
  }
  return { kind: 'unknown', cause: `the list goes on behind ${PAGES_MAX} pages` }
}

/** Two refunds with our number are money given back twice, whoever did it: that is for a person. */
function judgeFound(found: readonly VendorRefund[], refund: RefundRequest): RefundQueryOutcome {
  const [first] = found
  if (first === undefined) return { kind: 'absent', code: 'not_in_list' }
  if (!found.every((one) => isAbout(one, refund))) return OTHER_REFUND
  return found.length === 1
    ? { kind: 'found', facts: first.facts }
    : { kind: 'found', facts: { ...first.facts, ...twice(found.length) } }
}

const twice = (count: number) =>
  ({ refundState: 'abnormal', refundStateText: `${count} refunds with one number` }) as const

const isAbout = (one: VendorRefund | undefined, refund: RefundRequest): one is VendorRefund =>
  one?.facts.refundNumber === refund.refundId &&
  one.facts.paymentNumber === refund.payment.paymentId &&
  one.channelPaymentId === refund.payment.channelPaymentId
