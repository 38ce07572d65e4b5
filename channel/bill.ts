import type { RefundMoment } from '#domain/business-day'
import type { RecordExchange } from './http.ts'

/** `transaction`: what customers paid and got back. `fund`: how the vendor's account with us moved. */
export type BillKind = 'transaction' | 'fund'

/** Which bills a vendor has, when they are there, and when they are overdue. */
export interface BillTimes {
  readonly kinds: readonly BillKind[]
  /** When the vendor's business day ends, in hours of Asia/Shanghai: 24, or 23 at UnionPay. */
  readonly dayEndHour: number
  /** By which moment a refund belongs to a day: when the vendor took it, or when the money went back. */
  readonly refundsBy: RefundMoment
  /** Lines may name the wallet's own number, too. */
  readonly hasWalletNumbers?: true
  /** When yesterday's bill can be asked for, in minutes after midnight of Asia/Shanghai. */
  readonly availableAtMinute: number
  /** Seconds between two asks while the bill is not ready. */
  readonly retrySeconds: number
  /** Hours after it should be there; then a person looks. */
  readonly deadlineHours: number
}

/** Bills of one vendor: how they are fetched, and how their bytes are read. */
export interface BillPart extends BillTimes {
  /** Writes the raw bytes of one day's bill into the sink. Never throws for what a vendor does. */
  fetch(request: BillRequest, sink: BillSink, record: RecordExchange): Promise<BillFetch>
  /**
   * Reads a raw bill, piece by piece, in constant memory.
   *
   * Ends normally only when the vendor's own summary and checksums agree with the lines; throws
   * `BillBroken` otherwise, and nothing that was yielded before counts.
   */
  read(file: BillFile, kind: BillKind): AsyncIterable<readonly BillLine[]>
}

export interface BillRequest {
  /** `yyyy-mm-dd`, the vendor's own business day. */
  readonly businessDate: string
  readonly kind: BillKind
}

/** Where raw bytes go. Refuses more than it may hold by returning false; then the fetch ends. */
export interface BillSink {
  write(chunk: Uint8Array): Promise<boolean>
}

/** A raw bill on this machine's disk. */
export interface BillFile {
  readonly path: string
  readonly bytes: number
  readonly businessDate: string
}

/**
 * `not_ready` is not `empty`: only the second says that there was no business. `refused` is definite, such
 * as a missing right. Integrity (hash, CRC of the transport) is checked before `fetched`.
 */
export type BillFetch =
  | { readonly kind: 'fetched'; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'empty'; readonly code: string }
  | { readonly kind: 'not_ready'; readonly code: string }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'unknown'; readonly cause: string }

/** `own`: what the shop has moved itself, such as a withdrawal; only in fund bills. `other` is for a person. */
export type BillLineKind = 'payment' | 'refund' | 'fee' | 'own' | 'other'

/** One line in our words. Texts are empty where the vendor's are; amounts are positive fen. */
export interface BillLine {
  /** 1-based, of the vendor's file. */
  readonly line: number
  readonly kind: BillLineKind
  /** The merchant order number, and the vendor's number, of the payment. */
  readonly paymentNumber: string
  readonly channelPaymentId: string
  /** The wallet's own number, where the vendor stands between us and a wallet and tells it. */
  readonly walletPaymentId?: string
  readonly refundNumber: string
  readonly channelRefundId: string
  readonly amountMinor: bigint
  /** Yuan with up to five decimals as printed, negative for a fee given back; empty where none is printed. */
  readonly fee: string
  /** A rate as a decimal fraction, such as 0.006; empty where none is printed. */
  readonly rate: string
  /** What the rate is of, in fen, where it is not the amount: without what the shop's own coupons have paid. */
  readonly feeBaseMinor?: bigint
  /** The vendor's own word for the state or the type. */
  readonly stateText: string
  /** RFC 3339 with the vendor's offset; empty where the line has no time. */
  readonly at: string
}

/** The bytes are not a whole, sound bill: nothing of it may be used. */
export class BillBroken extends Error {
  override readonly name = 'BillBroken'
  /** 1-based; 0 where the whole file is meant. */
  readonly line: number
  readonly column: string

  constructor(reason: string, line = 0, column = '') {
    const place = line === 0 ? '' : ` (line ${line}${column === '' ? '' : `, ${column}`})`
    super(`${reason}${place}`)
    this.line = line
    this.column = column
  }
}

/** Limits that no vendor's bill reaches and every bomb does (reliability notes, section 6.5). */
export const BILL_LIMITS = {
  rawBytesMax: 512 * 1024 * 1024,
  expandedBytesMax: 8 * 1024 * 1024 * 1024,
  /** Expanded bytes for each raw byte; text of bills packs some tenfold. */
  ratioMax: 100,
  entriesMax: 16,
  lineBytesMax: 64 * 1024,
} as const

/** Below this no expansion is a bomb, whatever its ratio. */
const BOMB_BYTES_MIN = 8 * 1024 * 1024

/** Whether these are more bytes than a bill has: text of bills packs some tenfold. */
export const isBomb = (bytes: number, rawBytes: number): boolean =>
  bytes > BILL_LIMITS.expandedBytesMax ||
  (bytes > BOMB_BYTES_MIN && bytes > rawBytes * BILL_LIMITS.ratioMax)
