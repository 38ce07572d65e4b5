import { sql } from 'kysely'
import { around } from '#failpoint'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import type { PaymentRow } from './payment.ts'
import { insertLog } from '../transaction-log.ts'
import type { LogEntry } from '../transaction-log.ts'

/**
 * Says that a call which creates this payment at its vendor begins. False: another may be under way.
 *
 * Whoever holds this knows that no other call brings a credential, and may give the customer another number when this
 * one is used up. It ends with the credential, with an unknown answer, or after a minute: no request runs that long.
 */
export async function claimSending(db: Db, payment: PaymentRow): Promise<boolean> {
  const claimed = await around('payment.claim', () =>
    db
      .updateTable('payment')
      .set({ sending_until: sql`now() + interval '60 s'` })
      .where('merchant_id', '=', payment.merchant_id)
      .where('id', '=', payment.id)
      .where((where) =>
        where.or([
          where('sending_until', 'is', null),
          where('sending_until', '<', sql<Date>`now()`),
        ]),
      )
      .returning('id')
      .executeTakeFirst(),
  )
  return claimed !== undefined
}

/** The call of whoever holds the payment has brought no credential; what was said is kept. */
export function endSending(
  db: Db,
  payment: PaymentRow,
  entries: readonly LogEntry[],
): Promise<void> {
  return commit(db, 'payment.unknown', async (trx) => {
    if (entries.length > 0) await insertLog(trx, entries).execute()
    await trx
      .updateTable('payment')
      .set({ sending_until: null })
      .where('merchant_id', '=', payment.merchant_id)
      .where('id', '=', payment.id)
      .execute()
  })
}
