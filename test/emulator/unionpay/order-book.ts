import { isMoneyGone, isPending, isSuccess } from './code.ts'
import type { Attempt, EmulatedOrder, EmulatedRefund, Transaction } from './order.ts'
import { amountOf, isFinal, keyOf, newAttempt } from './order.ts'
import type { Fields } from './message.ts'
import { clearingDayOf } from './moment.ts'

export interface PayOptions {
  /** `00` unless given. `42`, `74` and `75` take the money without a success. */
  readonly code?: string
  /** Fen, where the order leaves it to the buyer. */
  readonly amount?: bigint
  /** `MMdd`; the clearing day of the payment unless given. */
  readonly settleDate?: string
  /** Only needed when two merchants use the same order number. */
  readonly merId?: string
}

export type PayMove =
  | { readonly kind: 'moved'; readonly order: EmulatedOrder; readonly attempt: Attempt }
  | {
      readonly kind: 'refused'
      readonly reason: 'missing' | 'paid' | 'expired' | 'no_amount'
    }

/** All transactions of all merchants, and the only place that moves them. */
export class OrderBook {
  readonly #transactions = new Map<string, Transaction>()
  readonly #now: () => Date

  constructor(now: () => Date) {
    this.#now = now
  }

  put(transaction: Transaction): void {
    this.#transactions.set(keyOf(transaction.message.fields), transaction)
  }

  /** By merchant, order number and time: all three name a transaction (dossier 1.2). */
  find(fields: Fields): Transaction | undefined {
    return this.#transactions.get(keyOf(fields))
  }

  findByQueryId(merId: string | undefined, queryId: string): Transaction | undefined {
    return this.list().find(
      ({ message, attempt }) => message.fields['merId'] === merId && attempt?.queryId === queryId,
    )
  }

  /** The order of that number on the same trading day, whatever its time. */
  findSameDay({ merId, orderId }: Fields): Transaction | undefined {
    const today = clearingDayOf(this.#now())
    return this.list().find(
      ({ message: { fields }, createdAt }) =>
        fields['merId'] === merId &&
        fields['orderId'] === orderId &&
        clearingDayOf(createdAt) === today,
    )
  }

  /** By order number, `tn` or QR code; the youngest if a number was used on several days. */
  findOrder(target: string, merId?: string): EmulatedOrder | undefined {
    return this.orders().findLast(
      ({ message: { fields }, credential }) =>
        (fields['orderId'] === target || credential === target) &&
        (merId === undefined || fields['merId'] === merId),
    )
  }

  findRefund(orderId: string, merId?: string): EmulatedRefund | undefined {
    return this.refunds().findLast(
      ({ message: { fields } }) =>
        fields['orderId'] === orderId && (merId === undefined || fields['merId'] === merId),
    )
  }

  list(): readonly Transaction[] {
    return [...this.#transactions.values()]
  }

  orders(): readonly EmulatedOrder[] {
    return this.list().filter((transaction) => transaction.kind === 'order')
  }

  refunds(): readonly EmulatedRefund[] {
    return this.list().filter((transaction) => transaction.kind === 'refund')
  }

  /** The buyer's side: cards are refused after the deadline, what began before it may still end. */
  move(target: string, options: PayOptions = {}): PayMove {
    const order = this.findOrder(target, options.merId)
    if (order === undefined) return { kind: 'refused', reason: 'missing' }
    const { attempt } = order
    const running = attempt !== undefined && isPending(attempt.code) ? attempt : undefined
    const code = options.code ?? this.#usualCode(order, running)
    const reason = this.#objection(order, code)
    if (reason !== undefined) return { kind: 'refused', reason }
    const amount = amountOf(order) ?? running?.amount ?? options.amount
    if (amount === undefined) return { kind: 'refused', reason: 'no_amount' }
    const base = running ?? newAttempt(code, amount, this.#now())
    return this.#record(order, { ...base, code }, options.settleDate)
  }

  #objection({ attempt, deadline }: EmulatedOrder, code: string): 'paid' | 'expired' | undefined {
    if (attempt !== undefined && isMoneyGone(attempt.code)) return 'paid'
    const isRunning = attempt !== undefined && isPending(attempt.code)
    return this.#now() >= deadline && !isRunning && !isLateMoney(code) ? 'expired' : undefined
  }

  #record(order: EmulatedOrder, attempt: Attempt, settleDate: string | undefined): PayMove {
    const moved = { ...attempt, settleDate: settleDate ?? attempt.settleDate }
    const next: EmulatedOrder = { ...order, attempt: moved }
    this.put(next)
    return { kind: 'moved', order: next, attempt: moved }
  }

  /** Books a refund or a void, and holds its amount on the order. */
  takeBack(order: EmulatedOrder, refund: EmulatedRefund): void {
    this.put(refund)
    this.put({ ...order, takenBack: order.takenBack + refund.attempt.amount })
  }

  /** Ends a refund that is under way; a failed one gives its amount free again. `undefined`: none is. */
  finish(refund: EmulatedRefund, code: string): EmulatedRefund | undefined {
    if (isFinal(refund.attempt)) return undefined
    const done: EmulatedRefund = { ...refund, attempt: { ...refund.attempt, code } }
    this.put(done)
    const order = this.#transactions.get(refund.origin)
    if (!isSuccess(code) && !isPending(code) && order?.kind === 'order') {
      this.put({ ...order, takenBack: order.takenBack - refund.attempt.amount })
    }
    return done
  }

  /** A net bank that is too late takes the money all the same, and it is given back (dossier 2.1). */
  #usualCode({ deadline }: EmulatedOrder, running: Attempt | undefined): string {
    return running !== undefined && this.#now() >= deadline ? '42' : '00'
  }
}

const isLateMoney = (code: string): boolean => isMoneyGone(code) && !isSuccess(code)
