import type { OrderBook } from './order-book.ts'
import { isSuccess } from './code.ts'
import type { EmulatedOrder, EmulatedRefund } from './order.ts'
import { keyOf, newAttempt } from './order.ts'
import { clearingDayOf } from './moment.ts'
import type { Message } from './request.ts'

/** Whether a refund or a void is taken on (dossier 4). */
export type RefundMove =
  | { readonly kind: 'accepted'; readonly refund: EmulatedRefund }
  | { readonly kind: 'refused'; readonly code: string; readonly text?: string }

const DAY_MS = 24 * 3600 * 1000
/** The system takes refunds for so long; of QR payments, for a month only (dossier 4.1). */
const REFUND_DAYS = { usual: 330, qr: 30 } as const

/** Books a refund or a void; how it ends is another matter. */
export function takeRefund(book: OrderBook, message: Message, now: Date): RefundMove {
  const { merId, origQryId = '', txnAmt = '' } = message.fields
  const order = book.findByQueryId(merId, origQryId)
  if (order?.kind !== 'order' || !isSuccess(order.attempt?.code ?? '')) return refuse('35')
  const problem = findProblem(order, { message, amount: BigInt(txnAmt), now })
  if (problem !== undefined) return problem
  const attempt = newAttempt('05', BigInt(txnAmt), now)
  const refund: EmulatedRefund = {
    kind: 'refund',
    message,
    createdAt: now,
    origin: keyOf(order.message.fields),
    attempt,
  }
  book.takeBack(order, refund)
  return { kind: 'accepted', refund }
}

function findProblem(
  order: EmulatedOrder,
  { message, amount, now }: { message: Message; amount: bigint; now: Date },
): RefundMove | undefined {
  const paid = order.attempt?.amount ?? 0n
  // No source names the code for a refund of too much; "does not match the original" is the nearest.
  if (order.takenBack >= paid) return refuse('45')
  if (message.operation === 'void') return findVoidProblem(order, amount, now)
  if (isTooOld(order, now)) {
    return order.product === 'qr' ? refuse('35') : refuse('35', '超过退货期限[4040007]')
  }
  return amount > paid - order.takenBack ? refuse('36') : undefined
}

/** A void takes the whole payment back on its own clearing day (dossier 4.2). */
function findVoidProblem(order: EmulatedOrder, amount: bigint, now: Date): RefundMove | undefined {
  const begunAt = order.attempt?.begunAt ?? order.createdAt
  if (clearingDayOf(begunAt) !== clearingDayOf(now) || order.takenBack > 0n) return refuse('35')
  return amount === order.attempt?.amount ? undefined : refuse('36')
}

function isTooOld({ product, attempt, createdAt }: EmulatedOrder, now: Date): boolean {
  const days = product === 'qr' ? REFUND_DAYS.qr : REFUND_DAYS.usual
  return now.getTime() - (attempt?.begunAt ?? createdAt).getTime() > days * DAY_MS
}

const refuse = (code: string, text?: string): RefundMove => ({
  kind: 'refused',
  code,
  ...(text !== undefined && { text }),
})
