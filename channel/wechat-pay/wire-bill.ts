import { z } from 'zod'
import { formatUnits, parseUnits } from '#domain/decimal'
import { BillBroken } from '../bill.ts'
import type { BillKind, BillLine, BillLineKind, BillRequest } from '../bill.ts'
import { parseJson } from '../json.ts'
import { findColumn, needColumn } from '../bill-column.ts'
import { SUM_DECIMALS, SUM_UNIT, SUM_UNITS_PER_FEN, readMoment, shown } from '../bill-value.ts'
import { readFen } from './bill-cell.ts'
import type { BillForm, BillLayout, Cells, Owner } from './bill-cell.ts'

const PATHS: Readonly<Record<BillKind, string>> = {
  transaction: '/v3/bill/tradebill',
  fund: '/v3/bill/fundflowbill',
}
const TYPES: Readonly<Record<BillKind, string>> = {
  transaction: 'bill_type=ALL',
  fund: 'account_type=BASIC',
}

/** WeChat Pay dossier, section 6.2. */
export const writeBillTarget = ({ kind, businessDate }: BillRequest): string =>
  `${PATHS[kind]}?bill_date=${encodeURIComponent(businessDate)}&${TYPES[kind]}&tar_type=GZIP`

export interface BillLink {
  readonly url: string
  /** Of the bytes before packing, in small letters. */
  readonly sha1: string
}

const linkSchema = z.object({
  hash_type: z.literal('SHA1'),
  hash_value: z.string().regex(/^[0-9A-Fa-f]{40}$/),
  download_url: z.string().min(1).max(2048),
})

/** WeChat Pay dossier, section 6.3; `undefined` without a hash that can be checked. */
export function parseBillLink(bytes: Uint8Array): BillLink | undefined {
  const link = linkSchema.safeParse(parseJson(bytes)).data
  return link && { url: link.download_url, sha1: link.hash_value.toLowerCase() }
}

/**
 * The transaction bill in the vendor's own words (WeChat Pay dossier, section 6.7). Columns are found by name,
 * because their order differs between bill types and generations; the older names stand second.
 */
const NAMES = {
  at: ['交易时间'],
  mchid: ['商户号'],
  channelPaymentId: ['微信订单号'],
  paymentNumber: ['商户订单号'],
  state: ['交易状态'],
  currency: ['货币种类'],
  fee: ['手续费'],
  rate: ['费率'],
  // The older layout has one amount for what was ordered and what is paid out.
  total: ['订单金额', '总金额'],
} as const

/** All or none: the bill of payments alone has none. */
const REFUND_NAMES = {
  channelRefundId: ['微信退款单号'],
  refundNumber: ['商户退款单号'],
  refunded: ['退款金额'],
  asked: ['申请退款金额'],
} as const
/** Where it is, the layout is the older one, which knows only one amount of a refund. */
const OLD_TOTAL = '总金额'

/** Needed to know the owner, or for a sum of the summary, and for nothing else. */
const FURTHER_NAMES = {
  subMchid: ['特约商户号', '子商户号'],
  payable: ['应结订单金额', '总金额'],
  coupon: ['充值券退款金额', '企业红包退款金额', '代金券或立减优惠退款金额'],
} as const

type Columns = Readonly<
  Record<keyof typeof NAMES | keyof typeof REFUND_NAMES | keyof typeof FURTHER_NAMES, number>
>

function columnsOf(header: readonly string[]): Columns {
  const isOld = header.includes(OLD_TOTAL)
  const hasRefunds = Object.values(REFUND_NAMES).some((names) => findColumn(header, names) >= 0)
  const need = (names: readonly string[]): number => needColumn(header, names)
  const needRefund = (names: readonly string[]): number => (hasRefunds ? need(names) : -1)
  return {
    at: need(NAMES.at),
    mchid: need(NAMES.mchid),
    channelPaymentId: need(NAMES.channelPaymentId),
    paymentNumber: need(NAMES.paymentNumber),
    state: need(NAMES.state),
    currency: need(NAMES.currency),
    fee: need(NAMES.fee),
    rate: need(NAMES.rate),
    total: need(NAMES.total),
    channelRefundId: needRefund(REFUND_NAMES.channelRefundId),
    refundNumber: needRefund(REFUND_NAMES.refundNumber),
    refunded: needRefund(REFUND_NAMES.refunded),
    asked: needRefund(isOld ? REFUND_NAMES.refunded : REFUND_NAMES.asked),
    subMchid: findColumn(header, FURTHER_NAMES.subMchid),
    payable: findColumn(header, FURTHER_NAMES.payable),
    coupon: findColumn(header, FURTHER_NAMES.coupon),
  }
}

