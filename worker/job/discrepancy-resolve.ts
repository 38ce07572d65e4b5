import { findDiscrepancy, leaveToPeople, resolveByMachine } from '#db/discrepancy'
import type { DiscrepancyRow } from '#db/discrepancy'
import { findPayment } from '#db/payment'
import type { PaymentRow } from '#db/payment'
import { findRefundsOf } from '#db/refund'
import { parsePaymentId, parseRefundId } from '#domain/id'
import type { DiscrepancyJob } from '#domain/job'
import type { WorkerDeps } from '../deps.ts'
import { applyFacts, requestOf } from '../refund.ts'
import { loadVendor, speak } from '../vendor.ts'
import { applyQuery, query } from './payment-query.ts'

/**
 * Repairs what a machine may repair: the bill line is the trigger, the vendor's answer is the proof.
 *
 * Nothing is written because a bill says so; what the query does not bring to agreement waits for a person.
 */
export async function runDiscrepancyResolve(deps: WorkerDeps, job: DiscrepancyJob): Promise<void> {
  const row = await findDiscrepancy(deps.db, job.merchantId, job.discrepancyId)
  if (row?.state !== 'repairing') return
  const payment = await findOwn(deps, row)
  if (payment === undefined) {
    return leaveToPeople(deps.db, row, 'no payment of ours is named', deps.clock.now())
  }
  if (row.subject_kind === 'refund') await askForRefund(deps, row, payment)
  else await askForPayment(deps, payment)
  const isRepaired =
    row.subject_kind === 'refund'
      ? await isRefundThere(deps, row, payment)
      : await isPaidThere(deps, row, payment)
  if (!isRepaired) {
    const reason = 'the vendor was asked and did not settle it'
    return leaveToPeople(deps.db, row, reason, deps.clock.now())
  }
  await resolveByMachine(deps.db, row, 'the vendor confirmed it when asked', deps.clock.now())
}

async function findOwn(deps: WorkerDeps, row: DiscrepancyRow): Promise<PaymentRow | undefined> {
  const named = row.evidence['payment']
  const id = parsePaymentId(typeof named === 'string' ? named : '')
  const found = id && (await findPayment(deps.db, row.merchant_id, id))
  return found?.payment
}

async function askForPayment(deps: WorkerDeps, payment: PaymentRow): Promise<void> {
  const vendor = await loadVendor(deps, payment)
  await applyQuery(deps, payment, await query(deps, vendor, payment))
}

/** A bill that lacks our payment is not mended by a query that finds it: then the bill is wrong. */
async function isPaidThere(
  deps: WorkerDeps,
  row: DiscrepancyRow,
  payment: PaymentRow,
): Promise<boolean> {
  if (row.kind === 'missing_there') return false
  const after = await findPayment(deps.db, payment.merchant_id, payment.id)
  const ours = after?.payment.received_amount ?? after?.payment.amount
  return after?.payment.state === 'paid' && ours === row.their_amount
}

/** Asks about the number that the bill names: ours, or one that the vendor's console gave. */
async function askForRefund(
  deps: WorkerDeps,
  row: DiscrepancyRow,
  payment: PaymentRow,
): Promise<void> {
  const vendor = await loadVendor(deps, payment)
  const part = vendor.channel.refund
  const refunds = await findRefundsOf(deps.db, payment.merchant_id, payment.id)
  const own = refunds.find((refund) => refund.id === row.evidence['refund'])
  if (part === undefined) return
  const request =
    own === undefined
      ? foreignRequest(deps, row, payment)
      : requestOf(deps, { refund: own, payment })
  if (request === undefined) return
  const outcome = await speak(deps, vendor, { payment }, (record) => part.query(request, record))
  if (outcome.kind === 'found') await applyFacts(deps, payment, outcome.facts)
}

function foreignRequest(deps: WorkerDeps, row: DiscrepancyRow, payment: PaymentRow) {
  const number = row.evidence['number']
  const refundId = parseRefundId(typeof number === 'string' ? number : '')
  const vendorNumber = row.evidence['vendor_number']
  if (refundId === undefined || row.their_amount === null) return undefined
  return {
    refundId,
    payment: { paymentId: payment.id, method: payment.method, createdAt: payment.created_at },
    paid: { currency: payment.currency, minor: payment.amount },
    amount: { currency: payment.currency, minor: row.their_amount },
    reason: '',
    callbackUrl: `${deps.publicUrl}/callback/${payment.channel_account_id}`,
    ...(typeof vendorNumber === 'string' ? { channelRefundId: vendorNumber } : {}),
  }
}

async function isRefundThere(
  deps: WorkerDeps,
  row: DiscrepancyRow,
  payment: PaymentRow,
): Promise<boolean> {
  if (row.kind === 'missing_there') return false
  const refunds = await findRefundsOf(deps.db, payment.merchant_id, payment.id)
  const names = namesOf(row, payment)
  return refunds.some(
    (ours) =>
      (names.has(ours.id) || names.has(ours.channel_refund_id ?? '')) &&
      ours.amount === row.their_amount &&
      ['accepted', 'succeeded', 'abnormal'].includes(ours.state),
  )
}

/** What the bill's line calls the refund, as our rows may call it. */
function namesOf({ evidence }: DiscrepancyRow, payment: PaymentRow): ReadonlySet<string> {
  const { number, vendor_number: vendorNumber, refund } = evidence
  const within = typeof number === 'string' && number !== '' ? `${payment.id}:${number}` : ''
  const names = [vendorNumber, refund, number, within]
  return new Set(names.filter((name) => typeof name === 'string').filter((name) => name !== ''))
}
