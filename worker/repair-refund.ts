import type { RefundQueryOutcome, RefundRequest } from '#channel/channel'
import { referenceOf } from '#db/payment/payment'
import type { PaymentRow } from '#db/payment/payment'
import type { DiscrepancyRow } from '#db/bill/discrepancy'
import { findRefundsOf } from '#db/refund/refund'
import type { RefundRow } from '#db/refund/refund'
import { unreachable } from '#domain/assert'
import { parseRefundId } from '#domain/id'
import { around } from '#failpoint'
import type { WorkerDeps } from './deps.ts'
import { applyFacts, requestOf } from './refund.ts'
import { UNDECIDED } from './repair.ts'
import type { Asking, Repair } from './repair.ts'
import { speak } from './vendor.ts'

/** What a refund is called in a bill when it stands there as a fact of the vendor. */
const AGREED_STATES: ReadonlySet<string> = new Set(['accepted', 'succeeded', 'abnormal'])

/** Asks about the refund, ours or one of the vendor's console, and compares what came of it with the bill. */
export async function repairRefund(deps: WorkerDeps, asking: Asking): Promise<Repair> {
  const outcome = await ask(deps, asking)
  if (outcome?.kind === 'found') await applyFacts(deps, asking.payment, outcome.facts)
  if (await isThere(deps, asking)) {
    return { kind: 'agreed', said: 'recorded here with what the bill says' }
  }
  if (outcome === undefined) {
    return { kind: 'differs', said: 'this vendor cannot be asked about a refund of that number' }
  }
  return judge(outcome)
}

function judge(outcome: RefundQueryOutcome): Repair {
  switch (outcome.kind) {
    case 'found': {
      const { refundState, refundStateText } = outcome.facts
      // One of the console is recorded when it is done.
      const isOver = refundState === 'succeeded' || refundState === 'refused'
      const said = `the vendor was asked and says ${refundStateText}`
      return { kind: isOver ? 'differs' : 'undecided', said }
    }
    case 'absent':
      return { kind: 'differs', said: `the vendor was asked and knows none: ${outcome.code}` }
    case 'unknown':
      return UNDECIDED
    default:
      return unreachable(outcome)
  }
}

/** `undefined` where the vendor cannot be asked by the numbers that the bill names. */
async function ask(
  deps: WorkerDeps,
  { row, payment, vendor }: Asking,
): Promise<RefundQueryOutcome | undefined> {
  const part = vendor.channel.refund
  const own = await findNamed(deps, row, payment)
  if (part === undefined) return undefined
  if (own !== undefined) {
    const request = requestOf(deps, { refund: own, payment })
    const about = { payment, refundId: own.id }
    return speak(deps, vendor, about, (record) =>
      around('repair.refund-query', () => part.query(request, record)),
    )
  }
  const number = textOf(row, 'number')
  const { queryForeign } = part
  if (queryForeign !== undefined && number !== '') {
    return speak(deps, vendor, { payment }, (record) =>
      around('repair.foreign-refund', () => queryForeign(referenceOf(payment), number, record)),
    )
  }
  const request = foreignRequest(deps, row, payment)
  return (
    request &&
    speak(deps, vendor, { payment }, (record) =>
      around('repair.named-refund', () => part.query(request, record)),
    )
  )
}

/** A number of our form without a row of ours, such as after a restored backup: asked about like our own. */
function foreignRequest(
  deps: WorkerDeps,
  row: DiscrepancyRow,
  payment: PaymentRow,
): RefundRequest | undefined {
  const refundId = parseRefundId(textOf(row, 'number'))
  const channelRefundId = textOf(row, 'vendor_number')
  if (refundId === undefined || row.their_amount === null) return undefined
  return {
    refundId,
    payment: referenceOf(payment),
    paid: { currency: payment.currency, minor: payment.amount },
    amount: { currency: payment.currency, minor: row.their_amount },
    reason: '',
    callbackUrl: `${deps.publicUrl}/callback/${payment.channel_account_id}`,
    ...(channelRefundId === '' ? {} : { channelRefundId }),
  }
}

async function findNamed(
  deps: WorkerDeps,
  row: DiscrepancyRow,
  payment: PaymentRow,
): Promise<RefundRow | undefined> {
  const refunds = await findRefundsOf(deps.db, payment.merchant_id, payment.id)
  return refunds.find((refund) => refund.id === textOf(row, 'refund'))
}

async function isThere(deps: WorkerDeps, { row, payment }: Asking): Promise<boolean> {
  const refunds = await findRefundsOf(deps.db, payment.merchant_id, payment.id)
  const names = namesOf(row, payment)
  return refunds.some(
    (ours) =>
      (names.has(ours.id) || names.has(ours.channel_refund_id ?? '')) &&
      ours.amount === row.their_amount &&
      AGREED_STATES.has(ours.state),
  )
}

/** What the bill's line calls the refund, as our rows may call it. */
function namesOf(row: DiscrepancyRow, payment: PaymentRow): ReadonlySet<string> {
  const number = textOf(row, 'number')
  const within = number === '' ? '' : `${payment.id}:${number}`
  const names = [textOf(row, 'vendor_number'), textOf(row, 'refund'), number, within]
  return new Set(names.filter((name) => name !== ''))
}

function textOf({ evidence }: DiscrepancyRow, name: string): string {
  const value = evidence[name]
  return typeof value === 'string' ? value : ''
}
