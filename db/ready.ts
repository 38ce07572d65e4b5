import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Whether this server takes commits: it has our tables, and it is no standby, which only answers reads. */
export async function canCommit(db: Db): Promise<boolean> {
  const { rows } = await sql<{ can_commit: boolean }>`
    SELECT NOT pg_is_in_recovery() AS can_commit, EXISTS (SELECT 1 FROM merchant) AS has_merchant`.execute(
    db,
  )
  return rows[0]?.can_commit === true
}
