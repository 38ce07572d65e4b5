import type { Capabilities, QueryOutcome } from '#channel/channel'
import { openCase } from '#db/case/case'
import { confirmPayment } from '#db/payment/confirm-payment'
import { closeAttempt } from '#db/payment/close-payment'
import { findPayment, referenceOf } from '#db/payment/payment'
import type { PaymentRow } from '#db/payment/payment'
import { planNextQuery } from '#db/payment/payment-query'
import { recordRepair } from '#db/repair'
import { unreachable } from '#domain/assert'
import type { PaymentQueryJob } from '#domain/job'
import type { PaymentFacts } from '#domain/notification'
import { planQuery } from '#domain/query-plan'
import { addMs } from '#domain/time'
import { commit } from '#db/commit'
import { around } from '#failpoint'
import type { WorkerDeps } from '../deps.ts'
import { loadVendor, speak } from '../vendor.ts'
import type { Vendor } from '../vendor.ts'

const MS_PER_SECOND = 1000
/** A query that the vendor's allowance has no room for comes up again. */
const LIMITED_MS = 20_000

/**
 * Asks the vendor about a payment that is not paid here, and plans the next query.
 *
 * Absent, not yet and unknown change nothing: a payment is never failed by an answer that did not come.
 * After its deadline a `payment-close` job brings it to an end.
 */
export async function runPaymentQuery(deps: WorkerDeps, job: PaymentQueryJob): Promise<void> {
  const found = await findPayment(deps.db, job.merchantId, job.paymentId)
  if (found === undefined || found.payment.state === 'paid') return
  const { payment } = found
  const vendor = await loadVendor(deps, payment)
  const { capabilities } = vendor.channel
  if (!deps.queryLimit.take(vendor.account.id, capabilities.queriesPerMinuteMax)) {
    await planNextQuery(deps.db, payment, addMs(deps.clock.now(), LIMITED_MS))
    return
  }
  const outcome = await query(deps, vendor, payment)
  await applyQuery(deps, payment, outcome)
  await planNext(deps, payment, capabilities)
}

/** One query, with its place in the transaction log. */
export const query = (
  deps: WorkerDeps,
  vendor: Vendor,
  payment: PaymentRow,
): Promise<QueryOutcome> =>
  speak(deps, vendor, { payment }, (record) =>
    around('vendor.query', () => vendor.channel.queryPayment(referenceOf(payment), record)),
  )

/** Does what an answer proves, and nothing else. */
export async function applyQuery(
  deps: WorkerDeps,
  payment: PaymentRow,
  outcome: QueryOutcome,
): Promise<void> {
  if (outcome.kind !== 'found') return
  const { facts } = outcome
  switch (facts.vendorState) {
    case 'success':
      return confirmByQuery(deps, payment, facts)
    case 'closed':
      await closeAttempt(deps.db, payment, `query: ${facts.vendorStateText}`, deps.clock.now())
      return
    case 'money_moved':
      return openCase(deps.db, {
        merchantId: payment.merchant_id,
        kind: 'money_moved',
        subject: payment.id,
        evidence: { vendor_state: facts.vendorStateText },
      })
    case 'not_yet':
    case 'failed':
    case 'unknown':
      return
    default:
      return unreachable(facts.vendorState)
  }
}

export async function confirmByQuery(
  deps: WorkerDeps,
  payment: PaymentRow,
  facts: PaymentFacts,
): Promise<void> {
  const claim = { facts, channelAccountId: payment.channel_account_id }
  const { merchant_id: merchantId, id } = payment
  const isFound = await commit(deps.db, 'query.confirm', async (trx) => {
    const outcomes = await confirmPayment(trx, deps, merchantId, [claim], 'query')
    if (!outcomes.some(({ decision }) => decision.kind === 'pay')) return false
    await recordRepair(trx, { merchantId, kind: 'payment_found', ids: [id], at: deps.clock.now() })
    return true
  })
  // Its callback is lost, or still on its way: the shop does not wait for it.
  if (isFound) deps.log.info({ repair: 'payment_found', payment: id }, 'paid, says the vendor')
}

async function planNext(
  deps: WorkerDeps,
  payment: PaymentRow,
  { queryPaceSeconds, closeMarginSeconds }: Capabilities,
): Promise<void> {
  const now = deps.clock.now()
  const after = await findPayment(deps.db, payment.merchant_id, payment.id)
  if (after === undefined) return
  const plan = planQuery({
    state: after.payment.state,
    createdAt: payment.created_at,
    expiresAt: payment.expires_at,
    now,
    paceSeconds: queryPaceSeconds,
    marginSeconds: closeMarginSeconds,
  })
  await planNextQuery(deps.db, payment, plan.kind === 'at' ? plan.at : null)
  if (plan.kind === 'give_up') await openUndecided(deps, payment)
  const closeAt = addMs(payment.expires_at, closeMarginSeconds * MS_PER_SECOND)
  const isOpen = after.payment.state === 'created' || after.payment.state === 'pending'
  if (isOpen && now >= closeAt) await queueClose(deps, payment)
}

/** Nobody could decide it in days: never closed on that ground, so a person asks the vendor. */
const openUndecided = (deps: WorkerDeps, payment: PaymentRow): Promise<void> =>
  openCase(deps.db, {
    merchantId: payment.merchant_id,
    kind: 'payment_undecided',
    subject: payment.id,
    evidence: { queries: payment.queries.toString() },
  })

const queueClose = (deps: WorkerDeps, payment: PaymentRow): Promise<void> =>
  commit(deps.db, 'query.queue-close', (trx) =>
    deps.jobs.send(trx, 'payment-close', [
      { data: { merchantId: payment.merchant_id, paymentId: payment.id } },
    ]),
  )
