import type { MerchantId, PaymentId } from '#domain/id'
import { addMs } from '#domain/time'
import { around } from '#failpoint'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import type { Jobs } from '../job.ts'
import type { PaymentRow } from './payment.ts'

/** Between two queries of one payment that people may ask for. */
export const ASKED_PAUSE_MS = 5000

/** Plans when the sweeper asks about a payment again; never touches one that was paid meanwhile. */
export async function planNextQuery(
  db: Db,
  payment: PaymentRow,
  nextQueryAt: Date | null,
): Promise<void> {
  await around('query.plan', () =>
    db
      .updateTable('payment')
      .set({ next_query_at: nextQueryAt })
      .where('merchant_id', '=', payment.merchant_id)
      .where('id', '=', payment.id)
      .where('state', '!=', 'paid')
      .execute(),
  )
}

/**
 * Queues a query that somebody asked for, at most one in five seconds a payment.
 *
 * False when the last one is too young, or the payment is paid: then there is nothing to ask.
 */
export async function askForQuery(
  db: Db,
  jobs: Jobs,
  { merchantId, paymentId, now }: { merchantId: MerchantId; paymentId: PaymentId; now: Date },
): Promise<boolean> {
  return commit(db, 'query.ask', async (trx) => {
    const asked = await trx
      .updateTable('payment')
      .set({ query_asked_at: now })
      .where('merchant_id', '=', merchantId)
      .where('id', '=', paymentId)
      .where('state', '!=', 'paid')
      .where((where) =>
        where.or([
          where('query_asked_at', 'is', null),
          where('query_asked_at', '<=', addMs(now, -ASKED_PAUSE_MS)),
        ]),
      )
      .returning('id')
      .execute()
    await jobs.send(
      trx,
      'payment-query',
      asked.map(({ id }) => ({ data: { merchantId, paymentId: id } })),
    )
    return asked.length === 1
  })
}
