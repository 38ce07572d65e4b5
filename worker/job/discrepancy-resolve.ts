import { findDiscrepancy, leaveToPeople, resolveByMachine } from '#db/bill/discrepancy'
import type { DiscrepancyRow } from '#db/bill/discrepancy'
import { findPayment } from '#db/payment/payment'
import type { PaymentRow } from '#db/payment/payment'
import { parsePaymentId } from '#domain/id'
import type { DiscrepancyJob } from '#domain/job'
import { addMs } from '#domain/time'
import type { WorkerDeps } from '../deps.ts'
import { repairPayment } from '../repair-payment.ts'
import { repairPoints } from '../repair-points.ts'
import { repairRefund } from '../repair-refund.ts'
import type { Repair } from '../repair.ts'
import { loadVendor } from '../vendor.ts'

/** How long a vendor may give no answer, or none that is final, before a person looks. */
const PATIENCE_MS = 86_400_000

/**
 * Repairs what a machine may repair: the bill line is the trigger, the vendor's answer is the proof.
 *
 * Nothing is written because a bill says so. No answer is no answer: the row is due again, and asked about with
 * a later tick. What the vendor's answer does not bring to agreement waits for a person.
 */
export async function runDiscrepancyResolve(deps: WorkerDeps, job: DiscrepancyJob): Promise<void> {
  const row = await findDiscrepancy(deps.db, job.merchantId, job.discrepancyId)
  if (row?.state !== 'repairing') return
  const now = deps.clock.now()
  const payment = await findOwn(deps, row)
  if (payment === undefined) {
    return leaveToPeople(deps.db, row, 'no payment of ours is named', now)
  }
  const repair =
    row.subject_kind === 'points'
      ? await repairPoints(deps, row, payment)
      : await askVendor(deps, row, payment)
  if (repair === undefined) return
  // A bill that lacks what we have is not mended by an answer that finds it: then the bill is wrong.
  if (repair.kind === 'agreed' && row.kind !== 'missing_there') {
    return resolveByMachine(deps.db, row, repair.said, now)
  }
  if (repair.kind === 'undecided' && now < addMs(row.opened_at, PATIENCE_MS)) return
  return leaveToPeople(deps.db, row, repair.said, now)
}

/** `undefined` while the vendor's allowance has no room: the row is due again. */
async function askVendor(
  deps: WorkerDeps,
  row: DiscrepancyRow,
  payment: PaymentRow,
): Promise<Repair | undefined> {
  const vendor = await loadVendor(deps, payment)
  const limit = vendor.channel.capabilities.queriesPerMinuteMax
  if (!deps.queryLimit.take(vendor.account.id, limit)) return undefined
  const asking = { row, payment, vendor }
  return row.subject_kind === 'refund' ? repairRefund(deps, asking) : repairPayment(deps, asking)
}

async function findOwn(deps: WorkerDeps, row: DiscrepancyRow): Promise<PaymentRow | undefined> {
  const named = row.evidence['payment']
  const id = parsePaymentId(typeof named === 'string' ? named : '')
  const found = id && (await findPayment(deps.db, row.merchant_id, id))
  return found?.payment
}
