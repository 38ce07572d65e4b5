import { sql } from 'kysely'
import type { Db } from './database.ts'

const DURABLE_COMMIT = new Set(['on', 'remote_apply'])

/**
 * Refuses a database whose commits do not survive a crash: acknowledged must mean durable (I1).
 */
export async function assertDurable(db: Db): Promise<void> {
  const { rows } = await sql<{ fsync: string; commit: string }>`
    SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`.execute(
    db,
  )
  const [settings] = rows
  if (settings?.fsync !== 'on' || !DURABLE_COMMIT.has(settings.commit)) {
    throw new Error(
      `the database must have fsync=on and synchronous_commit=on, it has ${JSON.stringify(settings)}`,
    )
  }
}
