import type { PaymentRow } from '#db/payment/payment'
import { findPayment } from '#db/payment/payment'
import type { PaymentId } from '#domain/id'
import type { Method } from '#domain/method'
import { jsonMinor } from '#domain/money'
import { createPayment } from './create-payment.ts'
import type { GatewayDeps } from './deps.ts'
import { Problem } from './problem.ts'

const MS_PER_SECOND = 1000

/**
 * Starts the attempt of another method for the same order and account, with what the shop said for the first.
 *
 * A repeat finds the live one, so that a customer cannot make more attempts than there are methods. It
 * ends when the first one ends; throws a `Problem` where no attempt can be made any more.
 */
export async function switchMethod(
  deps: GatewayDeps,
  payment: PaymentRow,
  method: Method,
): Promise<PaymentId> {
  const found = await findPayment(deps.db, payment.merchant_id, payment.id)
  if (found === undefined || payment.client_ip === null) {
    throw new Problem(409, 'method_not_changed', 'this payment cannot change its method')
  }
  const remainingMs = payment.expires_at.getTime() - deps.clock.now().getTime()
  const { id } = await createPayment(deps, payment.merchant_id, {
    order_number: found.order.order_number,
    user_id: found.order.user_id,
    amount: jsonMinor(payment.amount),
    currency: payment.currency,
    method,
    subject: payment.subject,
    client_ip: payment.client_ip,
    channel_account: payment.channel_account_id,
    expires_in_s: Math.floor(remainingMs / MS_PER_SECOND),
    ...(payment.wallet === null ? {} : { wallet: payment.wallet }),
    ...(payment.payer_open_id === null ? {} : { payer_open_id: payment.payer_open_id }),
    ...(payment.return_url === null ? {} : { return_url: payment.return_url }),
  })
  return id
}
