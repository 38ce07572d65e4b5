import { findPayment } from '#db/payment/payment'
import type { OrderRow, PaymentRow } from '#db/payment/payment'
import type { MerchantId } from '#domain/id'
import { parsePaymentId } from '#domain/id'
import type { GatewayDeps } from './deps.ts'
import { Problem } from './problem.ts'

export interface FoundPayment {
  readonly payment: PaymentRow
  readonly order: OrderRow
}

/** A payment of this merchant by the id in an address. Another merchant's is not found. */
export async function loadPayment(
  deps: Pick<GatewayDeps, 'db'>,
  merchantId: MerchantId,
  text: string,
): Promise<FoundPayment> {
  const id = parsePaymentId(text)
  const found = id === undefined ? undefined : await findPayment(deps.db, merchantId, id)
  if (found === undefined) throw new Problem(404, 'payment_not_found', 'no payment has this id')
  return found
}
