import { findOverdueGrants, findUnappliedNotifications, repairGrants } from '#db/compensation'
import type { CompensationJob, PointsAwardJob, RefundJob } from '#domain/job'
import { addMs } from '#domain/time'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'
import { runMerchantEvent } from './merchant-event.ts'
import { runOrderStatus } from './order-status.ts'
import { loadRefund, queueRefund } from '../refund.ts'
import { runPointsAward } from './points-award.ts'

const MS_PER_SECOND = 1000

/**
 * The second consumer: re-reads the rows and does what has not happened.
 *
 * It depends neither on order-status nor on points-award having run, failed or died: money confirmed and the
 * order not paid? Made paid now. Paid without a grant? Created. Grant overdue? Sent again. All right? Done.
 */
export async function runCompensation(
  deps: WorkerDeps,
  job: CompensationJob,
  signal: AbortSignal,
): Promise<void> {
  const { merchantId } = job
  const received = await findUnappliedNotifications(deps.db, merchantId, job.notificationIds ?? [])
  if (received.length > 0) await runOrderStatus(deps, { merchantId, notificationIds: received })
  await repairGrants(deps.db, deps, merchantId, job.paymentIds ?? [])
  const overdueSince = addMs(deps.clock.now(), -deps.retrySeconds * MS_PER_SECOND)
  const grants = await findOverdueGrants(deps.db, job, overdueSince)
  for (const grantId of grants) await awardApart(deps, { merchantId, grantId }, signal)
  for (const deliveryId of job.deliveryIds ?? []) {
    await runMerchantEvent(deps, { merchantId, deliveryId })
  }
  for (const refundId of job.refundIds ?? []) await wakeRefund(deps, { merchantId, refundId })
}

/** One grant that cannot be given keeps no other from being given: its row is due again. */
async function awardApart(
  deps: WorkerDeps,
  job: PointsAwardJob,
  signal: AbortSignal,
): Promise<void> {
  try {
    await runPointsAward(deps, job, signal)
  } catch (error) {
    if (!(error instanceof TryAgain)) throw error
    deps.log.warn({ grant: job.grantId, error: error.message }, 'points wait for the next sweep')
  }
}

/** Never sent: send. Sent or accepted: ask. The two are never mixed up (RF-07). */
async function wakeRefund(deps: WorkerDeps, job: RefundJob): Promise<void> {
  const known = await loadRefund(deps.db, job)
  if (known === undefined) return
  await queueRefund(
    deps,
    known.refund.state === 'requested' ? 'refund-submit' : 'refund-query',
    job,
  )
}
