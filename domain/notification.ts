import { unreachable } from './assert.ts'
import type { Brand } from './brand.ts'
import { mint } from './brand.ts'
import type { DailySummary } from './daily-summary.ts'

/** What a vendor's state value means for money (payment rules, section 3). Unknown only reschedules. */
export type VendorState = 'success' | 'not_yet' | 'closed' | 'failed' | 'money_moved' | 'unknown'

/**
 * What a verified vendor message says about a payment, in our words. Also the result of a query.
 *
 * `identity` holds the vendor's own names for the account that was paid (mchid and appid, app_id and
 * seller_id, merId, app): the worker compares all of them with the account's.
 */
export interface PaymentFacts {
  readonly kind: 'payment'
  /** The merchant order number as the vendor sent it; perhaps not one of ours. */
  readonly paymentNumber: string
  readonly identity: Readonly<Record<string, string>>
  readonly vendorState: VendorState
  /** The vendor's own word for the state, for people. */
  readonly vendorStateText: string
  readonly channelPaymentId?: string
  /** The wallet's own number behind an aggregator's. Told to people and compared with bills; decides nothing. */
  readonly walletPaymentId?: string
  /** As sent: an amount that we cannot read exactly is no amount. */
  readonly amountMinor?: bigint
  readonly currency?: string
  /** The vendor's time of payment. */
  readonly paidAt?: Date
  /** What the message repeats of our request; compared with the payment's own where it is present. */
  readonly vendorTime?: string
  readonly vendorProduct?: string
  /** UnionPay's `settleDate` as received. */
  readonly clearingDate?: string
  /** Paid, and the vendor takes no refund of it any more. */
  readonly isFinal?: true
  /** Paid, and all of it went back to the payer; by which refunds the message does not say. */
  readonly isReturned?: true
  /** Paid, and some of it went back; how much and by which refunds the message does not say. */
  readonly hasRefund?: true
}

/** What a vendor's word for a refund means for money. Unknown only reschedules. */
export type VendorRefundState = 'accepted' | 'succeeded' | 'refused' | 'abnormal' | 'unknown'

/** What a verified vendor message says about a refund. Also the result of a refund call or query. */
export interface RefundFacts {
  readonly kind: 'refund'
  /** The merchant order number of the payment, as sent; empty where the message names the refund alone. */
  readonly paymentNumber: string
  /** Our own refund number as the vendor sent it; absent or foreign when the refund is not ours. */
  readonly refundNumber?: string
  readonly identity: Readonly<Record<string, string>>
  readonly refundState: VendorRefundState
  /** The vendor's own word for the state, for people. */
  readonly refundStateText: string
  readonly channelRefundId?: string
  /** Of this refund alone, never a sum. */
  readonly amountMinor?: bigint
  readonly currency?: string
  /** The vendor's time of the refund. */
  readonly refundedAt?: Date
}

/** Genuine news about neither a payment's result nor a refund. */
export interface OtherFacts {
  readonly kind: 'other'
  readonly eventType: string
  readonly paymentNumber?: string
  readonly summary?: DailySummary
}

/** A genuine message that we could not understand. It is kept and a person looks at it. */
export interface UnreadableFacts {
  readonly kind: 'unreadable'
  readonly reason: string
}

export type NotificationFacts = PaymentFacts | RefundFacts | OtherFacts | UnreadableFacts

export interface NotificationContent {
  /** Identity of the event (payment rules, section 2); a repeat has the same one. */
  readonly eventKey: string
  /** Serial of the vendor's key that signed it. */
  readonly keySerial: string
  readonly facts: NotificationFacts
}

/** The verified content of a callback. Only a channel that has checked the signature mints one. */
export type VerifiedNotification = Brand<NotificationContent, 'VerifiedNotification'>

export const mintVerified = (content: NotificationContent): VerifiedNotification => mint(content)

/** What the template answers for: success, a definite failure of a payment, or any other news. */
export type Judgement = 'success' | 'failed' | 'other'

/**
 * Judges a verified notification (payment rules, section 1).
 *
 * A payment result other than success is refused, so that the vendor repeats it; a state that we do not
 * know is other news, because it is neither.
 */
export function judge(notification: VerifiedNotification): Judgement {
  const facts = notification.facts
  if (facts.kind !== 'payment') return 'other'
  switch (facts.vendorState) {
    case 'success':
      return 'success'
    case 'failed':
    case 'not_yet':
      return 'failed'
    case 'closed':
    case 'money_moved':
    case 'unknown':
      return 'other'
    default:
      return unreachable(facts.vendorState)
  }
}