/** The words of the summary by the column that they add up; the older ones are not first. */
const SUM_WORDS = {
  payable: ['应结订单总金额', '总交易额'],
  refunded: ['退款总金额', '总退款金额'],
  coupon: ['充值券退款总金额', '总企业红包退款金额', '总代金券或立减优惠退款金额'],
  total: ['订单总金额'],
  asked: ['申请退款总金额'],
} as const
const AMOUNTS = ['payable', 'refunded', 'coupon', 'total', 'asked'] as const
const COUNT_WORD = '总交易单数'
const FEE_WORD = '手续费总金额'

const KINDS: ReadonlyMap<string, BillLineKind> = new Map([
  ['SUCCESS', 'payment'],
  ['REFUND', 'refund'],
])
const CURRENCY = 'CNY'
/** Stands for "none" in the columns of refunds of a payment's row. */
const NO_NUMBER = '0'

/** The transaction bill of every type and generation. */
export const transactionForm: BillForm = {
  summaryWord: COUNT_WORD,
  open: (header, owner) => new TransactionLayout(header, owner),
}

class TransactionLayout implements BillLayout {
  readonly requiredSums: readonly string[]
  readonly #owner: Owner
  readonly #columns: Columns
  /** The value of the row before, and what it means: neighbours share a second, and mostly their rate. */
  #moment: { readonly text: string; readonly at: string } | undefined
  #rate: { readonly text: string; readonly rate: string } | undefined
  readonly #sums = { payable: 0n, refunded: 0n, coupon: 0n, total: 0n, asked: 0n }
  #fees = 0n
  #rows = 0n

  constructor(header: readonly string[], owner: Owner) {
    this.#owner = owner
    this.#columns = columnsOf(header)
    const isOld = header.includes(OLD_TOTAL)
    const refunds = this.#columns.asked >= 0 ? SUM_WORDS.asked : []
    // How the older summary is called is not certain (dossier, section 6.7); the number of rows is.
    this.requiredSums = isOld
      ? [COUNT_WORD]
      : [COUNT_WORD, FEE_WORD, ...SUM_WORDS.total, ...refunds]
  }

  readLine(cells: Cells, line: number): BillLine {
    const columns = this.#columns
    this.#checkRow(cells, line)
    const stateText = cells.at(columns.state)
    // A state that we do not know, and a code payment taken back, are for a person (dossier, section 6.7).
    const kind = KINDS.get(stateText) ?? 'other'
    const { total, asked, payable, refunded } = this.#addAmounts(cells, line)
    const isRefund = kind === 'refund' || (kind === 'other' && total === 0n)
    const [amountMinor, feeBaseMinor] = isRefund ? [asked, refunded] : [total, payable]
    const read = {
      line,
      kind,
      paymentNumber: cells.at(columns.paymentNumber),
      channelPaymentId: cells.at(columns.channelPaymentId),
      refundNumber: numberOf(cells, columns.refundNumber),
      channelRefundId: numberOf(cells, columns.channelRefundId),
      amountMinor,
      fee: this.#addFee(cells.at(columns.fee), line),
      rate: this.#rateOf(cells, line),
      stateText,
      at: this.#momentOf(cells, line),
    }
    // Dossier, section 6.7: the shop's own coupons are taken off; what they paid costs no fee.
    return feeBaseMinor === amountMinor ? read : { ...read, feeBaseMinor }
  }

