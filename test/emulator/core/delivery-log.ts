/** How one send ended, as the vendor sees it. `unknown`: no full answer arrived, so nobody can say. */
export type DeliveryOutcome = 'acknowledged' | 'refused' | 'unknown' | 'dropped'

/** What was sent: the real thing, a forgery, or a signature probe. */
export type DeliveryKind = 'genuine' | 'forged' | 'probe'

/** One send of one callback: the vendor's own book, written after the send has ended. */
export interface Delivery {
  readonly deliveryId: string
  /** The same for every send of one event. */
  readonly eventId: string
  /** The merchant's own number of the order. */
  readonly orderNumber: string
  readonly url: string
  /** 1 for the first send, 2 for the first re-send. */
  readonly attempt: number
  readonly kind: DeliveryKind
  /** Empty for a send that was lost: nothing was signed. */
  readonly keySerial: string
  readonly outcome: DeliveryOutcome
  readonly status: number | null
  /** The beginning of the merchant's answer; `null` if no full answer arrived. */
  readonly answer: string | null
  /** By the vendor's own rule. */
  readonly acknowledged: boolean
  readonly tookMs: number
  /** When the send had ended, RFC 3339 in UTC. */
  readonly at: string
}
