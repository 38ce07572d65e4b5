import type { PaymentId } from './id.ts'
import type { Method } from './method.ts'

/** What a vendor needs to find a payment again. */
export interface PaymentReference {
  readonly paymentId: PaymentId
  readonly method: Method
  readonly createdAt: Date
  /** Of `PreparedPayment`. */
  readonly vendorTime?: string
  readonly vendorProduct?: string
  readonly channelPaymentId?: string
}
