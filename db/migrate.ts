import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { initialSchema } from './migration/0001-payment.ts'
import { vendorColumns } from './migration/0002-vendor.ts'
import { refundSchema } from './migration/0003-refund.ts'
import { createQueues } from './queue.ts'

/** Static, so that it also works in a compiled binary. A migration is never edited after it lands. */
const migrations = {
  '0001-payment': initialSchema,
  '0002-vendor': vendorColumns,
  '0003-refund': refundSchema,
}

/** Brings a database to this version: our tables, then pg-boss's schema and queues. Safe to repeat. */
export async function migrate(url: string): Promise<void> {
  const db = new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 2 }) }),
  })
  try {
    await sql`CREATE SCHEMA IF NOT EXISTS pingzhang`.execute(db)
    const migrator = new Migrator({
      db,
      provider: { getMigrations: () => Promise.resolve(migrations) },
      migrationTableSchema: 'pingzhang',
    })
    const { error } = await migrator.migrateToLatest()
    if (error !== undefined) throw new Error('migration failed', { cause: error })
  } finally {
    await db.destroy()
  }
  await createQueues(url)
}
