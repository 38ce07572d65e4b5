import type { DiscrepancyRow } from '#db/bill/discrepancy'
import type { PaymentRow } from '#db/payment/payment'
import type { Vendor } from './vendor.ts'

/** A discrepancy about which a vendor is asked. */
export interface Asking {
  readonly row: DiscrepancyRow
  readonly payment: PaymentRow
  readonly vendor: Vendor
}

/** What came of asking, and in words for the person who reads it: our rows are what the bill says, or not. */
export interface Repair {
  readonly kind: 'agreed' | 'differs' | 'undecided'
  readonly said: string
}

export const UNDECIDED: Repair = { kind: 'undecided', said: 'the vendor gave no answer when asked' }
