import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** The fund bill of a day has a run of its own: late or missing, it holds up nothing else of the day. */
export const fundRun = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`ALTER TABLE pingzhang.schedule_run DROP CONSTRAINT schedule_run_task_check,
      ADD CONSTRAINT schedule_run_task_check CHECK (task IN ('bill', 'fund', 'points'))`.execute(db)
  },
}
