import type { CloseOutcome } from '#channel/channel'
import { closeAttempt } from '#db/payment/close-payment'
import { findPayment, referenceOf } from '#db/payment/payment'
import type { OrderRow, PaymentRow } from '#db/payment/payment'
import { unreachable } from '#domain/assert'
import type { PaymentQueryJob } from '#domain/job'
import { addMs } from '#domain/time'
import { around } from '#failpoint'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'
import { loadVendor, speak } from '../vendor.ts'
import type { Vendor } from '../vendor.ts'
import { applyQuery, confirmByQuery, query } from './payment-query.ts'

const MS_PER_SECOND = 1000

/**
 * Ends a payment that has expired, or whose order is not wanted any more (payment rules, section 3).
 *
 * Where the vendor has a close, only its proof closes; where it has none, or does not know the payment, the
 * deadline, a margin and a last query do. Cancel and reverse give money back and are never used here. A
 * close that meets a payment ends paid.
 */
export async function runPaymentClose(deps: WorkerDeps, job: PaymentQueryJob): Promise<void> {
  const found = await findPayment(deps.db, job.merchantId, job.paymentId)
  if (found === undefined || !isToClose(found, deps.clock.now())) return
  const { payment } = found
  const vendor = await loadVendor(deps, payment)
  const outcome = await closeAtVendor(deps, vendor, payment)
  switch (outcome.kind) {
    case 'closed':
      await closeAttempt(deps.db, payment, outcome.proof, deps.clock.now())
      return
    case 'paid':
      return confirmByQuery(deps, payment, outcome.facts)
    case 'absent':
      return closeByDeadline(deps, vendor, payment)
    case 'unknown':
      throw new TryAgain(`close of ${payment.id}: ${outcome.cause}`)
    default:
      return unreachable(outcome)
  }
}

interface Found {
  readonly payment: PaymentRow
  readonly order: OrderRow
}

const isToClose = ({ payment, order }: Found, now: Date): boolean =>
  (payment.state === 'created' || payment.state === 'pending') &&
  (order.close_wanted || now >= payment.expires_at)

async function closeAtVendor(
  deps: WorkerDeps,
  vendor: Vendor,
  payment: PaymentRow,
): Promise<CloseOutcome> {
  const close = vendor.channel.closePayment
  if (close === undefined) return { kind: 'absent', code: 'no close' }
  return speak(deps, vendor, { payment }, (record) =>
    around('vendor.close-expired', () => close(referenceOf(payment), record)),
  )
}

/** Not before the vendor's own deadline has surely passed: until then somebody may still pay. */
async function closeByDeadline(
  deps: WorkerDeps,
  vendor: Vendor,
  payment: PaymentRow,
): Promise<void> {
  const { closeMarginSeconds } = vendor.channel.capabilities
  const closeAt = addMs(payment.expires_at, closeMarginSeconds * MS_PER_SECOND)
  // The sweeper comes back at that time: `next_query_at` is planned for it.
  if (deps.clock.now() < closeAt) return
  const outcome = await query(deps, vendor, payment)
  if (outcome.kind === 'unknown')
    throw new TryAgain(`last query of ${payment.id}: ${outcome.cause}`)
  await applyQuery(deps, payment, outcome)
  const word = outcome.kind === 'absent' ? outcome.code : outcome.facts.vendorStateText
  if (outcome.kind === 'absent' || provesUnpaid(outcome.facts.vendorState)) {
    await closeAttempt(deps.db, payment, `deadline, margin, query: ${word}`, deps.clock.now())
  }
}

/** After the deadline these say that nothing was paid; an unknown word says nothing. */
const provesUnpaid = (state: string): boolean => state === 'not_yet' || state === 'failed'
