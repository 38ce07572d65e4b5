import type { RefundOutcome, RefundPart } from '#channel/channel'
import { openCase } from '#db/case/case'
import type { RefundRow } from '#db/refund/refund'
import { beginRefund, holdRefund } from '#db/refund/send-refund'
import { unreachable } from '#domain/assert'
import type { RefundJob } from '#domain/job'
import type { RefundFacts } from '#domain/notification'
import { addMs } from '#domain/time'
import { around } from '#failpoint'
import type { WorkerDeps } from '../deps.ts'
import { applyFacts, loadRefund, lookLater, queueRefund, requestOf, tellIfOld } from '../refund.ts'
import type { KnownRefund } from '../refund.ts'
import { loadVendor, speak } from '../vendor.ts'
import type { Vendor } from '../vendor.ts'

const MS_PER_SECOND = 1000
/** The vendor's balance is too low, or it was not reached: later, under the same number. */
const HELD_MS = 10 * 60 * MS_PER_SECOND

/**
 * Sends a refund under its stored number; serial per payment, with the vendor's pause (payment rules, 5).
 *
 * A time-out leaves it `sent`: what happened is asked, and a vendor without a refund key never hears of it
 * twice from a machine.
 */
export async function runRefundSubmit(deps: WorkerDeps, job: RefundJob): Promise<void> {
  const known = await loadRefund(deps.db, job)
  if (known === undefined) return
  const vendor = await loadVendor(deps, known.payment)
  const part = vendor.channel.refund
  if (part === undefined) return openUnavailable(deps, known.refund)
  await send(deps, vendor, part, known)
  await tellIfOld(deps, job)
}

async function send(
  deps: WorkerDeps,
  vendor: Vendor,
  part: RefundPart,
  { refund }: KnownRefund,
): Promise<void> {
  const job = { merchantId: refund.merchant_id, refundId: refund.id }
  const now = deps.clock.now()
  const begun = await beginRefund(deps.db, job.merchantId, job.refundId, {
    now,
    dueAt: addMs(now, Math.max(deps.retrySeconds, part.absentAfterSeconds) * MS_PER_SECOND),
    spacingSeconds: part.spacingSeconds,
    isRepeatable: part.isRepeatable,
    newVendorTime: () => part.newVendorTime?.(),
  })
  switch (begun.kind) {
    case 'send':
      return submit(deps, vendor, part, begun)
    case 'query':
      return queueRefund(deps, 'refund-query', job)
    case 'wait':
    case 'done':
      return
    default:
      return unreachable(begun)
  }
}

async function submit(
  deps: WorkerDeps,
  vendor: Vendor,
  part: RefundPart,
  { refund, payment }: KnownRefund,
): Promise<void> {
  const request = requestOf(deps, { refund, payment })
  const about = { payment, refundId: refund.id }
  const outcome = await speak(deps, vendor, about, (record) =>
    around('vendor.refund', () => part.submit(request, record)),
  )
  await applyOutcome(deps, vendor, { refund, payment }, outcome)
}

async function applyOutcome(
  deps: WorkerDeps,
  vendor: Vendor,
  begun: KnownRefund,
  outcome: RefundOutcome,
): Promise<void> {
  const { refund, payment } = begun
  switch (outcome.kind) {
    case 'answered':
      return applyFacts(deps, payment, outcome.facts)
    case 'refused':
      return applyFacts(deps, payment, refusalOf(vendor, begun, outcome.code))
    case 'not_executed':
      return holdRefund(deps.db, refund, addMs(deps.clock.now(), HELD_MS))
    case 'unknown':
      // The age is the refund's: each of these calls may have been one more under its number.
      return lookLater(deps, refund, refund.created_at)
    default:
      return unreachable(outcome)
  }
}

/** A definite refusal in the words of a result, so that one place moves refunds. */
const refusalOf = (
  vendor: Vendor,
  { refund, payment }: KnownRefund,
  code: string,
): RefundFacts => ({
  kind: 'refund',
  paymentNumber: payment.id,
  refundNumber: refund.id,
  identity: vendor.channel.identity,
  refundState: 'refused',
  refundStateText: code,
})

const openUnavailable = (deps: WorkerDeps, refund: RefundRow): Promise<void> =>
  openCase(deps.db, {
    merchantId: refund.merchant_id,
    kind: 'refund_not_available',
    subject: refund.id,
    evidence: { payment: refund.payment_id },
  })
