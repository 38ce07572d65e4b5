import { formatUnits, parseUnits } from '#domain/decimal'
import type { LoadedLine } from './bill-copy.ts'

const FEE_DIGITS = 5

/** Sums by kind, for the run and for people. */
export class Totals {
  lines = 0
  payments = 0
  paymentAmount = 0n
  refunds = 0
  refundAmount = 0n
  /** In units of 0.00001 yuan, because sums of decimals must stay exact. */
  #fee = 0n

  add(line: LoadedLine): void {
    this.lines += 1
    // A line without a fee adds nothing.
    this.#fee += parseUnits(line.fee, FEE_DIGITS) ?? 0n
    if (line.kind === 'payment') {
      this.payments += 1
      this.paymentAmount += line.amountMinor
    } else if (line.kind === 'refund') {
      this.refunds += 1
      this.refundAmount += line.amountMinor
    }
  }

  /** Yuan with all decimals. */
  fee(): string {
    return formatUnits(this.#fee, FEE_DIGITS)
  }
}
