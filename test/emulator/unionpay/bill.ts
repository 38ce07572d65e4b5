import type { RowShape } from '../core/bill-knobs.ts'
import { newDigits } from '../core/random.ts'
import type { BillOrigin, BillRow } from './bill-text.ts'
import { feeOf } from './bill-text.ts'
import { isMoneyGone, isSuccess } from './code.ts'
import type { Attempt, EmulatedRefund, Transaction } from './order.ts'
import { keyOf } from './order.ts'

/** What a bill is of: one merchant's clearing day, `yyyy-mm-dd`. */
export interface BillWish {
  readonly merId: string
  readonly date: string
}

const MASKED_CARD = '621626*********0018'
const TERMINAL = '01080209'
const PAYMENT_CODE = 'S56'
/** The code table of column 1 is not published: the dossier's own placeholder (5.4). */
const OTHER_CODE = 'Z04'
const DAY_MS = 24 * 3600 * 1000
/** A clearing day has no year; what lies further away is another year's. */
const NEAR_DAYS = 180

/** What was paid and given back on that clearing day, in no order of time (dossier 5.2). */
export function billRows(
  transactions: readonly Transaction[],
  wish: BillWish,
  subMerAbbr: string,
): readonly BillRow[] {
  const byKey = new Map(transactions.map((one) => [keyOf(one.message.fields), one]))
  return transactions.flatMap((transaction) => {
    const { attempt, message } = transaction
    if (attempt === undefined || message.fields['merId'] !== wish.merId) return []
    if (!hasMoved(transaction, attempt) || !isOfDay(attempt, wish.date)) return []
    const origin = transaction.kind === 'refund' ? originOf(transaction, byKey) : undefined
    return [rowOf(transaction, attempt, { subMerAbbr, origin })]
  })
}

const hasMoved = ({ kind }: Transaction, { code }: Attempt): boolean =>
  kind === 'order' ? isMoneyGone(code) : isSuccess(code)

function isOfDay({ settleDate, begunAt }: Attempt, date: string): boolean {
  const awayMs = Math.abs(begunAt.getTime() - Date.parse(`${date}T00:00:00+08:00`))
  return settleDate === date.slice(5).replace('-', '') && awayMs < NEAR_DAYS * DAY_MS
}

function originOf(
  { origin }: EmulatedRefund,
  byKey: ReadonlyMap<string, Transaction>,
): BillOrigin | undefined {
  const order = byKey.get(origin)
  if (order?.attempt === undefined) return undefined
  const { traceNo, traceTime, queryId } = order.attempt
  return { traceNo, traceTime, queryId, orderId: order.message.fields['orderId'] ?? '' }
}

interface Surroundings {
  readonly subMerAbbr: string
  readonly origin: BillOrigin | undefined
}

function rowOf(
  { message: { fields } }: Transaction,
  { traceNo, traceTime, queryId, amount }: Attempt,
  { subMerAbbr, origin }: Surroundings,
): BillRow {
  const fen = Number(amount)
  return {
    code: origin === undefined ? PAYMENT_CODE : OTHER_CODE,
    traceNo,
    traceTime,
    accNo: MASKED_CARD,
    amount: fen,
    queryId,
    orderId: fields['orderId'] ?? '',
    fee: origin === undefined ? feeOf(fen) : 0,
    txnType: fields['txnType'] ?? '',
    txnSubType: fields['txnSubType'] ?? '',
    bizType: fields['bizType'] ?? '',
    merId: fields['merId'] ?? '',
    subMerAbbr,
    termId: TERMINAL,
    reserved: fields['reqReserved'] ?? '',
    ...(origin !== undefined && { origin }),
  }
}

/** How the panel plants into this bill. */
export const rowShape = (wish: BillWish): RowShape<BillRow> => ({
  numberOf: ({ orderId }) => orderId,
  withAmount: (row, moreFen) => ({ ...row, amount: row.amount + moreFen }),
  extra: (orderId, amount) => extraRow(wish, orderId, amount),
})

function extraRow({ merId, date }: BillWish, orderId: string, amount: number): BillRow {
  const traceTime = `${date.slice(5).replace('-', '')}120000`
  const traceNo = newDigits(6)
  return {
    code: PAYMENT_CODE,
    traceNo,
    traceTime,
    accNo: MASKED_CARD,
    amount,
    queryId: `${newDigits(2)}${date.slice(2, 4)}${traceTime}${traceNo}8`,
    orderId,
    fee: feeOf(amount),
    txnType: '01',
    txnSubType: '01',
    bizType: '000201',
    merId,
    subMerAbbr: '',
    termId: TERMINAL,
    reserved: '',
  }
}
