import { applyRefundNotification } from '#db/refund/apply-refund-notification'
import { findPayment, referenceOf } from '#db/payment/payment'
import { parsePaymentId } from '#domain/id'
import type { MerchantId, NotificationId } from '#domain/id'
import { around } from '#failpoint'
import type { WorkerDeps } from './deps.ts'
import { loadVendor, speak } from './vendor.ts'

/**
 * Applies one piece of refund news.
 *
 * Of a refund at the vendor's own console a message may not say how much it was (Alipay dossier, section 4.3:
 * only a sum). Then the vendor is asked by the number that the message names, outside of any transaction. While
 * it does not answer, or may not be asked so often, the row waits; after an hour it is for a person.
 */
export async function applyRefundNews(
  deps: WorkerDeps,
  merchantId: MerchantId,
  id: NotificationId,
): Promise<void> {
  const decision = await applyRefundNotification(deps.db, deps, merchantId, id, 'ask')
  if (decision?.kind !== 'ask_refund') return
  const paymentId = parsePaymentId(decision.paymentNumber)
  const known = paymentId && (await findPayment(deps.db, merchantId, paymentId))
  if (known === undefined) return
  const { payment } = known
  const vendor = await loadVendor(deps, payment)
  const part = vendor.channel.refund
  if (part?.queryForeign === undefined) {
    await applyRefundNotification(deps.db, deps, merchantId, id)
    return
  }
  const limit = vendor.channel.capabilities.queriesPerMinuteMax
  if (!deps.queryLimit.take(vendor.account.id, limit)) return
  const ask = part.queryForeign
  const outcome = await speak(deps, vendor, { payment }, (record) =>
    around('vendor.foreign-refund', () => ask(referenceOf(payment), decision.refundNumber, record)),
  )
  // Absent is not final so soon, and what is not done yet is not recorded: asked again with the next sweep.
  if (outcome.kind !== 'found' || outcome.facts.refundState !== 'succeeded') return
  await applyRefundNotification(deps.db, deps, merchantId, id, outcome.facts)
}
