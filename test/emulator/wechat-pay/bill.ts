import type { RowShape } from '../core/bill-knobs.ts'
import { formatChinaTime } from '../core/china-time.ts'
import type { BillRefund, BillRow, FundRow } from './bill-text.ts'
import { feeOf } from './bill-text.ts'
import type { EmulatedOrder } from './order.ts'
import { DEFAULT_OPENID, TRADE_TYPES, newTransactionId } from './order.ts'
import type { EmulatedRefund, RefundStatus } from './refund.ts'

/** The books as a bill is made of them. */
export interface Books {
  readonly orders: readonly EmulatedOrder[]
  readonly refunds: readonly EmulatedRefund[]
}

/** What a bill is of: one merchant's day in Beijing, `yyyy-mm-dd`. */
export interface BillWish {
  readonly mchid: string
  readonly date: string
}

export const chinaDate = (moment: Date): string => formatChinaTime(moment).slice(0, 10)

/** The bill's own words, frozen when the bill is made (dossier 6.7). */
const STATUSES: Readonly<Record<RefundStatus, BillRefund['status']>> = {
  SUCCESS: 'SUCCESS',
  PROCESSING: 'PROCESSING',
  ABNORMAL: 'CHANGE',
  CLOSED: 'FAIL',
}

/** What was paid and what was accepted for refund on that day, in no order of time (dossier 6.6). */
export function billRows(books: Books, wish: BillWish): readonly BillRow[] {
  const orders = books.orders.filter(({ body }) => body.mchid === wish.mchid)
  const paid = orders.flatMap((order) => {
    const { payment } = order
    if (payment === undefined || chinaDate(payment.paidAt) !== wish.date) return []
    return [rowOf(order, payment)]
  })
  const refunded = refundsOf(books, wish).flatMap((refund) => {
    const order = orders.find(({ body }) => body.out_trade_no === refund.outTradeNo)
    if (order?.payment === undefined) return []
    return [refundRow(rowOf(order, order.payment), refund)]
  })
  return [...paid, ...refunded]
}

const refundsOf = ({ refunds }: Books, { mchid, date }: BillWish): readonly EmulatedRefund[] =>
  refunds.filter((refund) => refund.mchid === mchid && chinaDate(refund.createdAt) === date)

function rowOf(
  { body, product }: EmulatedOrder,
  payment: NonNullable<EmulatedOrder['payment']>,
): BillRow {
  return {
    at: payment.paidAt,
    appid: body.appid,
    mchid: body.mchid,
    deviceId: body.scene_info?.device_id ?? '',
    transactionId: payment.transactionId,
    outTradeNo: body.out_trade_no,
    openid: payment.openid,
    tradeType: TRADE_TYPES[product],
    bankType: payment.bankType,
    coupon: body.amount.total - payment.payerTotal,
    product: body.description,
    attach: body.attach ?? '',
    total: body.amount.total,
  }
}

function refundRow(row: BillRow, refund: EmulatedRefund): BillRow {
  const { refundId, outRefundNo, amount, createdAt } = refund
  const status = STATUSES[refund.status]
  return { ...row, at: createdAt, total: 0, refund: { refundId, outRefundNo, amount, status } }
}

/** How the panel plants something in this bill. */
export const rowShape = (wish: BillWish): RowShape<BillRow> => ({
  numberOf: ({ refund, outTradeNo }) => refund?.outRefundNo ?? outTradeNo,
  withAmount: (row, moreFen) =>
    row.refund === undefined
      ? { ...row, total: row.total + moreFen }
      : { ...row, refund: { ...row.refund, amount: row.refund.amount + moreFen } },
  extra: (outTradeNo, total) => extraRow(wish, outTradeNo, total),
})

function extraRow({ mchid, date }: BillWish, outTradeNo: string, total: number): BillRow {
  const at = new Date(`${date}T12:00:00+08:00`)
  return {
    at,
    appid: 'wx0000000000000000',
    mchid,
    deviceId: '',
    transactionId: newTransactionId(at),
    outTradeNo,
    openid: DEFAULT_OPENID,
    tradeType: 'NATIVE',
    bankType: 'OTHERS',
    coupon: 0,
    product: 'of another till',
    attach: '',
    total,
  }
}

/** What the merchant's account held before its first movement, fen. */
const OPENING_BALANCE = 10_000_000

/** How the account moved: every payment and refund of the bill, and its fee (dossier 6.8). */
export function fundRows(rows: readonly BillRow[], { mchid, date }: BillWish): readonly FundRow[] {
  let balance = OPENING_BALANCE
  return rows
    .toSorted((a, b) => a.at.getTime() - b.at.getTime())
    .flatMap((row) => movementsOf(row, mchid))
    .filter(({ amount }) => amount > 0)
    .map((movement, index) => {
      balance += movement.isIn ? movement.amount : -movement.amount
      const serial = String(index + 1).padStart(10, '0')
      return { ...movement, balance, flowId: `${mchid}${date.replaceAll('-', '')}${serial}` }
    })
}

type Movement = Omit<FundRow, 'balance' | 'flowId'>

function movementsOf(row: BillRow, mchid: string): readonly Movement[] {
  const { at, refund, transactionId, total } = row
  if (refund === undefined) {
    const common = { at, businessId: transactionId, name: '交易', voucher: transactionId }
    const remark = '结算总金额'
    const paid = { ...common, initiator: 'system', remark }
    return [
      { ...paid, type: '交易', isIn: true, amount: total },
      { ...paid, type: '扣除交易手续费', isIn: false, amount: feeOf(total) },
    ]
  }
  const voucher = `REF${transactionId}`
  const common = { at, businessId: refund.refundId, name: '退款', voucher }
  const back = { ...common, initiator: `${mchid}API`, remark: '' }
  return [
    { ...back, type: '退款', isIn: false, amount: refund.amount },
    { ...back, type: '退还交易手续费', isIn: true, amount: feeOf(refund.amount) },
  ]
}
