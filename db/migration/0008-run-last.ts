import { sql } from 'kysely'
import type { Kysely } from 'kysely'

const statements = [
  // A run is written when all that it found is known, and never changed: what it found names it before that.
  `ALTER TABLE pingzhang.discrepancy ALTER CONSTRAINT discrepancy_merchant_id_reconciliation_id_fkey
     DEFERRABLE INITIALLY DEFERRED`,
  // Operations ask for these on each reading of the figures.
  `CREATE INDEX notification_quarantined ON pingzhang.notification (merchant_id, id) WHERE state = 'quarantined'`,
]

/** A reconciliation as the last row of its transaction; quarantined notifications without a walk through all. */
export const runLast = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
