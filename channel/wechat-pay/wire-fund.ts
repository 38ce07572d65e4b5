import { BillBroken } from '../bill.ts'
import type { BillLine, BillLineKind } from '../bill.ts'
import { findColumn, needColumn } from '../bill-column.ts'
import { SUM_UNIT, SUM_UNITS_PER_FEN, readMoment, shown } from '../bill-value.ts'
import { readFen } from './bill-cell.ts'
import type { BillForm, BillLayout, Cells } from './bill-cell.ts'

/** The fund-flow bill in the vendor's own words (WeChat Pay dossier, section 6.8). */
const NAMES = {
  at: ['记账时间'],
  businessId: ['微信支付业务单号'],
  name: ['业务名称'],
  type: ['业务类型'],
  direction: ['收支类型'],
  amount: ['收支金额(元)'],
} as const

const IN = '收入'
const OUT = '支出'

/** What is known, by type and direction. Fees keep the sign of the transaction bill: given back is negative. */
const KINDS: ReadonlyMap<string, BillLineKind> = new Map([
  [`交易 ${IN}`, 'payment'],
  [`退款 ${OUT}`, 'refund'],
  [`扣除交易手续费 ${OUT}`, 'fee'],
  [`退还交易手续费 ${IN}`, 'fee'],
])

const COUNT_WORD = '资金流水总笔数'

/** What the shop moves itself, by the name of the business: which types stand below it the dossier does not say. */
const OWN: ReadonlySet<string> = new Set([
  '充值/提现',
  '充值',
  '提现',
  '企业付款',
  '代金券',
  '分账',
])

export const fundForm: BillForm = {
  summaryWord: COUNT_WORD,
  open: (header) => new FundLayout(header),
}

class FundLayout implements BillLayout {
  readonly requiredSums = [COUNT_WORD, '收入笔数', '收入金额', '支出笔数', '支出金额']
  readonly #at: number
  readonly #businessId: number
  readonly #name: number
  readonly #type: number
  readonly #direction: number
  readonly #amount: number
  readonly #in = { rows: 0n, fen: 0n }
  readonly #out = { rows: 0n, fen: 0n }

  constructor(header: readonly string[]) {
    this.#at = needColumn(header, NAMES.at)
    this.#businessId = needColumn(header, NAMES.businessId)
    this.#name = findColumn(header, NAMES.name)
    this.#type = needColumn(header, NAMES.type)
    this.#direction = needColumn(header, NAMES.direction)
    this.#amount = needColumn(header, NAMES.amount)
  }

  /**
   * The business id is the vendor's number of the payment, or of the refund where the movement is one's. A
   * type alone does not say which way the money went, so the state is both words.
   */
  readLine(cells: Cells, line: number): BillLine {
    const amountMinor = readFen(cells, this.#amount, line)
    const isIn = this.#add(cells, amountMinor, line)
    const type = cells.at(this.#type)
    const stateText = `${type} ${isIn ? IN : OUT}`
    const kind = KINDS.get(stateText) ?? (OWN.has(cells.at(this.#name)) ? 'own' : 'other')
    const isOfRefund = type.startsWith('退')
    const businessId = cells.at(this.#businessId)
    const yuan = cells.at(this.#amount)
    return {
      line,
      kind,
      paymentNumber: '',
      channelPaymentId: isOfRefund ? '' : businessId,
      refundNumber: '',
      channelRefundId: isOfRefund ? businessId : '',
      amountMinor,
      fee: kind === 'fee' ? `${isIn ? '-' : ''}${yuan}` : '',
      rate: '',
      stateText,
      at: readMoment(cells.at(this.#at), line),
    }
  }

  sums(): ReadonlyMap<string, bigint> {
    return new Map([
      [COUNT_WORD, (this.#in.rows + this.#out.rows) * SUM_UNIT],
      ['收入笔数', this.#in.rows * SUM_UNIT],
      ['收入金额', this.#in.fen * SUM_UNITS_PER_FEN],
      ['支出笔数', this.#out.rows * SUM_UNIT],
      ['支出金额', this.#out.fen * SUM_UNITS_PER_FEN],
    ])
  }

  /** Whether the money came in. Without a direction the amount means nothing. */
  #add(cells: Cells, fen: bigint, line: number): boolean {
    const isIn = cells.is(this.#direction, IN)
    if (!isIn && !cells.is(this.#direction, OUT)) {
      const found = shown(cells.at(this.#direction))
      throw new BillBroken(`expected ${IN} or ${OUT}, found "${found}"`, line, NAMES.direction[0])
    }
    const side = isIn ? this.#in : this.#out
    side.rows += 1n
    side.fen += fen
    return isIn
  }
}
