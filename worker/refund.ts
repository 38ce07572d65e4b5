import type { RefundRequest } from '#channel/channel'
import { applyRefund } from '#db/refund/apply-refund'
import { openCase } from '#db/case/case'
import type { Db } from '#db/database'
import { findPayment, referenceOf } from '#db/payment/payment'
import type { PaymentRow } from '#db/payment/payment'
import { findRefund } from '#db/refund/refund'
import type { RefundRow } from '#db/refund/refund'
import { delayRefund } from '#db/refund/send-refund'
import type { RefundJob } from '#domain/job'
import type { RefundFacts } from '#domain/notification'
import { addMs } from '#domain/time'
import { commit } from '#db/commit'
import type { WorkerDeps } from './deps.ts'

export interface KnownRefund {
  readonly refund: RefundRow
  readonly payment: PaymentRow
}

/** The refund that a job names, with its payment; `undefined` when there is nothing to do any more. */
export async function loadRefund(db: Db, job: RefundJob): Promise<KnownRefund | undefined> {
  const refund = await findRefund(db, job.merchantId, job.refundId)
  if (refund === undefined || refund.due_at === null) return undefined
  const found = await findPayment(db, job.merchantId, refund.payment_id)
  return found === undefined ? undefined : { refund, payment: found.payment }
}

/** A verified answer is a witness like a query's. */
export async function applyFacts(
  deps: WorkerDeps,
  payment: PaymentRow,
  facts: RefundFacts,
): Promise<void> {
  const claim = { facts, channelAccountId: payment.channel_account_id }
  await commit(deps.db, 'refund.answer', (trx) =>
    applyRefund(trx, deps, payment.merchant_id, claim, 'query'),
  )
}

/** What the vendor is told; the same rows make the same request. */
export function requestOf(
  deps: Pick<WorkerDeps, 'publicUrl'>,
  { refund, payment }: KnownRefund,
): RefundRequest {
  const paid = payment.received_amount ?? payment.amount
  return {
    refundId: refund.id,
    payment: referenceOf(payment),
    paid: { currency: payment.currency, minor: paid },
    amount: { currency: refund.currency, minor: refund.amount },
    reason: refund.reason,
    callbackUrl: `${deps.publicUrl}/callback/${payment.channel_account_id}`,
    ...(refund.vendor_time === null ? {} : { vendorTime: refund.vendor_time }),
    ...(refund.channel_refund_id === null ? {} : { channelRefundId: refund.channel_refund_id }),
  }
}

/** One job after another: a call and a query are never one unit of work. */
export const queueRefund = (
  deps: WorkerDeps,
  queue: 'refund-submit' | 'refund-query',
  job: RefundJob,
): Promise<void> =>
  commit(deps.db, 'refund.queue', (trx) => deps.jobs.send(trx, queue, [{ data: job }]))

const MS_PER_SECOND = 1000
const DAY_MS = 86_400_000

/** In as long again as `since` is ago, up to a day: a vendor counts the calls, and a bank may take days. */
export async function lookLater(deps: WorkerDeps, refund: RefundRow, since: Date): Promise<void> {
  const now = deps.clock.now()
  const ageMs = now.getTime() - since.getTime()
  const pauseMs = Math.min(Math.max(ageMs, deps.retrySeconds * MS_PER_SECOND), DAY_MS)
  await delayRefund(deps.db, refund, addMs(now, pauseMs))
}

/** Days that a refund may be without a result before a person hears of it; banks work on accepted ones. */
const PATIENCE_DAYS: Readonly<Record<string, number>> = { requested: 1, sent: 1, accepted: 7 }

/** Opens a case, once, for a refund that still has no result; the machine goes on. */
export async function tellIfOld(deps: WorkerDeps, job: RefundJob): Promise<void> {
  const known = await loadRefund(deps.db, job)
  if (known === undefined) return
  const { refund } = known
  const patienceMs = (PATIENCE_DAYS[refund.state] ?? 0) * DAY_MS
  if (deps.clock.now() < addMs(refund.created_at, patienceMs)) return
  await openCase(deps.db, {
    merchantId: refund.merchant_id,
    kind: refund.state === 'requested' ? 'refund_waiting' : 'refund_unknown',
    subject: refund.id,
    evidence: { payment: refund.payment_id, state: refund.state, since: refund.created_at },
  })
}
