import type { DeliveryKind } from './delivery-log.ts'

/** One thing that happened and that the merchant is told until he acknowledges it. A vendor adds its content. */
export interface CallbackEvent {
  readonly eventId: string
  /** The merchant's own number of the order. */
  readonly orderNumber: string
  readonly url: string
  /** Gaps before the re-sends in the vendor's seconds, where they differ from the vendor's usual ones. */
  readonly retrySeconds?: readonly number[]
}

/** One send, signed and ready to POST. */
export interface Parcel {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array<ArrayBuffer>
  /** For the log. */
  readonly kind: DeliveryKind
  readonly keySerial: string
}

/** What the merchant answered. */
export interface CallbackAnswer {
  readonly status: number
  /** Byte for byte, read as UTF-8. */
  readonly body: string
}

/** The part of delivering that differs between vendors. */
export interface Courier<Event extends CallbackEvent> {
  /** Builds and signs one send now. Called again for every re-send. */
  pack(event: Event, style: 'genuine' | 'wrong_key'): Parcel
  /** By the vendor's own rule: the status, the exact text, or both. */
  isAcknowledged(answer: CallbackAnswer): boolean
}