  sums(): ReadonlyMap<string, bigint> {
    const sums = new Map([
      [COUNT_WORD, this.#rows * SUM_UNIT],
      [FEE_WORD, this.#fees],
    ])
    for (const key of AMOUNTS) {
      if (this.#columns[key] < 0) continue
      for (const word of SUM_WORDS[key]) sums.set(word, this.#sums[key] * SUM_UNITS_PER_FEN)
    }
    return sums
  }

  /** Another merchant's bill, and another currency, are refused before they are read wrongly. */
  #checkRow(cells: Cells, line: number): void {
    const { mchid, subMchid, currency, asked, state } = this.#columns
    if (!cells.is(mchid, this.#owner.mchid) && !cells.is(subMchid, this.#owner.mchid)) {
      const found = shown(cells.at(mchid))
      throw new BillBroken(
        `expected merchant ${this.#owner.mchid}, found "${found}"`,
        line,
        '商户号',
      )
    }
    if (!cells.is(currency, CURRENCY)) {
      throw new BillBroken(`expected CNY, found "${shown(cells.at(currency))}"`, line, '货币种类')
    }
    if (asked < 0 && cells.is(state, 'REFUND')) {
      throw new BillBroken('a refund in a bill without columns of refunds', line, '交易状态')
    }
  }

  #addAmounts(cells: Cells, line: number) {
    this.#rows += 1n
    const columns = this.#columns
    const sums = this.#sums
    const total = readFen(cells, columns.total, line)
    const asked = readFen(cells, columns.asked, line)
    // Mostly the very same text, which need not be read twice.
    const isAllPayable = cells.is(columns.payable, cells.at(columns.total))
    const payable = isAllPayable ? total : readFen(cells, columns.payable, line)
    const refunded = readFen(cells, columns.refunded, line)
    const coupon = readFen(cells, columns.coupon, line)
    if (total !== 0n) sums.total += total
    if (asked !== 0n) sums.asked += asked
    if (payable !== 0n) sums.payable += payable
    if (refunded !== 0n) sums.refunded += refunded
    if (coupon !== 0n) sums.coupon += coupon
    // A bill without one of the columns says nothing of coupons.
    return {
      total,
      asked,
      payable: columns.payable < 0 ? total : payable,
      refunded: columns.refunded < 0 ? asked : refunded,
    }
  }

  /** Five decimals, negative where it is given back with a refund (dossier, section 6.6). */
  #addFee(text: string, line: number): string {
    const units = parseUnits(text, SUM_DECIMALS)
    if (units === undefined) {
      const expected = 'expected yuan with at most five decimals'
      throw new BillBroken(`${expected}, found "${shown(text)}"`, line, '手续费')
    }
    this.#fees += units
    return text
  }

  #momentOf(cells: Cells, line: number): string {
    const column = this.#columns.at
    if (this.#moment === undefined || !cells.is(column, this.#moment.text)) {
      const text = cells.at(column)
      this.#moment = { text, at: readMoment(text, line) }
    }
    return this.#moment.at
  }

  #rateOf(cells: Cells, line: number): string {
    const column = this.#columns.rate
    if (this.#rate === undefined || !cells.is(column, this.#rate.text)) {
      const text = cells.at(column)
      const rate = parseRate(text)
      if (rate === undefined) {
        throw new BillBroken(`expected a rate in percent, found "${shown(text)}"`, line, '费率')
      }
      this.#rate = { text, rate }
    }
    return this.#rate.rate
  }
}

function numberOf(cells: Cells, column: number): string {
  return cells.is(column, NO_NUMBER) ? '' : cells.at(column)
}

/** Decimals of a rate: of a percentage, and of the fraction that it is. */
const PERCENT_DECIMALS = 4
const RATE_DECIMALS = 6

/** `0.60%` as `0.006`; empty where none is printed; `undefined` for no rate. */
export function parseRate(text: string): string | undefined {
  if (text === '') return ''
  if (!text.endsWith('%')) return undefined
  const units = parseUnits(text.slice(0, -1), PERCENT_DECIMALS)
  if (units === undefined || units < 0n) return undefined
  return formatUnits(units, RATE_DECIMALS).replace(/\.?0+$/, '')
}
