import { unreachable } from './assert.ts'
import type { PaymentFacts } from './notification.ts'
import type { Disposition, OrderState, PaymentState } from './state.ts'

/** What the decision needs of our own rows, read under the order's lock. */
export interface PaymentView {
  readonly id: string
  readonly channelAccountId: string
  readonly amountMinor: bigint
  readonly currency: string
  readonly state: PaymentState
  readonly channelPaymentId: string | undefined
  readonly vendorTime: string | undefined
  readonly vendorProduct: string | undefined
  readonly orderState: OrderState
}

export interface ConfirmInput {
  readonly facts: PaymentFacts
  /** The account whose key verified the message. */
  readonly channelAccountId: string
  /** That account's names at the vendor. */
  readonly identity: Readonly<Record<string, string>>
  readonly payment: PaymentView | undefined
  /** The payment that already carries this vendor number on this account, if any. */
  readonly vendorNumberOwner: string | undefined
}

export type QuarantineReason =
  | 'unknown_payment'
  | 'other_account'
  | 'identity_differs'
  | 'vendor_time_differs'
  | 'vendor_product_differs'
  | 'currency_differs'
  | 'amount_differs'
  | 'vendor_number_taken'
  | 'vendor_number_missing'

/**
 * What a verified message does to a payment. Pure, so that every order of events can be tried.
 *
 * `ask_vendor`: no money moved as far as this message says; a query decides.
 */
export type Decision =
  | { readonly kind: 'pay'; readonly disposition: Disposition }
  | { readonly kind: 'already_paid' }
  | { readonly kind: 'ask_vendor' }
  | { readonly kind: 'quarantine'; readonly reason: QuarantineReason }

/** The checks of payment rules, section 2, in their order; any miss goes to a person. */
export function decideConfirmation(input: ConfirmInput): Decision {
  const { facts, payment } = input
  if (!sameIdentity(facts.identity, input.identity)) return quarantine('identity_differs')
  if (payment === undefined) return quarantine('unknown_payment')
  if (payment.channelAccountId !== input.channelAccountId) return quarantine('other_account')
  if (differs(facts.vendorTime, payment.vendorTime)) return quarantine('vendor_time_differs')
  if (differs(facts.vendorProduct, payment.vendorProduct)) {
    return quarantine('vendor_product_differs')
  }
  if (facts.vendorState !== 'success') return { kind: 'ask_vendor' }
  if (facts.currency !== payment.currency) return quarantine('currency_differs')
  if (facts.amountMinor !== payment.amountMinor) return quarantine('amount_differs')
  return decideNumber(input, payment)
}

function decideNumber(input: ConfirmInput, payment: PaymentView): Decision {
  const number = input.facts.channelPaymentId
  if (number === undefined) return quarantine('vendor_number_missing')
  const owner = input.vendorNumberOwner
  if (owner !== undefined && owner !== payment.id) return quarantine('vendor_number_taken')
  // Some vendors give their number when the payment is created; then it stays that one.
  if (differs(payment.channelPaymentId, number)) return quarantine('vendor_number_taken')
  return payment.state === 'paid'
    ? { kind: 'already_paid' }
    : { kind: 'pay', disposition: dispositionFor(payment.orderState) }
}

const differs = (stated: string | undefined, expected: string | undefined): boolean =>
  stated !== undefined && stated !== expected

/** Payment rules, section 4: the first pays the order, a second is excess, money for a closed order is late. */
function dispositionFor(state: OrderState): Disposition {
  switch (state) {
    case 'unpaid':
      return 'counted'
    case 'closed':
      return 'late'
    case 'paid':
    case 'partly_refunded':
    case 'refunded':
      return 'excess'
    default:
      return unreachable(state)
  }
}

const quarantine = (reason: QuarantineReason): Decision => ({ kind: 'quarantine', reason })

function sameIdentity(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].every((name) => a[name] !== undefined && a[name] === b[name])
}
