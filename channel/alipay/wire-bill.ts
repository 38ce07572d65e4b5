import { z } from 'zod'
import { BillBroken } from '../bill.ts'
import type { BillKind, BillLine, BillLineKind, BillRequest } from '../bill.ts'
import { needColumn } from '../bill-column.ts'
import { readMoment } from '../bill-value.ts'
import { parseJson } from '../json.ts'
import { Adder, readYuan } from './bill-cell.ts'
import type { BillForm, DetailLayout, Row, Sums } from './bill-cell.ts'
import { SummaryTable } from './bill-summary.ts'
import type { SummaryColumn } from './bill-summary.ts'

export const BILL_API = 'alipay.data.dataservice.bill.downloadurl.query'

const TYPES: Readonly<Record<BillKind, string>> = { transaction: 'trade', fund: 'signcustomer' }

/** Alipay dossier, section 6.1. */
export const writeBillRequest = ({ kind, businessDate }: BillRequest): string =>
  JSON.stringify({ bill_type: TYPES[kind], bill_date: businessDate })

const linkSchema = z.object({
  bill_download_url: z.string().nullish(),
  bill_file_code: z.string().nullish(),
})

export interface BillLink {
  /** Empty where there is none. */
  readonly url: string
  /** What the vendor says of the file; empty where it says nothing. */
  readonly fileCode: string
}

export function parseBillLink(node: Uint8Array): BillLink | undefined {
  const link = linkSchema.safeParse(parseJson(node)).data
  return link && { url: link.bill_download_url ?? '', fileCode: link.bill_file_code ?? '' }
}

/** The trade bill in the vendor's own words (Alipay dossier, section 6.3). Columns are found by name. */
const NAMES = {
  channelPaymentId: '支付宝交易号',
  paymentNumber: '商户订单号',
  type: '业务类型',
  at: '完成时间',
  amount: '订单金额(元)',
  receipt: '商家实收(元)',
  discount: '商家优惠(元)',
  refundNumber: '退款批次号/请求号',
  fee: '服务费(元)',
} as const

type Columns = Readonly<Record<keyof typeof NAMES, number>>

const KINDS: ReadonlyMap<string, BillLineKind> = new Map([
  ['交易', 'payment'],
  ['退款', 'refund'],
])

/** Amounts of each row that the totals or the summary add up. */
const ADDED = ['amount', 'receipt', 'discount', 'fee'] as const

/** Of the payments alone, of the refunds alone, and of both. */
const SUM_NAMES = ['payment', 'refund', 'net'].flatMap((side) =>
  ['count', ...ADDED].map((name) => `${side} ${name}`),
)

/** Whether refunds are taken off is an assumption of the dossier (section 6.7): either way is accepted. */
const eitherWay = (name: string): readonly string[] => [`net ${name}`, `payment ${name}`]

const SUMMARY: readonly SummaryColumn[] = [
  { name: '交易订单总笔数', decimals: 0, says: ['payment count'], isRequired: true },
  { name: '退款订单总笔数', decimals: 0, says: ['refund count'], isRequired: true },
  { name: NAMES.amount, decimals: 2, says: eitherWay('amount'), isRequired: true },
  { name: NAMES.receipt, decimals: 2, says: eitherWay('receipt'), isRequired: true },
  { name: NAMES.discount, decimals: 2, says: eitherWay('discount'), isRequired: false },
  { name: NAMES.fee, decimals: 2, says: eitherWay('fee'), isRequired: false },
  // What is taken off is not documented: only its own rows are added up.
  { name: '实收净额(元)', decimals: 2, says: [], isRequired: false },
]

export const transactionForm: BillForm = {
  detailTitle: '#支付宝业务明细查询',
  summaryTitle: '#支付宝业务汇总查询',
  openDetail: (header, line) => new TransactionLayout(header, line),
  openSummary: (header, line) => new SummaryTable(SUMMARY, header, line),
}

class TransactionLayout implements DetailLayout {
  readonly totals = [
    {
      word: '交易合计',
      count: 'payment count',
      amounts: ['payment receipt', 'payment discount'],
    },
    { word: '退款合计', count: 'refund count', amounts: ['refund receipt', 'refund discount'] },
  ]
  readonly #columns: Columns
  readonly #adder = new Adder(SUM_NAMES)

  constructor(header: readonly string[], line: number) {
    const need = (name: keyof typeof NAMES): number => needColumn(header, [NAMES[name]], line)
    this.#columns = {
      channelPaymentId: need('channelPaymentId'),
      paymentNumber: need('paymentNumber'),
      type: need('type'),
      at: need('at'),
      amount: need('amount'),
      receipt: need('receipt'),
      discount: need('discount'),
      refundNumber: need('refundNumber'),
      fee: need('fee'),
    }
  }

  readLine(row: Row): BillLine {
    const columns = this.#columns
    const stateText = row.at(columns.type)
    // A type that we do not know is for a person.
    const kind = KINDS.get(stateText) ?? 'other'
    const { amount, fee } = this.#addAmounts(row, kind)
    return {
      line: row.line,
      kind,
      paymentNumber: row.at(columns.paymentNumber),
      channelPaymentId: row.at(columns.channelPaymentId),
      refundNumber: row.at(columns.refundNumber),
      // The vendor numbers no refunds: ours is unique within its payment.
      channelRefundId: '',
      amountMinor: absolute(amount),
      fee: feeText(row.at(columns.fee), fee, kind),
      rate: '',
      stateText,
      at: readMoment(row.at(columns.at), row.line),
    }
  }

  sums(): Sums {
    return this.#adder.sums
  }

  #addAmounts(row: Row, kind: BillLineKind) {
    const read = (name: (typeof ADDED)[number]): bigint =>
      readYuan(row, this.#columns[name], NAMES[name])
    const amounts = {
      amount: read('amount'),
      receipt: read('receipt'),
      discount: read('discount'),
      fee: read('fee'),
    }
    expectSign(kind, amounts.amount, row.line)
    if (kind === 'other') return amounts
    for (const side of [kind, 'net']) {
      this.#adder.add(`${side} count`, 1n)
      for (const name of ADDED) this.#adder.add(`${side} ${name}`, amounts[name])
    }
    return amounts
  }
}

/** Alipay dossier, section 6.3: the amounts of refunds are negative, and the type says so too. */
function expectSign(kind: BillLineKind, fen: bigint, line: number): void {
  const isWrong = (kind === 'payment' && fen < 0n) || (kind === 'refund' && fen > 0n)
  if (isWrong) throw new BillBroken(`the sign of the amount is not that of a ${kind}`, line)
}

const absolute = (fen: bigint): bigint => (fen < 0n ? -fen : fen)

/** The sign of a fee is not documented, so the type gives it: what a refund brings back is negative. */
function feeText(text: string, fen: bigint, kind: BillLineKind): string {
  const unsigned = text.replace('-', '')
  return kind === 'refund' && fen !== 0n ? `-${unsigned}` : unsigned
}
