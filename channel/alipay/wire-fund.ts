import { BillBroken } from '../bill.ts'
import type { BillLine, BillLineKind } from '../bill.ts'
import { needColumn } from '../bill-column.ts'
import { readMoment } from '../bill-value.ts'
import { Adder, readYuan } from './bill-cell.ts'
import type { BillForm, DetailLayout, Row, Sums } from './bill-cell.ts'
import { SummaryTable } from './bill-summary.ts'
import type { SummaryColumn } from './bill-summary.ts'

/** The account bill in the vendor's own words (Alipay dossier, section 6.5). The order of its columns varies. */
const NAMES = {
  channelPaymentId: '业务流水号',
  paymentNumber: '商户订单号',
  at: '发生时间',
  income: '收入金额(+元)',
  expense: '支出金额(-元)',
  type: '业务类型',
} as const

type Columns = Readonly<Record<keyof typeof NAMES, number>>

const IN = '收入'
const OUT = '支出'

/** What is known, by type and direction. Fees keep the sign of the transaction bill: given back is negative. */
const KINDS: ReadonlyMap<string, BillLineKind> = new Map([
  [`在线支付 ${IN}`, 'payment'],
  [`交易付款 ${IN}`, 'payment'],
  [`交易退款 ${OUT}`, 'refund'],
  [`收费 ${OUT}`, 'fee'],
  [`退费 ${IN}`, 'fee'],
])

/** What the shop moves itself, either way: a withdrawal that failed comes back. */
const OWN: ReadonlySet<string> = new Set(['提现', '转账'])

const SUMMARY: readonly SummaryColumn[] = [
  { name: '收入笔数', decimals: 0, says: ['in count'], isRequired: true },
  { name: NAMES.income, decimals: 2, says: ['in amount'], isRequired: true },
  { name: '支出笔数', decimals: 0, says: ['out count'], isRequired: true },
  { name: NAMES.expense, decimals: 2, says: ['out amount'], isRequired: true },
  { name: '总金额(元)', decimals: 2, says: ['amount'], isRequired: false },
]

/** The account bill, with its older and its newer columns. */
export const fundForm: BillForm = {
  detailTitle: '#支付宝账务明细查询',
  summaryTitle: '#支付宝账务汇总查询',
  openDetail: (header, line) => new FundLayout(header, line),
  openSummary: (header, line) => new SummaryTable(SUMMARY, header, line),
}

class FundLayout implements DetailLayout {
  readonly totals = [
    { word: '支出合计', count: 'out count', amounts: ['out amount'] },
    { word: '收入合计', count: 'in count', amounts: ['in amount'] },
  ]
  readonly #columns: Columns
  readonly #adder = new Adder(['in count', 'in amount', 'out count', 'out amount', 'amount'])

  constructor(header: readonly string[], line: number) {
    const need = (name: keyof typeof NAMES): number => needColumn(header, [NAMES[name]], line)
    this.#columns = {
      channelPaymentId: need('channelPaymentId'),
      paymentNumber: need('paymentNumber'),
      at: need('at'),
      income: need('income'),
      expense: need('expense'),
      type: need('type'),
    }
  }

  /** A type alone does not say which way the money went, so the state is both words. */
  readLine(row: Row): BillLine {
    const columns = this.#columns
    const signed = this.#addMovement(row)
    const isIn = signed > 0n
    const type = row.at(columns.type)
    const stateText = `${type} ${isIn ? IN : OUT}`
    const kind = KINDS.get(stateText) ?? (OWN.has(type) ? 'own' : 'other')
    const yuan = row.at(isIn ? columns.income : columns.expense).replace('-', '')
    return {
      line: row.line,
      kind,
      paymentNumber: row.at(columns.paymentNumber),
      channelPaymentId: row.at(columns.channelPaymentId),
      refundNumber: '',
      channelRefundId: '',
      amountMinor: isIn ? signed : -signed,
      fee: kind === 'fee' ? `${isIn ? '-' : ''}${yuan}` : '',
      rate: '',
      stateText,
      at: readMoment(row.at(columns.at), row.line),
    }
  }

  sums(): Sums {
    return this.#adder.sums
  }

  /** Income is positive, expense is negative, and the other one is nothing: 0.00 or empty. */
  #addMovement(row: Row): bigint {
    const income = this.#yuan(row, 'income')
    const expense = this.#yuan(row, 'expense')
    const isOne = (income > 0n && expense === 0n) || (income === 0n && expense < 0n)
    if (!isOne) {
      throw new BillBroken('expected either a positive income or a negative expense', row.line)
    }
    const signed = income + expense
    const side = signed > 0n ? 'in' : 'out'
    this.#adder.add(`${side} count`, 1n)
    this.#adder.add(`${side} amount`, signed)
    this.#adder.add('amount', signed)
    return signed
  }

  #yuan(row: Row, name: 'income' | 'expense'): bigint {
    const column = this.#columns[name]
    return row.at(column) === '' ? 0n : readYuan(row, column, NAMES[name])
  }
}
