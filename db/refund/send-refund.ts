import { addMs } from '#domain/time'
import type { RefundId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import { around } from '#failpoint'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import type { PaymentRow } from '../payment/payment.ts'
import { findRefundsOf, lockOrderOf } from './refund.ts'
import type { RefundRow } from './refund.ts'

const MS_PER_SECOND = 1000

export interface BeginOptions {
  readonly now: Date
  /** When the sweeper looks again. */
  readonly dueAt: Date
  readonly spacingSeconds: number
  /** Whether a refund that was sent may be sent again under its number. */
  readonly isRepeatable: boolean
  readonly newVendorTime: () => string | undefined
}

export type BeginOutcome =
  | { readonly kind: 'send'; readonly refund: RefundRow; readonly payment: PaymentRow }
  /**
   * Another refund of the payment is on its way, or the vendor wants a pause. The sweeper brings the row back
   * then; a job of its own would be one more on each of its rounds.
   */
  | { readonly kind: 'wait' }
  /** Sent before, and only a query may follow. */
  | { readonly kind: 'query' }
  | { readonly kind: 'done' }

/**
 * Marks a refund as sent, with all that its number consists of, before the call (payment rules, section 5).
 *
 * Refunds of one payment go one after the other, with the vendor's pause between them.
 */
export async function beginRefund(
  db: Db,
  merchantId: MerchantId,
  id: RefundId,
  options: BeginOptions,
): Promise<BeginOutcome> {
  return commit(db, 'refund.begin', async (trx) => {
    const known = await trx
      .selectFrom('refund')
      .select('payment_id')
      .where('merchant_id', '=', merchantId)
      .where('id', '=', id)
      .executeTakeFirst()
    const payment = known && (await lockOrderOf(trx, merchantId, known.payment_id))
    if (payment === undefined) return { kind: 'done' }
    const siblings = await findRefundsOf(trx, merchantId, payment.id)
    const own = siblings.find((refund) => refund.id === id)
    if (own === undefined || !isToSend(own)) return { kind: 'done' }
    if (own.state === 'sent' && !options.isRepeatable) return { kind: 'query' }
    const until = readyAt(siblings, own, options)
    if (options.now < until) {
      await delayRefund(trx, own, until)
      return { kind: 'wait' }
    }
    const refund = await trx
      .updateTable('refund')
      .set({
        state: 'sent',
        sent_at: options.now,
        due_at: options.dueAt,
        attempts: own.attempts + 1n,
        vendor_time: own.vendor_time ?? options.newVendorTime() ?? null,
      })
      .where('merchant_id', '=', merchantId)
      .where('id', '=', id)
      .where('state', 'in', ['requested', 'sent'])
      .returningAll()
      .executeTakeFirstOrThrow()
    return { kind: 'send', refund, payment }
  })
}

const isToSend = ({ state }: RefundRow): boolean => state === 'requested' || state === 'sent'

/** The pause counts from the last call for the payment, our own included; what is in doubt goes first. */
function readyAt(siblings: readonly RefundRow[], own: RefundRow, options: BeginOptions): Date {
  const isBusy = siblings.some((refund) => refund.id !== own.id && refund.state === 'sent')
  const calls = siblings.flatMap(({ sent_at: at }) => (at === null ? [] : [at.getTime()]))
  const last = Math.max(0, ...calls)
  const rested = addMs(new Date(last), options.spacingSeconds * MS_PER_SECOND)
  return isBusy && rested < options.dueAt ? options.dueAt : rested
}

/** Surely not executed: the number is kept for a later try. sent → requested. */
export async function holdRefund(db: Db, refund: RefundRow, dueAt: Date): Promise<void> {
  await commit(db, 'refund.hold', async (trx) => {
    await lockOrderOf(trx, refund.merchant_id, refund.payment_id)
    await trx
      .updateTable('refund')
      .set({ state: 'requested', due_at: dueAt })
      .where('merchant_id', '=', refund.merchant_id)
      .where('id', '=', refund.id)
      .where('state', '=', 'sent')
      .execute()
  })
}

/** Pushes the next look at a refund that has no result: the sweeper must not wake it up before. */
export async function delayRefund(db: Db | Trx, refund: RefundRow, dueAt: Date): Promise<void> {
  await around('refund.delay', () =>
    db
      .updateTable('refund')
      .set({ due_at: dueAt })
      .where('merchant_id', '=', refund.merchant_id)
      .where('id', '=', refund.id)
      .where('due_at', 'is not', null)
      .execute(),
  )
}
