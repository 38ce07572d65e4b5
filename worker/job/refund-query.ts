import type { RefundPart, RefundQueryOutcome } from '#channel/channel'
import { openCase } from '#db/case/case'
import type { RefundRow } from '#db/refund/refund'
import { delayRefund } from '#db/refund/send-refund'
import { unreachable } from '#domain/assert'
import type { RefundJob } from '#domain/job'
import { addMs } from '#domain/time'
import { around } from '#failpoint'
import type { WorkerDeps } from '../deps.ts'
import { applyFacts, loadRefund, lookLater, queueRefund, requestOf, tellIfOld } from '../refund.ts'
import type { KnownRefund } from '../refund.ts'
import { loadVendor, speak } from '../vendor.ts'

const MS_PER_SECOND = 1000

/**
 * Asks the vendor what became of a refund. Unknown for days is still no failure: the amount stays reserved.
 *
 * Absent: where a repeat is the same refund it is sent again, elsewhere a person decides.
 */
export async function runRefundQuery(deps: WorkerDeps, job: RefundJob): Promise<void> {
  const known = await loadRefund(deps.db, job)
  // Never sent: there is nothing to ask about, and sending is another job's work (RF-07).
  if (known === undefined || known.refund.state === 'requested') return
  const { refund, payment } = known
  const vendor = await loadVendor(deps, payment)
  const part = vendor.channel.refund
  if (part === undefined) return
  const request = requestOf(deps, known)
  const about = { payment, refundId: refund.id }
  const outcome = await speak(deps, vendor, about, (record) =>
    around('vendor.refund-query', () => part.query(request, record)),
  )
  await applyOutcome(deps, part, known, outcome)
  await tellIfOld(deps, job)
}

async function applyOutcome(
  deps: WorkerDeps,
  part: RefundPart,
  known: KnownRefund,
  outcome: RefundQueryOutcome,
): Promise<void> {
  const sentAt = sentAtOf(known.refund)
  switch (outcome.kind) {
    case 'found':
      await lookLater(deps, known.refund, sentAt)
      return applyFacts(deps, known.payment, outcome.facts)
    case 'absent':
      return afterAbsence(deps, part, known, outcome.code)
    case 'unknown':
      return lookLater(deps, known.refund, sentAt)
    default:
      return unreachable(outcome)
  }
}

async function afterAbsence(
  deps: WorkerDeps,
  part: RefundPart,
  { refund, payment }: KnownRefund,
  code: string,
): Promise<void> {
  const now = deps.clock.now()
  const sentAt = sentAtOf(refund)
  const meansSomethingAt = addMs(sentAt, part.absentAfterSeconds * MS_PER_SECOND)
  if (now < meansSomethingAt) return delayRefund(deps.db, refund, meansSomethingAt)
  if (part.isRepeatable && refund.state === 'sent') {
    const job = { merchantId: refund.merchant_id, refundId: refund.id }
    return queueRefund(deps, 'refund-submit', job)
  }
  await lookLater(deps, refund, sentAt)
  await openCase(deps.db, {
    merchantId: refund.merchant_id,
    kind: 'refund_unknown',
    subject: refund.id,
    evidence: { payment: payment.id, vendor: code },
  })
}

const sentAtOf = (refund: RefundRow): Date => refund.sent_at ?? refund.created_at
