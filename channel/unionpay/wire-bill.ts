import { BillBroken } from '../bill.ts'
import type { BillLine, BillLineKind } from '../bill.ts'
import { MomentReader, layoutOf } from './bill-cell.ts'
import type { Cells, Layout } from './bill-cell.ts'
import { commonFields } from './prepare.ts'
import { CONSUME, REFUND, formatTxnTime } from './wire.ts'
import type { Fields } from './wire.ts'

/** `MMdd` of a business day: the vendor knows no year. */
export const clearingDateOf = (businessDate: string): string =>
  businessDate.slice(5).replace('-', '')

/** UnionPay dossier, section 5.1: no order number and no channel type. */
export const writeFileRequest = (merId: string, businessDate: string, now: Date): Fields => ({
  ...commonFields(merId),
  txnType: '76',
  txnSubType: '01',
  bizType: '000000',
  settleDate: clearingDateOf(businessDate),
  txnTime: formatTxnTime(now),
  fileType: '00',
})

/** UnionPay dossier, section 2.6: the file does not exist, for now or for ever. */
export const NO_FILE = '98'

const BASE64 = /^[0-9A-Za-z+/]*={0,2}$/

/**
 * The bytes of `fileContent` (UnionPay dossier, section 5.1): packed, and still as the vendor signed them.
 * A text that is no base64 stays what it is, so that somebody can see it.
 */
export const contentBytes = (text: string): Uint8Array =>
  Buffer.from(text, BASE64.test(text) && text.length % 4 === 0 ? 'base64' : 'utf8')

/** Whose bill it must be. */
export interface Owner {
  readonly merId: string
  readonly businessDate: string
}

export type MemberKind = 'detail' | 'dispute' | 'summary'

/** Without the merchant's number, which is their end (UnionPay dossier, section 5.2). */
const NAMES: readonly (readonly [MemberKind, RegExp])[] = [
  ['detail', /^INN(\d{6})\d{2}ZM_$/],
  ['dispute', /^INN(\d{6})\d{2}ZME_$/],
  ['summary', /^RD2010(\d{6})\d{2}_$/],
]

/**
 * What a member of the archive is, by its name; `undefined` for a kind that we do not read. Throws for a bill of
 * another merchant or day: sound in itself, and perhaps uploaded by mistake.
 */
export function memberKind(name: string, { merId, businessDate }: Owner): MemberKind | undefined {
  const end = name.indexOf('_') + 1
  for (const [kind, pattern] of NAMES) {
    const day = pattern.exec(name.slice(0, end))?.[1]
    if (day === undefined) continue
    const found = name.slice(end)
    if (found !== merId) throw new BillBroken(`expected merchant ${merId}, found ${shown(found)}`)
    // The year stands in the name of the file alone (payment rules, section 8).
    if (day !== businessDate.slice(2).replaceAll('-', '')) {
      throw new BillBroken(`expected the bill of ${businessDate}, found ${shown(name)}`)
    }
    return kind
  }
  return undefined
}

const SHOWN_CHARACTERS = 40
const shown = (text: string): string => text.slice(0, SHOWN_CHARACTERS)

/** The columns that both files begin with (UnionPay dossier, section 5.3). */
const HEAD = [
  ['transactionCode', 3],
  ['acqInsCode', 11],
  ['sendingInstitution', 11],
  ['traceNo', 6],
  ['traceTime', 10],
  ['accNo', 19],
  ['txnAmt', 12],
  ['merCatCode', 4],
  ['termType', 2],
] as const

/** Columns 1 to 41 of a record of 42: the last one is reserved, and cut in several ways. */
const DETAIL = [
  ...HEAD,
  ['queryId', 21],
  ['oldPayType', 2],
  ['orderId', 32],
  ['payCardType', 2],
  ['origTraceNo', 6],
  ['origTraceTime', 10],
  ['fee', 13],
  ['settleAmt', 13],
  ['payType', 4],
  ['groupMerchant', 15],
  ['txnType', 2],
  ['txnSubType', 2],
  ['bizType', 6],
  ['accType', 2],
  ['billType', 4],
  ['billNo', 32],
  ['interactMode', 1],
  ['origQryId', 21],
  ['merId', 15],
  ['splitMode', 1],
  ['subMerId', 15],
  ['subMerAbbr', 32],
  ['subSettleAmt', 13],
  ['netAmt', 13],
  ['termId', 8],
  ['merReserved', 32],
  ['discountAmt', 13],
  ['invoiceAmt', 13],
  ['instalFee', 12],
  ['instalNum', 2],
  ['medium', 1],
  ['origOrderId', 32],
] as const

export type DetailColumn = (typeof DETAIL)[number][0]
export const detailLayout: Layout<DetailColumn> = layoutOf(DETAIL)

/** Columns 10 to 21 of a dispute have widths, and no names that are certain; column 22 is cut in other ways. */
const DISPUTE = [
  ...HEAD,
  ['c10', 2],
  ['c11', 6],
  ['c12', 10],
  ['c13', 4],
  ['c14', 12],
  ['c15', 13],
  ['c16', 13],
  ['c17', 15],
  ['c18', 15],
  ['c19', 1],
  ['c20', 12],
  ['c21', 2],
] as const

