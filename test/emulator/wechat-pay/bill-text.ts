import { formatChinaDateTime } from '../core/china-time.ts'

/** One row of the transaction bill (dossier 6.7). Amounts are fen; a row is a payment or a refund. */
export interface BillRow {
  readonly at: Date
  readonly appid: string
  readonly mchid: string
  readonly deviceId: string
  readonly transactionId: string
  readonly outTradeNo: string
  readonly openid: string
  readonly tradeType: string
  readonly bankType: string
  readonly coupon: number
  readonly product: string
  readonly attach: string
  /** Of a payment's row; 0 in a refund's. */
  readonly total: number
  readonly refund?: BillRefund
  /** Fen; what the rate gives, unless the vendor errs. Negative in a refund's row. */
  readonly fee?: number
}

export interface BillRefund {
  readonly refundId: string
  readonly outRefundNo: string
  readonly amount: number
  /** The bill's own word, which is not the API's. */
  readonly status: 'SUCCESS' | 'PROCESSING' | 'FAIL' | 'CHANGE'
}

/** One movement of the fund-flow bill (dossier 6.8). */
export interface FundRow {
  readonly at: Date
  readonly businessId: string
  readonly flowId: string
  readonly name: string
  readonly type: string
  readonly isIn: boolean
  readonly amount: number
  readonly balance: number
  readonly initiator: string
  readonly remark: string
  readonly voucher: string
}

export const BILL_HEADER =
  '交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注'
const BILL_SUMMARY =
  '总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额'
const FUND_HEADER =
  '记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号'
const FUND_SUMMARY = '资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额'

const MARK = '\uFEFF'
const LINE_END = '\r\n'
/** 0.60 %, the usual rate of a merchant. */
export const RATE_TEXT = '0.60%'
const FEE_FEN_PER_10000 = 60

/** The fee of an amount in fen: 0.60 %, half up. */
export const feeOf = (fen: number): number => Math.floor((fen * FEE_FEN_PER_10000 + 5000) / 10_000)

/** `12345` fen as `123.45`. */
export function yuan(fen: number): string {
  const digits = String(Math.abs(fen)).padStart(3, '0')
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** A line of values, each after a backtick. */
export const billLine = (values: readonly string[]): string => `\`${values.join(',`')}${LINE_END}`

/** The start of a bill: the byte order mark and the names of the columns. */
export const billHead = (header: string): string => `${MARK}${header}${LINE_END}`

/** What the merchant wrote, as the vendor escapes it (dossier 6.6). */
const escaped = (text: string): string =>
  text
    .replaceAll(',', '\\ ')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\u0001', ' ')

const feeIn = ({ fee, total, refund }: BillRow): number =>
  fee ?? (refund === undefined ? feeOf(total) : -feeOf(refund.amount))

export function rowText(row: BillRow): string {
  const { refund } = row
  return billLine([
    formatChinaDateTime(row.at),
    row.appid,
    row.mchid,
    '0',
    escaped(row.deviceId),
    row.transactionId,
    row.outTradeNo,
    row.openid,
    row.tradeType,
    refund === undefined ? 'SUCCESS' : 'REFUND',
    row.bankType,
    'CNY',
    yuan(row.total),
    yuan(refund === undefined ? row.coupon : 0),
    refund?.refundId ?? '0',
    refund?.outRefundNo ?? '0',
    yuan(refund?.amount ?? 0),
    '0.00',
    refund === undefined ? '' : 'ORIGINAL',
    refund?.status ?? '',
    escaped(row.product),
    escaped(row.attach),
    `${yuan(feeIn(row))}000`,
    RATE_TEXT,
    yuan(row.total),
    yuan(refund?.amount ?? 0),
    '',
  ])
}

/** What the rows of a transaction bill add up to, fen. */
export interface BillSums {
  rows: number
  total: number
  refunded: number
  fee: number
}

export const noSums = (): BillSums => ({ rows: 0, total: 0, refunded: 0, fee: 0 })

export function addRow(sums: BillSums, row: BillRow): void {
  sums.rows += 1
  sums.total += row.total
  sums.refunded += row.refund?.amount ?? 0
  sums.fee += feeIn(row)
}

export const summaryText = ({ rows, total, refunded, fee }: BillSums): string =>
  `${BILL_SUMMARY}${LINE_END}${billLine([
    `${rows}.0`,
    yuan(total),
    yuan(refunded),
    '0.00',
    yuan(fee),
    yuan(total),
    yuan(refunded),
  ])}`

/** The whole transaction bill. */
export function billText(rows: readonly BillRow[]): string {
  const sums = noSums()
  for (const row of rows) addRow(sums, row)
  return billHead(BILL_HEADER) + rows.map(rowText).join('') + summaryText(sums)
}

/** The whole fund-flow bill. */
export function fundText(rows: readonly FundRow[]): string {
  const lines = rows.map((row) =>
    billLine([
      formatChinaDateTime(row.at),
      row.businessId,
      row.flowId,
      row.name,
      row.type,
      row.isIn ? '收入' : '支出',
      yuan(row.amount),
      yuan(row.balance),
      row.initiator,
      escaped(row.remark),
      row.voucher,
    ]),
  )
  const sides = [rows.filter(({ isIn }) => isIn), rows.filter(({ isIn }) => !isIn)]
  const summary = [rows.length, ...sides.flatMap((side) => [side.length, sumOf(side)])]
  const [count = 0, ins = 0, inFen = 0, outs = 0, outFen = 0] = summary
  const values = [`${count}.0`, `${ins}.0`, yuan(inFen), `${outs}.0`, yuan(outFen)]
  return billHead(FUND_HEADER) + lines.join('') + FUND_SUMMARY + LINE_END + billLine(values)
}

const sumOf = (rows: readonly FundRow[]): number =>
  rows.reduce((sum, { amount }) => sum + amount, 0)
