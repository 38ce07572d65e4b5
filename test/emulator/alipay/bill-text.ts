import { formatChinaDateTime } from '../core/china-time.ts'
import { formatYuan } from './yuan.ts'

/** One row of the trade bill (dossier 6.3). Amounts are fen, negative in a refund's row. */
export interface TradeRow {
  readonly tradeNo: string
  readonly outTradeNo: string
  readonly subject: string
  readonly createdAt: Date
  readonly doneAt: Date
  readonly buyer: string
  readonly fen: number
  /** What the platform's coupons bore of it. */
  readonly platformFen: number
  /** The merchant's number of the refund; absent in a payment's row. */
  readonly requestNo?: string
  readonly remark: string
}

/** One movement of the account (dossier 6.5). */
export interface AccountRow {
  readonly entryNo: string
  readonly tradeNo: string
  readonly outTradeNo: string
  readonly subject: string
  readonly at: Date
  readonly buyer: string
  /** Negative is out. */
  readonly fen: number
  readonly balanceFen: number
}

/** Whose bill it is, and of which day, in the vendor's words. */
export interface BillHead {
  /** The merchant's PID and `0156`. */
  readonly account: string
  readonly from: string
  readonly to: string
  readonly exportedAt: string
}

const LINE_END = '\r\n'
const TAB = '\t'
const LAST = '合计'
const DASHES = '-'.repeat(41)
const MORE_DASHES = '-'.repeat(36)

const TRADE_HEADER =
  '支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注'
const TRADE_SUMMARY_HEADER =
  '门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）'
const ACCOUNT_HEADER =
  '账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注'
const ACCOUNT_SUMMARY_HEADER = '类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）'

const NOTHING = '0.00'

/** A comma is quoted; the dossier does not know what the vendor does (6.3). A line has no end within. */
const cell = (text: string): string => {
  const flat = text.replace(/[\r\n]/g, ' ')
  return flat.includes(',') ? `"${flat.replaceAll('"', '""')}"` : flat
}

const textOf = (lines: readonly string[]): string => lines.map((line) => line + LINE_END).join('')

const headOf = (title: string, { account, from, to }: BillHead): readonly string[] => [
  `#支付宝${title}查询`,
  `#账号：[${account}]`,
  `#起始日期：[${from}]   终止日期：[${to}]`,
]

const sumOf = (fens: readonly number[]): number => fens.reduce((sum, fen) => sum + fen, 0)

const isRefund = ({ requestNo }: TradeRow): boolean => requestNo !== undefined

function tradeLine(row: TradeRow): string {
  return [
    row.tradeNo + TAB,
    row.outTradeNo + TAB,
    (isRefund(row) ? '退款' : '交易') + TAB,
    cell(row.subject),
    formatChinaDateTime(row.createdAt),
    formatChinaDateTime(row.doneAt),
    TAB,
    TAB,
    TAB,
    TAB,
    row.buyer + TAB,
    formatYuan(row.fen),
    formatYuan(row.fen),
    NOTHING,
    NOTHING,
    formatYuan(row.platformFen),
    NOTHING,
    NOTHING,
    '',
    NOTHING + TAB,
    NOTHING,
    row.requestNo ?? TAB,
    NOTHING,
    NOTHING,
    cell(row.remark),
  ].join(',')
}

/** The detail of the trade bill. */
export function tradeDetail(rows: readonly TradeRow[], head: BillHead): string {
  const total = (side: readonly TradeRow[]): string => formatYuan(sumOf(side.map(({ fen }) => fen)))
  const refunds = rows.filter(isRefund)
  const payments = rows.filter((row) => !isRefund(row))
  return textOf([
    ...headOf('业务明细', head),
    `#${DASHES}业务明细列表${MORE_DASHES}`,
    TRADE_HEADER,
    ...rows.map(tradeLine),
    `#${DASHES}业务明细列表结束${MORE_DASHES}`,
    `#交易合计：${payments.length}笔，商家实收共${total(payments)}元，商家优惠共${NOTHING}元`,
    `#退款合计：${refunds.length}笔，商家实收退款共${total(refunds)}元，商家优惠退款共${NOTHING}元`,
    `#导出时间：[${head.exportedAt}]`,
  ])
}

/** The summary of the trade bill: one row for all, because there are no shops here (dossier 6.4). */
export function tradeSummary(rows: readonly TradeRow[], head: BillHead): string {
  const refunds = rows.filter(isRefund).length
  const net = formatYuan(sumOf(rows.map(({ fen }) => fen)))
  const platform = formatYuan(sumOf(rows.map(({ platformFen }) => platformFen)))
  const counts = [String(rows.length - refunds), String(refunds)]
  const values = [...counts, net, net, platform, NOTHING, NOTHING, NOTHING, NOTHING, net]
  return textOf([
    ...headOf('业务汇总', head),
    `#${DASHES}业务汇总列表${MORE_DASHES}`,
    TRADE_SUMMARY_HEADER,
    [TAB, TAB, ...values].join(','),
    [LAST + TAB, TAB, ...values].join(','),
  ])
}

const kindOf = ({ fen }: AccountRow): string => (fen > 0 ? '在线支付' : '交易退款')

const accountLine = (row: AccountRow): string =>
  [
    row.entryNo + TAB,
    row.tradeNo + TAB,
    row.outTradeNo + TAB,
    cell(row.subject) + TAB,
    formatChinaDateTime(row.at),
    row.buyer,
    row.fen > 0 ? formatYuan(row.fen) : NOTHING,
    row.fen > 0 ? NOTHING : formatYuan(row.fen),
    formatYuan(row.balanceFen),
    '支付宝',
    kindOf(row),
    '',
  ].join(',')

const fensOf = (rows: readonly AccountRow[]): readonly number[] => rows.map(({ fen }) => fen)

/** The detail of the account bill. */
export function accountDetail(rows: readonly AccountRow[], head: BillHead): string {
  const fens = fensOf(rows)
  const ins = fens.filter((fen) => fen > 0)
  const outs = fens.filter((fen) => fen <= 0)
  return textOf([
    ...headOf('账务明细', head),
    `#${DASHES}账务明细列表${MORE_DASHES}`,
    ACCOUNT_HEADER,
    ...rows.map(accountLine),
    `#${DASHES}账务明细列表结束${MORE_DASHES}`,
    `#支出合计：${outs.length}笔，共${formatYuan(sumOf(outs))}元`,
    `#收入合计：${ins.length}笔，共${formatYuan(sumOf(ins))}元`,
    `#导出时间：[${head.exportedAt}]`,
  ])
}

/** The summary of the account bill (dossier 6.6). */
export function accountSummary(rows: readonly AccountRow[], head: BillHead): string {
  const line = (name: string, fens: readonly number[]): string => {
    const ins = fens.filter((fen) => fen > 0)
    const outs = fens.filter((fen) => fen <= 0)
    const sides = [ins, outs].flatMap((side) => [side.length, formatYuan(sumOf(side))])
    return [name, ...sides, formatYuan(sumOf(fens))].join(',')
  }
  const kinds = [...new Set(rows.map(kindOf))]
  return textOf([
    ...headOf('账务汇总', head),
    ACCOUNT_SUMMARY_HEADER,
    ...kinds.map((kind) => line(kind, fensOf(rows.filter((row) => kindOf(row) === kind)))),
    line(LAST, fensOf(rows)),
  ])
}
