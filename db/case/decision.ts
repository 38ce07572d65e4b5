import type { CaseDecision } from '#domain/case'
import type { CaseId } from '#domain/id'
import type { CaseRow } from './case-list.ts'
import type { ConfirmDeps } from '../payment/confirm-payment.ts'
import type { Trx } from '../database.ts'
import type { PaymentRow } from '../payment/payment.ts'

/** What an operator has decided, and why. */
export interface DecisionRequest {
  readonly caseId: CaseId
  readonly decision: CaseDecision
  /** The person. */
  readonly actor: string
  readonly reason: string
  /**
   * Whether the vendor knows a refund by a number of ours, so that one is never paid twice by being sent
   * twice. Where it does not, a new number needs a refusal first.
   */
  readonly hasRefundKey: boolean
}

/** A decision on its way: inside its transaction, under the lock of its payment's order. */
export interface Deciding {
  readonly trx: Trx
  readonly deps: ConfirmDeps
  readonly item: CaseRow
  readonly request: DecisionRequest
  /** Read under the lock; `undefined` when the case is about none. */
  readonly payment: PaymentRow | undefined
}

/** What a decision has brought about, for the audit and for the operator. */
export type DecisionEffect = Readonly<Record<string, string>>

/** The rows do not allow what was decided. Everything is rolled back; the message is for the operator. */
export class DecisionImpossible extends Error {
  override readonly name = 'DecisionImpossible'
}

/** The customer may read it at the vendor; why the operator decided so is for the audit alone. */
export const RETURN_REASON = 'payment returned'

/** The payment of a case that cannot be decided without one. */
export function paymentOf({ payment }: Deciding): PaymentRow {
  if (payment === undefined) throw new DecisionImpossible('the payment of this case is not known')
  return payment
}
