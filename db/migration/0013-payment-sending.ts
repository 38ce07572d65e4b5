import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** Until when a call that creates a payment at its vendor may be under way. */
export const paymentSending = {
  async up(db: Kysely<unknown>): Promise<void> {
    // The default covers what code before this version still sends.
    const statement = `ALTER TABLE pingzhang.payment
      ADD COLUMN sending_until timestamptz DEFAULT now() + interval '60 s'`
    await sql.raw(statement).execute(db)
  },
}
