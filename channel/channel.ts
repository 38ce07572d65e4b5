import type { ChannelAccountId, PaymentId, RefundId } from '#domain/id'
import type { Method, NextAction, Wallet } from '#domain/method'
import type { Money } from '#domain/money'
import type { PaymentFacts, RefundFacts, VerifiedNotification } from '#domain/notification'
import type { PaymentReference } from '#domain/payment'
import type { BillPart } from './bill.ts'
import type { RecordExchange } from './http.ts'

/**
 * One vendor's protocol for one account of ours: the strategy.
 *
 * Implementations keep no state that must survive; they are built by the registry from a stored row and
 * thrown away when the row changes. A part that a vendor does not have is absent.
 */
export interface Channel {
  readonly capabilities: Capabilities
  /** The vendor's names for this account, compared with every message about a payment. */
  readonly identity: Readonly<Record<string, string>>

  /**
   * Builds what will be sent to create a payment, without sending it.
   *
   * The caller stores it first: a repeat after an unknown answer, and a renewed credential, must be
   * byte-identical. Throws nothing for valid requests; `refused` for one that the vendor would refuse.
   */
  preparePayment(request: PaymentRequest): PrepareOutcome
  /** Sends what was prepared, or signs it for the client where the vendor has no call. */
  createPayment(prepared: PreparedPayment, record: RecordExchange): Promise<CreateOutcome>
  queryPayment(payment: PaymentReference, record: RecordExchange): Promise<QueryOutcome>
  /** Absent where the vendor has no close: then deadline + margin + query are the proof. */
  closePayment?(payment: PaymentReference, record: RecordExchange): Promise<CloseOutcome>

  /** Absent where this vendor's refunds are not built. */
  readonly refund?: RefundPart
  /** Absent where this vendor's bills are not built. */
  readonly bill?: BillPart

  /** Verifies and reads a callback. Never throws for bad input: that is `rejected`. */
  readCallback(callback: RawCallback): Promise<CallbackReading>
  /** The exact bytes that this vendor expects. */
  acknowledge(answer: Answer): Response
  /**
   * Verifies what a customer's browser brings back, where the vendor signs it. It moves no money: the answer
   * is for the log and for finding the payment. Never throws for bad input.
   */
  readReturn?(fields: ReturnFields): Promise<ReturnReading>

  /** Asks the vendor for its current keys, where they rotate by download. */
  fetchKeys?(record: RecordExchange): Promise<readonly FetchedKey[]>
}

export interface Capabilities {
  readonly methods: readonly Method[]
  /** Where one account reaches several wallets: the methods of each. Then a payment names its wallet. */
  readonly wallets?: Readonly<Record<Wallet, readonly Method[]>>
  readonly close: boolean
  readonly refund: boolean
  readonly bill: boolean
  /** Seconds; a payment's own deadline must lie between them. */
  readonly expiresInSecondsMin: number
  readonly expiresInSecondsMax: number
  /**
   * Seconds that a credential lives, by method; then it is renewed with the stored request. Absent: as long
   * as the payment.
   */
  readonly credentialSeconds: Readonly<Partial<Record<Method, number>>>
  /** Seconds after creation at which a pending payment is queried. */
  readonly queryPaceSeconds: readonly number[]
  /** Queries and closes a minute that the vendor allows one account; we stay below it. */
  readonly queriesPerMinuteMax: number
  /** Seconds after a payment's deadline in which the vendor may still take money; then a query is proof. */
  readonly closeMarginSeconds: number
}

export interface PaymentRequest {
  readonly paymentId: PaymentId
  readonly method: Method
  readonly amount: Money
  readonly subject: string
  readonly clientIp: string
  readonly expiresAt: Date
  readonly callbackUrl: string
  /** Our own page, with no query: some vendors refuse one, others add theirs. */
  readonly returnUrl: string
  readonly payerOpenId?: string
  /** Present exactly where the capabilities list wallets. */
  readonly wallet?: Wallet
}

/** What is stored on the payment before the first call. */
export interface PreparedPayment {
  readonly paymentId: PaymentId
  readonly method: Method
  /** The exact text to send: a body, or a canonical form. */
  readonly body: string
  /** The vendor's transaction time where it is part of the number (UnionPay `txnTime`). */
  readonly vendorTime?: string
  /** The vendor's name of the product where its messages repeat it (Ping++ `channel`). */
  readonly vendorProduct?: string
  /** As in the request. */
  readonly returnUrl: string
}

export type PrepareOutcome =
  | { readonly kind: 'prepared'; readonly prepared: PreparedPayment }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }

