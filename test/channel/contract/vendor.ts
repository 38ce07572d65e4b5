import type { AccountKey } from '#channel/account'
import type { Answer, RawCallback, ReturnFields } from '#channel/channel'
import type { Strategy } from '#channel/registry'
import type { PaymentId, RefundId } from '#domain/id'
import type { Method, Wallet } from '#domain/method'
import type { VendorRefundState, VendorState } from '#domain/notification'

/**
 * What a vendor brings to the contract of channels: its account, its voice, and tables of facts.
 *
 * Written from the vendor's documents with the test's own code: a part that signs or writes with the code
 * under test proves nothing. What a vendor does not have is said here, as data; the suite never asks who it is.
 */
export interface ContractVendor {
  /** The name under which `channel/strategies.ts` has it. */
  readonly name: string
  readonly strategy: Strategy
  /** The moment at which everything happens; the vendor's certificates must be valid then. */
  readonly now: Date
  /**
   * An account that trusts this signer. `stranger` has the same names and serials and another key: so the
   * suite shows that a stranger is refused for its key alone, because its own account believes it.
   */
  account(signer: Signer): AccountParts
  /** The vendor speaking, signed by this signer. */
  voice(signer: Signer): Voice

  /** Products that are created by our own signature, without a request to the vendor. */
  readonly handedOut: readonly Product[]
  /** Products whose deadline has narrower bounds than the capabilities say. */
  readonly narrowerExpiry: readonly (Product & Partial<ExpiryBounds>)[]
  /** What a repeated create must not change: the whole body, or the part that orders something. */
  orderIn(heard: Heard): string

  /** Whether a query without the vendor's number reads a list of payments. */
  readonly queriesByList?: true

  /** Headers that the signature of a callback depends on: gone or changed, it is refused. */
  readonly signedHeaders: readonly string[]
  /** Ways to write the same callback that the scheme does not tell apart; empty: every byte counts. */
  readonly sameMessage: readonly Rewriting[]
  /** How old a callback may be, where its signature holds a time. */
  readonly windowSeconds?: number

  /** Payment rules, section 1. */
  readonly answers: Readonly<Record<Answer, AnswerBytes>>
  /** Every documented state, and what it means for money (payment rules, section 3). */
  readonly states: readonly StateCase[]
  readonly paidState: string
  /** A state that no document has, where a state is a word; it must become `unknown`. */
  readonly unknownState?: string

  readonly amountMinorMax: bigint
  /** The one way in which this vendor's requests write an amount. */
  writeAmount(minor: bigint): string
  /** That text, as it stands in a prepared body. */
  amountIn(preparedBody: string): string
  /** Other texts that the vendor may write for an amount, and texts that are none (`undefined`). */
  readonly amountTexts: readonly (readonly [text: string, minor: bigint | undefined])[]

  /** A number as the vendor gives them. */
  readonly channelPaymentId: string
  /** What the answers of `voice` say about the payer, piece by piece: never to be recorded. */
  readonly payerMarks: readonly string[]

  /** Absent together with `Capabilities.refund`. */
  readonly refund?: ContractRefund
}

/** What a vendor brings for its refunds, beside `Voice.refund`. */
export interface ContractRefund {
  /** Every documented state of a refund, and what it means for money (payment rules, section 5). */
  readonly states: readonly RefundStateCase[]
  readonly doneState: string
  /** A state that no document has; it must become `unknown`. */
  readonly unknownState: string
  /** Messages that say what this refund alone amounts to. */
  readonly amountToldIn: readonly RefundMessage[]
  /** The amount, as it stands in the request. */
  amountIn(heard: Heard): string
  /** A number as the vendor gives them. */
  readonly channelRefundId: string
  /** Whether a query without the vendor's number reads a list of refunds. */
  readonly queriesByList?: true
  /** What every good answer to the call means, where it tells no state: that is told later. */
  readonly answerMeans?: VendorRefundState
}

/** The answer to the call, the answer to a query, the notice. */
export type RefundMessage = 'answered' | 'found' | 'callback'

export interface RefundStateCase {
  readonly state: string
  readonly means: VendorRefundState
  /** Where it can occur, if not everywhere. */
  readonly only?: readonly RefundMessage[]
}

