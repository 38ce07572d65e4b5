import { applyNotifications } from '#db/apply-notification'
import { findRefundNews } from '#db/apply-refund-notification'
import { CONFIRM_PAYMENTS_MAX, PlanChanged } from '#db/confirm-payment'
import type { OrderStatusJob } from '#domain/job'
import type { NotificationId } from '#domain/id'
import type { WorkerDeps } from '../deps.ts'
import { applyRefundNews } from '../refund-news.ts'

/** Serialisation failure, deadlock, lock time-out, unique violation: the same work may succeed now. */
const RERUN_CODES = new Set(['40001', '40P01', '55P03', '23505'])

/**
 * Applies notifications: payment and order paid, points grant and jobs, all in one commit.
 *
 * A batch that fails goes one by one, so that a poison row costs only itself; the first error is thrown at
 * the end, and the job comes back for what is left.
 */
export async function runOrderStatus(deps: WorkerDeps, job: OrderStatusJob): Promise<void> {
  for (const ids of chunks(job.notificationIds, CONFIRM_PAYMENTS_MAX)) {
    try {
      await apply(deps, job, ids)
    } catch (error) {
      if (ids.length === 1 && !isRerun(error)) throw error
      await eachApart(ids, (id) => apply(deps, job, [id]))
    }
  }
  // After the payments: news of both may have come together.
  const news = await findRefundNews(deps.db, job.merchantId, job.notificationIds)
  await eachApart(news, (id) => applyRefundNews(deps, job.merchantId, id))
}

/** What is quarantined has a case; the line is for whoever is to be woken by it. */
async function apply(
  deps: WorkerDeps,
  { merchantId }: OrderStatusJob,
  ids: readonly NotificationId[],
): Promise<void> {
  for (const applied of await applyNotifications(deps.db, deps, merchantId, ids)) {
    if (applied.quarantineReason === undefined) continue
    deps.log.warn(
      {
        notification: applied.id,
        payment: applied.paymentNumber,
        reason: applied.quarantineReason,
      },
      'notification quarantined: a case is open',
    )
  }
}

/** One that fails costs only itself; the first error is thrown when all had their turn. */
async function eachApart(
  ids: readonly NotificationId[],
  work: (id: NotificationId) => Promise<unknown>,
): Promise<void> {
  const errors: unknown[] = []
  for (const id of ids) {
    try {
      await work(id)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

function isRerun(error: unknown): boolean {
  if (error instanceof PlanChanged) return true
  return error instanceof Error && 'code' in error && RERUN_CODES.has(String(error.code))
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size))
}
