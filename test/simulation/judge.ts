import type { Model, ModelAttempt, ModelOrder } from './model.ts'
import { keptPoints, promisedMinor } from './model.ts'

/** What is really there when all is done. */
export interface ActualOrder {
  readonly state: string
  readonly attempts: readonly ActualAttempt[]
  /** The user's points, from the points system's own books. */
  readonly balance: number
}

export interface ActualAttempt {
  readonly id: string
  readonly state: string
  readonly disposition: string | null
  readonly reserved: number
  readonly refunded: number
  readonly cases: readonly string[]
  /** Events that the merchant can read. */
  readonly events: readonly string[]
  /** The vendor's own books, without a look into ours. */
  readonly vendor: { readonly isPaid: boolean; readonly refunds: Readonly<Record<string, number>> }
  /** Ours: refunds that succeeded. */
  readonly refunds: Readonly<Record<string, number>>
}

/**
 * Compares the end with the model. Returns what differs, in words.
 *
 * Which of two attempts counts depends on whose money our worker saw first, and whether money was late depends
 * on when the order closed: there the model allows both, and nothing else.
 */
export function judgeOrder(
  { policy }: Pick<Model, 'policy'>,
  order: ModelOrder,
  actual: ActualOrder,
): string[] {
  const pairs = order.attempts.map((attempt) => ({
    attempt,
    found: actual.attempts.find(({ id }) => id === attempt.id),
  }))
  const problems = pairs.flatMap(({ attempt, found }) =>
    found === undefined
      ? [`attempt ${attempt.id} is gone`]
      : judgeAttempt({ policy }, { order, attempt, found }),
  )
  if (actual.attempts.length !== order.attempts.length) problems.push('attempts that nobody made')
  const counted = pairs.find(({ found }) => found?.disposition === 'counted')
  problems.push(...judgeDispositions({ policy }, order, actual))
  const refunded = counted === undefined ? 0 : promisedMinor(counted.attempt)
  const state = counted === undefined ? openState(order, actual) : paidState(order, refunded)
  const balance = counted === undefined ? 0 : keptPoints(order.amount, refunded)
  return [
    ...problems,
    ...differs('order', actual.state, state),
    ...differs('points', actual.balance, balance),
  ].map((problem) => `order ${order.number}: ${problem}`)
}

/** One counts and the rest is too much; or the order was closed before all of them. */
function judgeDispositions(
  { policy }: Pick<Model, 'policy'>,
  order: ModelOrder,
  actual: ActualOrder,
): string[] {
  const paid = order.attempts.filter(({ isPaid }) => isPaid).length
  const found = actual.attempts.flatMap(({ disposition }) => disposition ?? []).toSorted()
  if (paid === 0) return differs('dispositions', found.join(), '')
  const inTime = ['counted', ...Array<string>(paid - 1).fill('excess')].join()
  const afterClose = Array<string>(paid).fill('late').join()
  // A late payment revives its order where that is the policy, and then counts.
  const canBeLate = order.isCloseWanted && policy !== 'revive'
  return canBeLate && found.join() === afterClose
    ? []
    : differs('dispositions', found.join(), inTime)
}

interface Compared {
  readonly order: ModelOrder
  readonly attempt: ModelAttempt
  readonly found: ActualAttempt
}

function judgeAttempt({ policy }: Pick<Model, 'policy'>, compared: Compared): string[] {
  const { order, attempt, found } = compared
  const isTooMuch = found.disposition === 'excess' || found.disposition === 'late'
  const isGivenBack = policy === 'refund' && isTooMuch
  const refunded = isGivenBack ? order.amount : promisedMinor(attempt)
  const cases = [
    ...(attempt.isNamedByOther ? ['other_account'] : []),
    ...(isTooMuch && !isGivenBack ? [`${found.disposition}_payment`] : []),
  ]
  const refunds = Object.values(found.refunds)
  const events = [
    ...(attempt.isPaid ? ['payment.paid'] : []),
    ...refunds.map(() => 'refund.succeeded'),
  ]
  const own = found.events.filter((type) => type !== 'payment.closed' && type !== 'case.opened')
  return [
    ...differs('state', found.state, attempt.isPaid ? 'paid' : 'closed'),
    ...differs('refunded', found.refunded, refunded),
    ...differs('reserved', found.reserved, refunded),
    ...differs('cases', found.cases.join(), cases.toSorted().join()),
    ...differs('events', own.toSorted().join(), events.toSorted().join()),
    ...differs("paid in the vendor's books", found.vendor.isPaid, attempt.isPaid),
    ...differs("refunds in the vendor's books", show(found.vendor.refunds), show(found.refunds)),
    ...(isGivenBack
      ? []
      : differs('refunds', show(found.refunds), show(Object.fromEntries(attempt.refunds)))),
  ].map((problem) => `attempt ${attempt.id}: ${problem}`)
}

const show = (amounts: Readonly<Record<string, number>>): string =>
  Object.entries(amounts)
    .map(([id, amount]) => `${id} ${amount}`)
    .toSorted()
    .join()

/** Without a payment that counts an order is as it was, or closed where that was wanted. */
function openState(order: ModelOrder, { attempts }: ActualOrder): string {
  const isLate = attempts.some(({ disposition }) => disposition === 'late')
  return order.isCloseWanted || isLate ? 'closed' : 'unpaid'
}

function paidState({ amount }: ModelOrder, refunded: number): string {
  if (refunded === 0) return 'paid'
  return refunded < amount ? 'partly_refunded' : 'refunded'
}

const differs = (what: string, found: unknown, expected: unknown): string[] =>
  found === expected ? [] : [`${what} is ${String(found)} in place of ${String(expected)}`]
