import { commit } from '#db/commit'
import { findOverdueGrants, findUnappliedNotifications, repairGrants } from '#db/compensation'
import { recordRepair } from '#db/repair'
import type { Repair } from '#db/repair'
import type { NotificationId, PointsGrantId } from '#domain/id'
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
 *
 * What still waits for its turn in a queue that is behind is not undone but late: it is left to its own job, and
 * looked at again.
 */
export async function runCompensation(
  deps: WorkerDeps,
  job: CompensationJob,
  signal: AbortSignal,
): Promise<void> {
  const { merchantId } = job
  const waiting = (job.notificationIds ?? []).filter((id) => deps.turns.waits('order-status', id))
  await applyLeft(deps, job, waiting)
  const created = await repairGrants(deps.db, deps, merchantId, job.paymentIds ?? [])
  if (created.length > 0) deps.log.warn({ repair: 'grant_created', ids: created }, REPAIRED)
  const areAllSent = await sendLeft(deps, job, signal)
  for (const deliveryId of job.deliveryIds ?? []) {
    await runMerchantEvent(deps, { merchantId, deliveryId })
  }
  for (const refundId of job.refundIds ?? []) await wakeRefund(deps, { merchantId, refundId })
  const paymentIds = areAllSent ? [] : (job.paymentIds ?? [])
  await lookAgain(deps, { merchantId, notificationIds: waiting, paymentIds })
}

const REPAIRED = 'repaired: it had not been done when it was looked at again'

/** Applies what is still received. One that cannot be applied does not hide what the others have become. */
async function applyLeft(
  deps: WorkerDeps,
  { merchantId, notificationIds = [] }: CompensationJob,
  waiting: readonly NotificationId[],
): Promise<void> {
  const due = notificationIds.filter((id) => !waiting.includes(id))
  const received = await findUnappliedNotifications(deps.db, merchantId, due)
  if (received.length === 0) return
  try {
    await runOrderStatus(deps, { merchantId, notificationIds: received })
  } finally {
    const left = await findUnappliedNotifications(deps.db, merchantId, received)
    await record(deps, {
      merchantId,
      kind: 'notification_applied',
      ids: received.filter((id) => !left.includes(id)),
    })
  }
}

/** False when some are left to jobs of their own. */
async function sendLeft(
  deps: WorkerDeps,
  job: CompensationJob,
  signal: AbortSignal,
): Promise<boolean> {
  const { merchantId } = job
  const overdueSince = addMs(deps.clock.now(), -deps.retrySeconds * MS_PER_SECOND)
  const overdue = await findOverdueGrants(deps.db, job, overdueSince)
  const due = overdue.filter((id) => !deps.turns.waits('points-award', id))
  const given: PointsGrantId[] = []
  for (const grantId of due) {
    if (await awardApart(deps, { merchantId, grantId }, signal)) given.push(grantId)
  }
  await record(deps, { merchantId, kind: 'grant_sent', ids: given })
  return due.length === overdue.length
}

/** What the sweep has named is not among them: it comes back for those by itself. */
async function lookAgain(
  { db, jobs, compensationSeconds }: WorkerDeps,
  data: CompensationJob & Required<Pick<CompensationJob, 'notificationIds' | 'paymentIds'>>,
): Promise<void> {
  if (data.notificationIds.length + data.paymentIds.length === 0) return
  await commit(db, 'compensation.later', (trx) =>
    jobs.send(trx, 'compensation', [{ data, startAfterSeconds: compensationSeconds }]),
  )
}

/** Counted, logged and audited (design, section 6). */
async function record(deps: WorkerDeps, repair: Omit<Repair, 'at'>): Promise<void> {
  if (repair.ids.length === 0) return
  deps.log.warn({ repair: repair.kind, ids: repair.ids }, REPAIRED)
  await commit(deps.db, 'repair.record', (trx) =>
    recordRepair(trx, { ...repair, at: deps.clock.now() }),
  )
}

/** One grant that cannot be given keeps no other from being given: its row is due again. False: not yet. */
async function awardApart(
  deps: WorkerDeps,
  job: PointsAwardJob,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await runPointsAward(deps, job, signal)
    return true
  } catch (error) {
    if (!(error instanceof TryAgain)) throw error
    deps.log.warn({ grant: job.grantId, error: error.message }, 'points wait for the next sweep')
    return false
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
