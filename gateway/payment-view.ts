import type { OrderRow, PaymentRow } from '#db/payment'
import { jsonMinor } from '#domain/money'
import type { GatewayDeps } from './deps.ts'
import { isPayable } from './payable.ts'

/** A payment as the merchant API shows it. */
export function viewPayment(
  deps: Pick<GatewayDeps, 'publicUrl' | 'clock'>,
  payment: PaymentRow,
  order: Pick<OrderRow, 'order_number' | 'state' | 'user_id'>,
) {
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
    refusal_code: payment.refusal_code,
    order: { order_number: order.order_number, state: order.state, user_id: order.user_id },
    next_action: isPayable(payment, deps.clock.now()) ? viewAction(deps, payment) : null,
    pay_url: `${deps.publicUrl}/pay/${payment.id}`,
    created_at: payment.created_at.toISOString(),
    expires_at: payment.expires_at.toISOString(),
    paid_at: payment.paid_at?.toISOString() ?? null,
  }
}

function viewAction({ publicUrl }: Pick<GatewayDeps, 'publicUrl'>, payment: PaymentRow) {
  const action = payment.next_action
  if (action?.type !== 'qr_code') return action
  const address = `${publicUrl}/v1/payments/${payment.id}`
  return { ...action, svg_url: `${address}/qr.svg`, png_url: `${address}/qr.png` }
}
