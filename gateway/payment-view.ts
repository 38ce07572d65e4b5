import { z } from 'zod'
import type { PaymentRow, ShownOrder } from '#db/payment/payment'
import { METHODS, WALLETS } from '#domain/method'
import { jsonMinor } from '#domain/money'
import type { GatewayDeps } from './deps.ts'
import { isPayable } from './payable.ts'

const texts = z.record(z.string(), z.string())

/** What the shop's page or app must do next (design, section 5). */
const nextActionSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('form'), action: z.string(), fields: texts }),
  z.object({ type: z.literal('redirect'), url: z.string() }),
  z.object({
    type: z.literal('qr_code'),
    content: z.string(),
    svg_url: z.string(),
    png_url: z.string(),
  }),
  z.object({ type: z.literal('sdk'), params: texts }),
])

export const orderStateSchema = z.enum(['unpaid', 'paid', 'closed', 'partly_refunded', 'refunded'])

export const paymentSchema = z.object({
  id: z.string().describe('Also the order number that the vendor sees.'),
  object: z.literal('payment'),
  state: z.enum(['created', 'pending', 'paid', 'closed']),
  disposition: z
    .enum(['counted', 'excess', 'late'])
    .nullable()
    .describe('How a paid payment stands to its order.'),
  method: z.enum(METHODS),
  wallet: z.enum(WALLETS).nullable(),
  amount: z.int(),
  received_amount: z.int().nullable(),
  refunded: z.int(),
  currency: z.literal('CNY'),
  subject: z.string(),
  channel_account: z.string(),
  channel_payment_id: z.string().nullable().describe("The vendor's own number."),
  wallet_payment_id: z
    .string()
    .nullable()
    .describe("The wallet's own number, where an aggregator stands between."),
  refusal_code: z.string().nullable(),
  order: z.object({ order_number: z.string(), state: orderStateSchema, user_id: z.string() }),
  next_action: nextActionSchema.nullable().describe('Only while the payment can be paid.'),
  pay_url: z.string(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  paid_at: z.iso.datetime().nullable().describe("The vendor's time."),
})

/** A payment as the merchant API shows it. */
export function viewPayment(
  deps: Pick<GatewayDeps, 'publicUrl' | 'clock'>,
  payment: PaymentRow,
  order: ShownOrder,
): z.input<typeof paymentSchema> {
  return {
    id: payment.id,
    object: 'payment',
    state: payment.state,
    disposition: payment.disposition,
    method: payment.method,
    wallet: payment.wallet,
    amount: jsonMinor(payment.amount),
    // Differs from the amount only where an operator has accepted another one.
    received_amount: payment.received_amount === null ? null : jsonMinor(payment.received_amount),
    refunded: jsonMinor(payment.refunded),
    currency: payment.currency,
    subject: payment.subject,
    channel_account: payment.channel_account_id,
    channel_payment_id: payment.channel_payment_id,
    wallet_payment_id: payment.wallet_payment_id,
    refusal_code: payment.refusal_code,
    order: { order_number: order.order_number, state: order.state, user_id: order.user_id },
    next_action: isPayable(payment, deps.clock.now()) ? viewAction(deps, payment) : null,
    pay_url: `${deps.publicUrl}/pay/${payment.id}`,
    created_at: payment.created_at.toISOString(),
    expires_at: payment.expires_at.toISOString(),
    paid_at: payment.paid_at?.toISOString() ?? null,
  }
}

/** The same as the text of an answer. */
export const showPayment = (
  deps: Pick<GatewayDeps, 'publicUrl' | 'clock'>,
  payment: PaymentRow,
  order: ShownOrder,
): string => JSON.stringify(viewPayment(deps, payment, order))

function viewAction(
  { publicUrl }: Pick<GatewayDeps, 'publicUrl'>,
  payment: PaymentRow,
): z.input<typeof nextActionSchema> | null {
  const action = payment.next_action
  if (action?.type !== 'qr_code') return action
  const address = `${publicUrl}/v1/payments/${payment.id}`
  return { ...action, svg_url: `${address}/qr.svg`, png_url: `${address}/qr.png` }
}