export type DisputeColumn = (typeof DISPUTE)[number][0]
export const disputeLayout: Layout<DisputeColumn> = layoutOf(DISPUTE)

/**
 * UnionPay dossier, sections 1.3 and 4: a void and a reversal give the whole payment back, as a refund does. The
 * first column says it, too, but nobody has published its codes, so it decides nothing.
 */
const KINDS: ReadonlyMap<string, BillLineKind> = new Map([
  [CONSUME, 'payment'],
  [REFUND, 'refund'],
  ['31', 'refund'],
  ['99', 'refund'],
])

/** The vendor's number of a transaction (UnionPay dossier, section 2.5). */
const QUERY_ID = /^[0-9A-Za-z]{20,21}$/

const ALL_DIGITS = /^\d+$/

/** Also how two columns show that have changed places, which no blank between them tells. */
function checkNumbers(cells: Cells<DetailColumn>, queryId: string, orderId: string): void {
  if (!QUERY_ID.test(queryId)) {
    throw cells.broken('queryId', `expected 20 or 21 letters or digits, found "${queryId}"`)
  }
  // All that is published is digits; a merchant's number that has letters is cut to this width.
  if (!ALL_DIGITS.test(queryId) && QUERY_ID.test(orderId) && ALL_DIGITS.test(orderId)) {
    throw cells.broken('queryId', `the merchant's number and the vendor's have changed places`)
  }
}

/** Reads records of one bill. */
export class RecordReader {
  readonly #owner: Owner
  readonly #moments: MomentReader

  constructor(owner: Owner) {
    this.#owner = owner
    this.#moments = new MomentReader(owner.businessDate)
  }

  /** A transaction. What is neither paid nor given back is for a person. */
  detail(cells: Cells<DetailColumn>): BillLine {
    const merId = cells.at('merId')
    if (merId !== this.#owner.merId) {
      throw cells.broken('merId', `expected merchant ${this.#owner.merId}, found "${merId}"`)
    }
    const txnType = cells.at('txnType')
    const kind = KINDS.get(txnType) ?? 'other'
    const queryId = cells.at('queryId')
    const orderId = cells.at('orderId')
    if (kind !== 'other') checkNumbers(cells, queryId, orderId)
    const own = { paymentNumber: orderId, channelPaymentId: queryId }
    const back = {
      paymentNumber: cells.at('origOrderId'),
      channelPaymentId: cells.at('origQryId'),
      refundNumber: orderId,
      channelRefundId: queryId,
    }
    return {
      ...this.#common(cells, kind, txnType),
      ...(kind === 'refund' ? back : own),
      fee: feeOf(cells),
    }
  }

  /** A dispute: its columns have no names, so it only says that it is there, and how much. */
  dispute(cells: Cells<DisputeColumn>): BillLine {
    return this.#common(cells, 'other', `ZME ${cells.at('transactionCode')}`.trim())
  }

  #common(
    cells: Cells<DetailColumn> | Cells<DisputeColumn>,
    kind: BillLineKind,
    stateText: string,
  ): BillLine {
    const traceTime = cells.at('traceTime')
    const at = this.#moments.read(traceTime)
    if (at === undefined) {
      throw cells.broken('traceTime', `expected a time, found "${traceTime}"`)
    }
    return { ...NOTHING, line: cells.line, kind, amountMinor: cells.fen('txnAmt'), stateText, at }
  }
}

const NOTHING = {
  paymentNumber: '',
  channelPaymentId: '',
  refundNumber: '',
  channelRefundId: '',
  fee: '',
  // No rate is printed.
  rate: '',
} as const

const FEN_DIGITS = 2

/** The merchant pays what is debited, and gets back what is credited. */
function feeOf(cells: Cells<DetailColumn>): string {
  const fen = -cells.signedFen('fee')
  const digits = (fen < 0n ? -fen : fen).toString().padStart(FEN_DIGITS + 1, '0')
  return `${fen < 0n ? '-' : ''}${digits.slice(0, -FEN_DIGITS)}.${digits.slice(-FEN_DIGITS)}`
}

const PRINTED_YUAN = /\d[\d,]*\.\d{2}(?!\d)/g
/** A blank that may stand for thousands, or between two figures. */
const BLANK_IN_FIGURE = /(?<=\d) (?=\d{3}[.,\s])/g
/** How the summary adds up what is neither is not known. */
const SUMMED_TYPES: readonly string[] = [CONSUME, REFUND]

/**
 * The sums of the lines against the vendor's summary, which is a page for people: its form is not published, so
 * each sum must be somewhere among its figures (UnionPay dossier, section 5.2).
 */
export function checkSummary(text: string, sums: ReadonlyMap<string, bigint>): void {
  const figures = new Set([...figuresIn(text), ...figuresIn(text.replace(BLANK_IN_FIGURE, ''))])
  for (const txnType of SUMMED_TYPES) {
    const sum = sums.get(txnType)
    if (sum !== undefined && !figures.has(sum)) {
      throw new BillBroken(`lines of txnType ${txnType} add up to ${sum} fen, not in the summary`)
    }
  }
}

const figuresIn = (text: string): readonly bigint[] =>
  Array.from(text.matchAll(PRINTED_YUAN), ([figure]) => BigInt(figure.replace(/[,.]/g, '')))
