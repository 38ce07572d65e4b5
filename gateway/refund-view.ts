import type { ShownRefund } from '#db/refund-view'
import { jsonMinor } from '#domain/money'

/** A refund as the merchant API shows it. */
export const viewRefund = ({ refund, pointsTakenBack }: ShownRefund) => ({
  id: refund.id,
  object: 'refund',
  payment: refund.payment_id,
  state: refund.state,
  origin: refund.origin,
  amount: jsonMinor(refund.amount),
  currency: refund.currency,
  reason: refund.reason,
  channel_refund_id: refund.channel_refund_id,
  refusal_code: refund.refusal_code,
  points_taken_back: jsonMinor(pointsTakenBack),
  created_at: refund.created_at.toISOString(),
  succeeded_at: refund.succeeded_at?.toISOString() ?? null,
})