/**
 * `unknown` is not a failure: the vendor may have created it. Query, or repeat the same bytes.
 *
 * `used`: an earlier call with this number has arrived, nobody has paid it, and the vendor gives its credential to nobody
 * any more. Only another number helps the customer, and this one must be asked about until its deadline.
 */
export type CreateOutcome =
  | {
      readonly kind: 'created'
      readonly nextAction: NextAction
      readonly channelPaymentId?: string
    }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'used'; readonly code: string }
  | { readonly kind: 'unknown'; readonly cause: string }

/**
 * `absent`: the vendor knows no such payment, which proves nothing about the future. `isSigned`: its answer
 * was signed and verified; some vendors leave errors unsigned.
 */
export type QueryOutcome =
  | { readonly kind: 'found'; readonly facts: PaymentFacts }
  | { readonly kind: 'absent'; readonly code: string; readonly isSigned: boolean }
  | { readonly kind: 'unknown'; readonly cause: string }

/** Only `closed` proves that nobody can pay any more; `absent` leaves deadline + margin + query. */
export type CloseOutcome =
  | { readonly kind: 'closed'; readonly proof: string }
  | { readonly kind: 'paid'; readonly facts: PaymentFacts }
  | { readonly kind: 'absent'; readonly code: string }
  | { readonly kind: 'unknown'; readonly cause: string }

/** Refunds at one vendor (payment rules, section 5). */
export interface RefundPart {
  /**
   * Whether the same call with the same number is the same refund. Where it is not, nothing is sent twice by
   * a machine.
   */
  readonly isRepeatable: boolean
  /** Seconds between two calls for one payment. */
  readonly spacingSeconds: number
  /** Seconds after a call before its absence at the vendor means anything. */
  readonly absentAfterSeconds: number
  /** The transaction time that is part of the number (UnionPay `txnTime`), stored before the first call. */
  newVendorTime?(): string
  submit(refund: RefundRequest, record: RecordExchange): Promise<RefundOutcome>
  query(refund: RefundRequest, record: RecordExchange): Promise<RefundQueryOutcome>
  /**
   * Asks about a refund that is not ours, by the number that a message named. Absent where such messages say
   * themselves how much it was.
   */
  queryForeign?(
    payment: PaymentReference,
    refundNumber: string,
    record: RecordExchange,
  ): Promise<RefundQueryOutcome>
}

export interface RefundRequest {
  readonly refundId: RefundId
  readonly payment: PaymentReference
  /** What the customer paid. */
  readonly paid: Money
  readonly amount: Money
  readonly reason: string
  readonly callbackUrl: string
  readonly vendorTime?: string
  /** Where an earlier answer gave the vendor's number. */
  readonly channelRefundId?: string
}

/**
 * `refused` is definite: no money moves under this number. `not_executed` keeps the number for a later try
 * (the vendor's balance is too low, or no byte was sent). `unknown` is not a failure.
 */
export type RefundOutcome =
  | { readonly kind: 'answered'; readonly facts: RefundFacts }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'not_executed'; readonly code: string }
  | { readonly kind: 'unknown'; readonly cause: string }

export type RefundQueryOutcome =
  | { readonly kind: 'found'; readonly facts: RefundFacts }
  | { readonly kind: 'absent'; readonly code: string }
  | { readonly kind: 'unknown'; readonly cause: string }

/** A callback as it came in. Header names are lower case. */
export interface RawCallback {
  readonly account: ChannelAccountId
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type RejectionReason =
  | 'header_missing'
  | 'header_malformed'
  | 'content_type'
  | 'body_malformed'
  | 'stale'
  | 'unknown_serial'
  | 'probe'
  | 'bad_signature'
  | 'decrypt_failed'
  | 'charset'
  | 'field_missing'
  | 'field_duplicate'
  | 'wrong_algorithm'
  | 'untrusted_certificate'
  | 'wrong_mode'

/** Fields of a return in the order received, decoded once as UTF-8: of the query, then of the form. */
export type ReturnFields = readonly (readonly [name: string, value: string])[]

export type ReturnReading =
  | { readonly kind: 'verified'; readonly paymentNumber: string }
  | { readonly kind: 'unverified'; readonly explanation: string }

export type CallbackReading =
  | { readonly kind: 'verified'; readonly notification: VerifiedNotification }
  | {
      readonly kind: 'rejected'
      readonly reason: RejectionReason
      /** What was verified, cut short, to explain "signature failed". Holds no secret. */
      readonly explanation: string
    }

/** `unavailable`: genuine perhaps, but not stored; the vendor must repeat. */
export type Answer = 'stored' | 'refused' | 'rejected' | 'unavailable'

export interface FetchedKey {
  readonly serial: string
  readonly pem: string
  readonly validFrom: Date
  readonly validUntil: Date
}
