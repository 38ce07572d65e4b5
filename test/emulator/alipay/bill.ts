import type { RowShape } from '../core/bill-knobs.ts'
import { formatChinaTime } from '../core/china-time.ts'
import type { AccountRow, BillHead, TradeRow } from './bill-text.ts'
import type { Trade } from './trade.ts'
import { BUYER, newTradeNo } from './trade.ts'

/** What a bill is of: one merchant's day in Beijing, `yyyy-mm-dd`, or month. */
export interface BillWish {
  readonly sellerId: string
  readonly date: string
}

export const chinaDate = (moment: Date): string => formatChinaTime(moment).slice(0, 10)

const MASKED_BUYER = `*三(${BUYER.logonId})`

/** What was paid and given back on that day, in the order of time. */
export function tradeRows(trades: readonly Trade[], { sellerId, date }: BillWish): TradeRow[] {
  return trades
    .filter(({ offer }) => offer.sellerId === sellerId)
    .flatMap((trade) => [...paidRows(trade), ...refundRows(trade)])
    .filter(({ doneAt }) => chinaDate(doneAt).startsWith(date))
    .toSorted((a, b) => a.doneAt.getTime() - b.doneAt.getTime())
}

const rowOf = ({ offer, tradeNo, createdAt }: Trade) => ({
  tradeNo,
  outTradeNo: offer.outTradeNo,
  subject: offer.subject,
  createdAt,
  buyer: MASKED_BUYER,
  remark: offer.body ?? offer.subject,
})

function paidRows(trade: Trade): readonly TradeRow[] {
  const { payment, offer } = trade
  if (payment === undefined) return []
  const platformFen = offer.totalFen - payment.buyerPaysFen
  return [{ ...rowOf(trade), doneAt: payment.paidAt, fen: offer.totalFen, platformFen }]
}

/** A refund's row tells when the trade was created, not the refund (dossier 6.3). */
const refundRows = (trade: Trade): readonly TradeRow[] =>
  trade.refunds.map(({ outRequestNo, fen, at }) => ({
    ...rowOf(trade),
    doneAt: at,
    fen: -fen,
    platformFen: 0,
    requestNo: outRequestNo,
  }))

/** How the panel plants something in this bill. */
export const rowShape = ({ date }: BillWish): RowShape<TradeRow> => ({
  numberOf: ({ requestNo, outTradeNo }) => requestNo ?? outTradeNo,
  withAmount: (row, moreFen) => ({ ...row, fen: row.fen + Math.sign(row.fen) * moreFen }),
  extra(outTradeNo, fen) {
    const at = new Date(`${date}T12:00:00+08:00`)
    const common = { subject: 'of another till', remark: '', buyer: MASKED_BUYER, platformFen: 0 }
    return { ...common, tradeNo: newTradeNo(at), outTradeNo, createdAt: at, doneAt: at, fen }
  },
})

/** What the merchant's account held before its first movement, fen. */
const OPENING_BALANCE = 10_000_000
const ENTRY_NO_BASE = 100_000_000_000_000

/** How the account moved by the rows of the trade bill. There are no fees here. */
export function accountRows(rows: readonly TradeRow[]): readonly AccountRow[] {
  let balanceFen = OPENING_BALANCE
  return rows.map(({ tradeNo, outTradeNo, subject, doneAt, buyer, fen }, index) => {
    balanceFen += fen
    const entryNo = String(ENTRY_NO_BASE + index + 1)
    return { entryNo, tradeNo, outTradeNo, subject, at: doneAt, buyer, fen, balanceFen }
  })
}

const DAY_MS = 86_400_000
const MONTH_CHARACTERS = 7

/** The first lines of every member: the period ends with the first moment after it. */
export function headOf({ sellerId, date }: BillWish): BillHead {
  const isMonth = date.length === MONTH_CHARACTERS
  const first = isMonth ? `${date}-01` : date
  const later = new Date(Date.parse(`${first}T00:00:00Z`) + (isMonth ? 31 : 1) * DAY_MS)
  const next = later.toISOString().slice(0, isMonth ? MONTH_CHARACTERS : first.length)
  const to = isMonth ? `${next}-01` : next
  return {
    account: accountOf(sellerId),
    from: inWords(first, '00:00:00'),
    to: inWords(to, '00:00:00'),
    exportedAt: inWords(to, '05:46:49'),
  }
}

/** Dossier 6.2: the PID, and behind it the number of its account. */
export const accountOf = (sellerId: string): string => `${sellerId}0156`

function inWords(date: string, time: string): string {
  const [year, month, day] = date.split('-')
  return `${year}年${month}月${day}日 ${time}`
}
