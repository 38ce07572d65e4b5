import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/**
 * The fund bill of a day has a run of its own: late or missing, it holds up nothing else of the day. And a run says
 * until when somebody is at work on it, which ends soon after a worker that was killed.
 */
export const billRun = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`ALTER TABLE pingzhang.schedule_run ADD COLUMN held_until timestamptz,
      DROP CONSTRAINT schedule_run_task_check,
      ADD CONSTRAINT schedule_run_task_check CHECK (task IN ('bill', 'fund', 'points'))`.execute(db)
    // Null: the whole amount. What a shop's own coupon has paid costs no fee.
    await sql`ALTER TABLE pingzhang.bill_line ADD COLUMN fee_base bigint`.execute(db)
  },
}
