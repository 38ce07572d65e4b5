import { applyNotifications } from '#db/notification/apply-notification'
import { findRefundNews } from '#db/refund/apply-refund-notification'
import { CONFIRM_PAYMENTS_MAX, PlanChanged } from '#db/payment/confirm-payment'
import type { OrderStatusJob } from '#domain/job'
import type { NotificationId } from '#domain/id'
import type { WorkerDeps } from '../deps.ts'
import { applyRefundNews } from '../refund-news.ts'

/** Serialisation failure, deadlock, lock time-out, unique violation: the same work may succeed now. */
const RERUN_CODES = new Set(['40001', '40P01', '55P03', '23505'])

/**
 * Applies notifications: payment and order paid, points grant and jobs, all in one commit.
 *
 * A batch that fails goes one by one, so that a poison row costs only itself; the first error is thrown when
 * all had their turn, and the job comes back for what is left.
 */
export async function runOrderStatus(deps: WorkerDeps, job: OrderStatusJob): Promise<void> {
  const errors: unknown[] = []
  for (const ids of chunks(job.notificationIds, CONFIRM_PAYMENTS_MAX)) {
    errors.push(...(await applyOrSplit(deps, job, ids)))
  }
  // After the payments: news of both may have come together.
  const news = await findRefundNews(deps.db, job.merchantId, job.notificationIds)
  errors.push(...(await eachApart(news, (id) => applyRefundNews(deps, job.merchantId, id))))
  if (errors.length > 0) throw errors[0]
}

async function applyOrSplit(
  deps: WorkerDeps,
  job: OrderStatusJob,
  ids: readonly NotificationId[],
): Promise<readonly unknown[]> {
  try {
    await apply(deps, job, ids)
    return []
  } catch (error) {
    if (ids.length === 1 && !isRerun(error)) return [error]
    return eachApart(ids, (id) => apply(deps, job, [id]))
  }
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

/** One that fails costs only itself. Returns what was thrown. */
async function eachApart(
  ids: readonly NotificationId[],
  work: (id: NotificationId) => Promise<unknown>,
): Promise<readonly unknown[]> {
  const errors: unknown[] = []
  for (const id of ids) {
    try {
      await work(id)
    } catch (error) {
      errors.push(error)
    }
  }
  return errors
}

function isRerun(error: unknown): boolean {
  if (error instanceof PlanChanged) return true
  return error instanceof Error && 'code' in error && RERUN_CODES.has(String(error.code))
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size))
}
