import { z } from 'zod'
import type { ShownRefund } from '#db/refund/refund-view'
import { jsonMinor } from '#domain/money'
import type { RefundState } from '#domain/state'

export const REFUND_STATES = [
  'requested',
  'sent',
  'accepted',
  'succeeded',
  'refused',
  'abnormal',
] as const satisfies readonly RefundState[]

export const refundSchema = z.object({
  id: z.string().describe('Also the refund number that the vendor sees.'),
  object: z.literal('refund'),
  payment: z.string(),
  refund_number: z.string().nullable().describe("The merchant's own number."),
  state: z
    .enum(REFUND_STATES)
    .describe('What is not known yet is `sent`: no failure, and not to be asked for again.'),
  origin: z.enum(['merchant', 'policy', 'operator', 'vendor']),
  amount: z.int(),
  currency: z.literal('CNY'),
  reason: z.string(),
  channel_refund_id: z.string().nullable().describe("The vendor's own number."),
  refusal_code: z.string().nullable(),
  points_taken_back: z.int(),
  created_at: z.iso.datetime(),
  succeeded_at: z.iso.datetime().nullable(),
})

/** A refund as the merchant API shows it. */
export const viewRefund = ({
  refund,
  pointsTakenBack,
}: ShownRefund): z.input<typeof refundSchema> => ({
  id: refund.id,
  object: 'refund',
  payment: refund.payment_id,
  refund_number: refund.refund_number,
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
