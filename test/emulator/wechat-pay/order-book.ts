import type { EmulatedOrder, TradeState } from './order.ts'
import { ORDER_LIFE_MS, claimSuccess } from './order.ts'

export interface PayOptions {
  /** The amount of the order in the vendor's books, fen, where it is another than was asked for. */
  readonly total?: number
  /** What the buyer pays after coupons, fen; the whole amount unless given. */
  readonly payerTotal?: number
  readonly openid?: string
  readonly bankType?: string
  /** The bank had taken the money before the order was closed, and says so afterwards. */
  readonly isLate?: boolean
  /** Only needed when two merchants use the same order number. */
  readonly mchid?: string
}

export type PayMove =
  | { readonly kind: 'paid'; readonly order: EmulatedOrder }
  | { readonly kind: 'refused'; readonly reason: 'missing' | 'paid' | 'closed' | 'expired' }

/** All orders of all merchants, and the only place that moves them. */
export class OrderBook {
  readonly #orders = new Map<string, EmulatedOrder>()
  readonly #now: () => Date

  constructor(now: () => Date) {
    this.#now = now
  }

  put(order: EmulatedOrder): void {
    this.#orders.set(keyOf(order.body.mchid, order.body.out_trade_no), order)
  }

  find(mchid: string, outTradeNo: string): EmulatedOrder | undefined {
    const order = this.#orders.get(keyOf(mchid, outTradeNo))
    return order === undefined ? undefined : this.#aged(order)
  }

  findByTransaction(mchid: string, transactionId: string): EmulatedOrder | undefined {
    return this.list().find(
      (order) => order.body.mchid === mchid && order.payment?.transactionId === transactionId,
    )
  }

  /** Whoever the merchant is; the first one if two use the number. */
  findAny(outTradeNo: string, mchid?: string): EmulatedOrder | undefined {
    if (mchid !== undefined) return this.find(mchid, outTradeNo)
    return this.list().find((order) => order.body.out_trade_no === outTradeNo)
  }

  list(): readonly EmulatedOrder[] {
    return [...this.#orders.values()].map((order) => this.#aged(order))
  }

  /** The buyer's side: only an open order within its time can be paid. */
  pay(outTradeNo: string, options: PayOptions = {}): PayMove {
    const order = this.findAny(outTradeNo, options.mchid)
    const now = this.#now()
    if (order === undefined) return { kind: 'refused', reason: 'missing' }
    const isLate = options.isLate === true
    if (order.state === 'CLOSED' && !isLate) return { kind: 'refused', reason: 'closed' }
    if (order.payment !== undefined) return { kind: 'refused', reason: 'paid' }
    if (now >= order.expiresAt && !isLate) return { kind: 'refused', reason: 'expired' }
    const claim = claimSuccess(withTotal(order, options.total), now)
    if (claim.payment === undefined) throw new Error('expected a claim to name a payment')
    const { payerTotal, openid, bankType } = { ...claim.payment, ...options }
    const payment = { ...claim.payment, payerTotal, openid, bankType }
    const paid: EmulatedOrder = { ...claim, payment }
    this.put(paid)
    return { kind: 'paid', order: paid }
  }

  /** Sets a state without a question: close, and the refund state of dossier 3.3. */
  move(order: EmulatedOrder, state: TradeState): EmulatedOrder {
    const moved: EmulatedOrder = { ...order, state }
    this.put(moved)
    return moved
  }

  #aged(order: EmulatedOrder): EmulatedOrder {
    const endsAt = order.createdAt.getTime() + ORDER_LIFE_MS
    if (order.state !== 'NOTPAY' || this.#now().getTime() < endsAt) return order
    return this.move(order, 'CLOSED')
  }
}

/** Every witness of the vendor says it then: callback, query and bill. */
function withTotal(order: EmulatedOrder, total = order.body.amount.total): EmulatedOrder {
  const { body } = order
  return { ...order, body: { ...body, amount: { ...body.amount, total } } }
}

const keyOf = (mchid: string, outTradeNo: string): string => `${mchid}/${outTradeNo}`
