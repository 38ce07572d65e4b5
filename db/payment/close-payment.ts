import type { MerchantId, OrderId } from '#domain/id'
import { addMs } from '#domain/time'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { paymentEvents } from '../event/event-data.ts'
import type { Jobs } from '../job.ts'
import { createEvents } from '../event/merchant-event.ts'
import type { OrderRow, PaymentRow } from './payment.ts'

const DAY_MS = 86_400_000

/**
 * Closes an attempt on the vendor's proof that nobody can pay it any more, under the order's lock.
 *
 * False when it was paid, closed before, or its money is in doubt: then the row wins over the proof. It is
 * asked about again after a day, and then daily for a week, because its late money must not depend on a callback alone.
 */
export async function closeAttempt(
  db: Db,
  payment: PaymentRow,
  proof: string,
  now: Date,
): Promise<boolean> {
  return commit(db, 'payment.close', async (trx) => {
    await lockOrder(trx, payment.merchant_id, payment.order_id)
    const closing = { proof, nextQueryAt: addMs(now, DAY_MS), at: now }
    return endAttempt(trx, payment, OPEN_STATES, closing)
  })
}

export const OPEN_STATES = ['created', 'pending'] as const

export interface Closing {
  /** Why nobody can pay it any more. */
  readonly proof: string
  readonly refusalCode?: string
  readonly nextQueryAt: Date | null
  readonly at: Date
}

/**
 * → closed, under the order's lock that the caller holds: the one way there. The order ends with its last
 * attempt where that is wanted. False when the row was not in `from`, or its money is in doubt.
 */
export async function endAttempt(
  trx: Trx,
  payment: PaymentRow,
  from: readonly (typeof OPEN_STATES)[number][],
  closing: Closing,
): Promise<boolean> {
  const moved = await trx
    .updateTable('payment')
    .set({
      state: 'closed',
      close_proof: closing.proof,
      next_query_at: closing.nextQueryAt,
      ...(closing.refusalCode === undefined ? {} : { refusal_code: closing.refusalCode }),
    })
    .where('merchant_id', '=', payment.merchant_id)
    .where('id', '=', payment.id)
    .where('state', 'in', [...from])
    .where('money_in_doubt', '=', false)
    .returning('id')
    .execute()
  await closeOrderIfDone(trx, payment.merchant_id, payment.order_id)
  if (moved.length === 0) return false
  const events = await paymentEvents(trx, 'payment.closed', payment.merchant_id, [payment.id])
  const about = { merchantId: payment.merchant_id, at: closing.at }
  await createEvents(trx, undefined, about, events)
  return true
}

/**
 * The merchant wants no money for this order any more: its attempts are closed one by one, and the order
 * with the last of them. `undefined` when the merchant has no such order.
 */
export async function wantOrderClosed(
  db: Db,
  jobs: Jobs,
  merchantId: MerchantId,
  orderNumber: string,
): Promise<OrderRow | undefined> {
  return commit(db, 'order.close-wanted', async (trx) => {
    const order = await trx
      .updateTable('customer_order')
      .set({ close_wanted: true })
      .where('merchant_id', '=', merchantId)
      .where('order_number', '=', orderNumber)
      .returning('id')
      .executeTakeFirst()
    if (order === undefined) return undefined
    const open = await trx
      .selectFrom('payment')
      .select('id')
      .where('merchant_id', '=', merchantId)
      .where('order_id', '=', order.id)
      .where('state', 'in', ['created', 'pending'])
      .orderBy('id')
      .execute()
    await jobs.send(
      trx,
      'payment-close',
      open.map(({ id }) => ({ data: { merchantId, paymentId: id } })),
    )
    await closeOrderIfDone(trx, merchantId, order.id)
    return trx
      .selectFrom('customer_order')
      .selectAll()
      .where('merchant_id', '=', merchantId)
      .where('id', '=', order.id)
      .executeTakeFirst()
  })
}

export const lockOrder = (trx: Trx, merchantId: MerchantId, id: OrderId): Promise<unknown> =>
  trx
    .selectFrom('customer_order')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .forNoKeyUpdate()
    .execute()

/** unpaid → closed, when it is wanted and no attempt can bring money any more (payment rules, section 4). */
export async function closeOrderIfDone(
  trx: Trx,
  merchantId: MerchantId,
  id: OrderId,
): Promise<void> {
  await trx
    .updateTable('customer_order')
    .set({ state: 'closed' })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'unpaid')
    .where('close_wanted', '=', true)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('payment')
            .select('payment.id')
            .where('payment.merchant_id', '=', merchantId)
            .where('payment.order_id', '=', id)
            .where((open) =>
              open.or([
                open('payment.state', 'in', ['created', 'pending']),
                // Money that an operator sent back pays nothing and keeps no order open.
                open.and([
                  open('payment.state', '=', 'paid'),
                  open('payment.disposition', '!=', 'excess'),
                ]),
                open('payment.money_in_doubt', '=', true),
              ]),
            ),
        ),
      ),
    )
    .execute()
}
