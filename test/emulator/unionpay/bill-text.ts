import { encodeText } from './charset.ts'

/** One record of the detail file (dossier 5.3). Amounts are fen. */
export interface BillRow {
  /** Column 1; `S56` of a payment, a placeholder of anything else (dossier 5.4). */
  readonly code: string
  readonly traceNo: string
  /** `MMddHHmmss`. */
  readonly traceTime: string
  readonly accNo: string
  readonly amount: number
  readonly queryId: string
  readonly orderId: string
  readonly fee: number
  readonly txnType: string
  readonly txnSubType: string
  readonly bizType: string
  readonly merId: string
  readonly subMerAbbr: string
  readonly termId: string
  readonly reserved: string
  /** Of what it takes back. */
  readonly origin?: BillOrigin
}

export interface BillOrigin {
  readonly traceNo: string
  readonly traceTime: string
  readonly queryId: string
  readonly orderId: string
}

const FEE_FEN_PER_10000 = 60
const LINE_END = [0x0d, 0x0a]
const BLANK = 0x20
/** Column 42. */
const TAIL_BYTES = 98

/** The fee of an amount in fen: 0.60 %, half up, as in the dossier's sample. */
export const feeOf = (fen: number): number => Math.floor((fen * FEE_FEN_PER_10000 + 5000) / 10_000)

/** `D` what the merchant pays, `C` what he gets, a blank for nothing. */
function signed(fen: number, digits: number): string {
  const sign = fen === 0 ? ' ' : fen < 0 ? 'D' : 'C'
  return sign + String(Math.abs(fen)).padStart(digits, '0')
}

/** Columns 1 to 41 in their order, each with its width. */
function columnsOf(row: BillRow): readonly (readonly [value: string, bytes: number])[] {
  const { origin } = row
  const net = origin === undefined ? row.amount - row.fee : row.fee - row.amount
  const settled = signed(net, 12)
  const nothing = signed(0, 12)
  return [
    [row.code, 3],
    ['88022900', 11],
    ['00049993', 11],
    [row.traceNo, 6],
    [row.traceTime, 10],
    [row.accNo, 19],
    [String(row.amount).padStart(12, '0'), 12],
    ['4899', 4],
    ['07', 2],
    [row.queryId, 21],
    ['01', 2],
    [row.orderId.slice(0, 32), 32],
    ['01', 2],
    [origin?.traceNo ?? '', 6],
    [origin?.traceTime ?? '', 10],
    [signed(origin === undefined ? -row.fee : row.fee, 12), 13],
    [settled, 13],
    ['0001', 4],
    ['', 15],
    [row.txnType, 2],
    [row.txnSubType, 2],
    [row.bizType, 6],
    ['', 2],
    ['', 4],
    ['', 32],
    ['', 1],
    [origin?.queryId ?? '', 21],
    [row.merId, 15],
    ['', 1],
    ['0'.repeat(15), 15],
    [row.subMerAbbr, 32],
    [nothing, 13],
    [settled, 13],
    [row.termId, 8],
    [row.reserved, 32],
    [nothing, 13],
    [nothing, 13],
    [signed(0, 11), 12],
    ['', 2],
    ['7', 1],
    [origin?.orderId ?? '', 32],
  ]
}

/** A record of 607 bytes and its end; what is too long for its column is cut by bytes. */
export function rowBytes(row: BillRow): Uint8Array {
  const parts = columnsOf(row).flatMap(([value, bytes]) => [
    ...column(encodeText(value, 'GBK'), bytes),
    BLANK,
  ])
  return Uint8Array.from([...parts, ...Array<number>(TAIL_BYTES).fill(BLANK), ...LINE_END])
}

const column = (value: Uint8Array, bytes: number): readonly number[] => [
  ...value.slice(0, bytes),
  ...Array<number>(Math.max(0, bytes - value.length)).fill(BLANK),
]

/** The whole detail file. */
export const detailBytes = (rows: readonly BillRow[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.concat(rows.map(rowBytes)))

const yuan = (fen: number): string => {
  const digits = String(fen).padStart(3, '0')
  const whole = digits.slice(0, -2).replace(/\B(?=(?:\d{3})+$)/g, ',')
  return `${whole}.${digits.slice(-2)}`
}

const KIND_NAMES: Readonly<Record<string, string>> = {
  '01': '消费',
  '04': '退货',
  '31': '消费撤销',
}

/**
 * The page for people. Only what it says is published (dossier 5.2), so its form is rebuilt: counts, amounts, fees
 * and net by transaction type.
 */
export function summaryBytes(rows: readonly BillRow[]): Uint8Array {
  const groups = Map.groupBy(rows, ({ txnType }) => txnType)
  const lines = [...groups].map(([txnType, group]) => {
    const amount = group.reduce((sum, row) => sum + row.amount, 0)
    const fee = group.reduce((sum, row) => sum + row.fee, 0)
    const name = KIND_NAMES[txnType] ?? txnType
    return `${name} ${group.length} ${yuan(amount)} ${yuan(fee)} ${yuan(amount - fee)}`
  })
  const text = ['交易类型 笔数 金额 手续费 清算净额', ...lines, ''].join('\r\n')
  return encodeText(text, 'GBK')
}
