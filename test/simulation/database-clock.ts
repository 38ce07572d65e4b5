import { sql } from 'kysely'
import type { Db } from '#db/database'

/**
 * Moves PostgreSQL's time along with ours, in this database alone.
 *
 * pg-boss reads the time from `pgboss.job_now()`, which is there to be replaced by a test clock; our own
 * tables take their defaults from it from now on.
 */
export async function ownDatabaseClock(db: Db): Promise<void> {
  await setDatabaseClock(db, 0)
  const { rows } = await sql<{ table: string; column: string }>`
    SELECT c.table_name AS "table", c.column_name AS "column"
    FROM information_schema.columns c
    WHERE c.table_schema = 'pingzhang' AND c.column_default = 'now()'
    AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = format('pingzhang.%I', c.table_name)::regclass)`.execute(
    db,
  )
  for (const { table, column } of rows) {
    await sql`ALTER TABLE ${sql.table(`pingzhang.${table}`)} ALTER COLUMN ${sql.ref(column)}
              SET DEFAULT pgboss.job_now()`.execute(db)
  }
}

/** Says how far ahead of the real time this database is. */
export const setDatabaseClock = (db: Db, aheadMs: number): Promise<unknown> =>
  sql`CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamp with time zone AS
      ${sql.lit(`SELECT pg_catalog.now() + interval '${Math.round(aheadMs)} milliseconds'`)}
      LANGUAGE sql STABLE`.execute(db)
