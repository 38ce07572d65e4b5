import { unreachable } from './assert.ts'
import type { RefundFacts } from './notification.ts'
import { refundMoves } from './state.ts'
import type { PaymentState, RefundState } from './state.ts'

/** What the decision needs of our own rows, read under the order's lock. */
export interface RefundInput {
  readonly facts: RefundFacts
  /** The account whose key verified the message, and its names at the vendor. */
  readonly channelAccountId: string
  readonly identity: Readonly<Record<string, string>>
  readonly payment: RefundedPayment | undefined
  /** Our refund that the message names; `undefined` when it names none of this payment. */
  readonly refund: RefundView | undefined
  /** A number that the message names is another refund's: ours of another payment, or the vendor's. */
  readonly isNumberTaken: boolean
  /** The vendor can still be asked for an amount that the message lacks. */
  readonly canAsk?: boolean
  /** False when the payment has had time enough to become paid. */
  readonly canWait?: boolean
}

export interface RefundedPayment {
  readonly channelAccountId: string
  readonly state: PaymentState
  readonly currency: string
}

export interface RefundView {
  readonly state: RefundState
  readonly amountMinor: bigint
  /** The vendor's number, or `null` until it said one. */
  readonly channelRefundId: string | null
}

export type RefundDoubt =
  | 'unknown_payment'
  | 'payment_not_paid'
  | 'other_account'
  | 'refund_identity_differs'
  | 'refund_amount_differs'
  | 'refund_amount_missing'
  | 'refund_currency_differs'
  | 'refund_number_taken'
  | 'refund_number_differs'

/**
 * What a verified message does to a refund. Pure, so that every order of events can be tried.
 *
 * `payment_first`: the refund of a payment that is not paid here; a query tells about the payment.
 * `foreign`: made at the vendor's own console; `ask_refund`: the same, and how much it was only a query tells.
 * `nothing`: already so, or no news.
 */
export type RefundDecision =
  | { readonly kind: 'move'; readonly to: 'accepted' | 'succeeded' | 'refused' | 'abnormal' }
  | { readonly kind: 'foreign'; readonly amountMinor: bigint }
  | {
      readonly kind: 'ask_refund'
      readonly paymentNumber: string
      readonly refundNumber: string
    }
  | { readonly kind: 'payment_first' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'quarantine'; readonly reason: RefundDoubt }

/** Payment rules, section 4, table of refunds; any miss goes to a person. */
export function decideRefund(input: RefundInput): RefundDecision {
  const { facts, payment, refund } = input
  if (!isSameIdentity(facts.identity, input.identity)) return doubt('refund_identity_differs')
  if (payment === undefined) return doubt('unknown_payment')
  if (payment.channelAccountId !== input.channelAccountId) return doubt('other_account')
  if (payment.state !== 'paid') {
    return input.canWait === false ? doubt('payment_not_paid') : { kind: 'payment_first' }
  }
  if (facts.currency !== undefined && facts.currency !== payment.currency) {
    return doubt('refund_currency_differs')
  }
  if (input.isNumberTaken) return doubt('refund_number_taken')
  return refund === undefined
    ? decideForeign(facts, input.canAsk === true)
    : decideOwn(facts, refund)
}

/** Only a refund that is done is recorded; until then it is the console's business. */
function decideForeign(facts: RefundFacts, canAsk: boolean): RefundDecision {
  if (facts.refundState !== 'succeeded') return { kind: 'nothing' }
  const { amountMinor, paymentNumber, refundNumber } = facts
  if (amountMinor !== undefined) return { kind: 'foreign', amountMinor }
  return canAsk && refundNumber !== undefined
    ? { kind: 'ask_refund', paymentNumber, refundNumber }
    : doubt('refund_amount_missing')
}

function decideOwn(facts: RefundFacts, refund: RefundView): RefundDecision {
  if (isSecondAtVendor(facts, refund)) return doubt('refund_number_differs')
  if (facts.amountMinor !== undefined && facts.amountMinor !== refund.amountMinor) {
    return doubt('refund_amount_differs')
  }
  switch (facts.refundState) {
    case 'accepted':
    case 'succeeded':
    case 'refused':
    case 'abnormal':
      return isReachable(refund.state, facts.refundState)
        ? { kind: 'move', to: facts.refundState }
        : { kind: 'nothing' }
    case 'unknown':
      return { kind: 'nothing' }
    default:
      return unreachable(facts.refundState)
  }
}

/** The vendor made two refunds of our one: the money may have gone back twice. */
function isSecondAtVendor(facts: RefundFacts, { channelRefundId }: RefundView): boolean {
  if (channelRefundId === null || facts.channelRefundId === undefined) return false
  // One made at the console may have been stored before the vendor's own number was known.
  return channelRefundId !== facts.channelRefundId && channelRefundId !== nameWithin(facts)
}

/**
 * What names a refund at the vendor: its number, or the request's where there is no other. That one is unique
 * only within the payment (Alipay dossier, section 5.1), so it stands with the payment's.
 */
export const nameAtVendor = (facts: RefundFacts): string | undefined =>
  facts.channelRefundId ?? nameWithin(facts)

/** The name by the request's number alone; `undefined` where the message has none. */
export const nameWithin = ({ paymentNumber, refundNumber }: RefundFacts): string | undefined =>
  refundNumber === undefined ? undefined : `${paymentNumber}:${refundNumber}`

/**
 * The moves from one state to another, or `undefined`. A message can overtake the answer that it follows, so
 * a state in between is passed through.
 */
export function refundPath(from: RefundState, to: RefundState): readonly RefundState[] | undefined {
  if (refundMoves[from].includes(to)) return [to]
  const between = refundMoves[from].find(
    (state) => isForward(state) && refundMoves[state].includes(to),
  )
  if (between !== undefined) return [between, to]
  return from === 'requested' && to === 'abnormal' ? ['sent', 'accepted', 'abnormal'] : undefined
}

const isForward = (state: RefundState): boolean => state === 'sent' || state === 'accepted'

const isReachable = (from: RefundState, to: RefundState): boolean =>
  from !== to && refundPath(from, to) !== undefined

/** Messages about refunds name fewer of our names; the ones that they name must be ours. */
function isSameIdentity(
  stated: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(stated).every(([name, value]) => own[name] === value)
}

const doubt = (reason: RefundDoubt): RefundDecision => ({ kind: 'quarantine', reason })