/** A refund as the vendor tells of it, in the vendor's own words. */
export interface ToldRefund {
  readonly payment: Told
  readonly refundId: RefundId
  readonly amountText: string
  readonly state: string
  readonly channelRefundId: string
}

/** What is said about refunds. What a vendor repeats of the request, it takes from `heard`. */
export interface RefundVoice {
  answered(heard: Heard, refund: ToldRefund): Response
  /** A definite refusal: no money moves under this number. */
  refused(heard: Heard): Response
  /** Refused for now; the number is kept. Absent where the vendor has no such answer. */
  notExecuted?(heard: Heard): Response
  /** A refusal with a code that no document has. */
  unknownCode(heard: Heard): Response
  found(heard: Heard, refund: ToldRefund): Response
  /** The vendor knows no such refund. */
  absent(heard: Heard): Response
  /** Absent where the vendor sends no notice of refunds. */
  callback?(refund: ToldRefund): SignedCallback
}

export type Signer = 'vendor' | 'stranger'

export interface Product {
  readonly method: Method
  readonly wallet?: Wallet
}

export interface ExpiryBounds {
  readonly minSeconds: number
  readonly maxSeconds: number
}

export interface AccountParts {
  readonly settings: Readonly<Record<string, unknown>>
  readonly keys: readonly AccountKey[]
}

/** A request as the vendor hears it. Header names are lower case. */
export interface Heard {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A payment as the vendor tells of it. The amount and the state are in the vendor's own words. */
export interface Told extends Product {
  readonly paymentId: PaymentId
  readonly amountText: string
  readonly state: string
  readonly channelPaymentId: string
  readonly vendorTime?: string
  readonly vendorProduct?: string
}

/**
 * Genuine messages: as documented, complete, signed with the fresh time of `now` where that is signed.
 *
 * Answers are given the request, so that a vendor which is asked twice (list, then read) can tell which it is.
 */
export interface Voice {
  /** Another payment gets another event identity; the same one may repeat its own. */
  callback(told: Told): SignedCallback
  created(heard: Heard, told: Told): Response
  /** A definite refusal to create. */
  refused(heard: Heard): Response
  found(heard: Heard, told: Told): Response
  /** The vendor knows no such payment. */
  absent(heard: Heard): Response
  /** Absent together with `Capabilities.close`. */
  closed?(heard: Heard): Response
  /** A close that is refused because the customer has just paid. */
  closeRefused?(heard: Heard): Response
  /** What the customer's browser brings back, where the vendor signs it. */
  back?(told: Told): ReturnFields
  /** Absent together with `Capabilities.refund`. */
  readonly refund?: RefundVoice
}

export type SignedCallback = Pick<RawCallback, 'headers' | 'body'>

export interface Rewriting {
  readonly name: string
  rewrite(callback: SignedCallback): SignedCallback
}

export interface AnswerBytes {
  readonly status: number
  readonly body: string
  /** Absent: the vendor does not look at it. */
  readonly contentType?: string
}

export interface StateCase {
  readonly state: string
  readonly means: VendorState
  /** Where it can occur, if not in both. */
  readonly only?: 'callback' | 'query'
}

const formRewriting = (name: string, change: (form: string) => string): Rewriting => ({
  name,
  rewrite: ({ headers, body }) => ({
    headers,
    body: Buffer.from(change(Buffer.from(body).toString('latin1')), 'latin1'),
  }),
})

/** What no signature over sorted and decoded form fields tells apart. */
export const FORM_REWRITINGS: readonly Rewriting[] = [
  formRewriting('fields in another order', (form) => form.split('&').toReversed().join('&')),
  formRewriting('small hexadecimal letters', (form) =>
    form.replace(/%[0-9A-Fa-f]{2}/g, (octet) => octet.toLowerCase()),
  ),
  formRewriting('an octet for a plain letter', (form) => form.replace(/=([A-Za-z0-9])/, toOctet)),
  formRewriting('blanks as an octet', (form) => form.replaceAll('+', '%20')),
]

const toOctet = (_match: string, letter: string): string =>
  `=%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`
