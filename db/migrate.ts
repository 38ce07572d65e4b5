import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { assert } from '#domain/assert'
import { initialSchema } from './migration/0001-payment.ts'
import { vendorColumns } from './migration/0002-vendor.ts'
import { refundSchema } from './migration/0003-refund.ts'
import { eventSchema } from './migration/0004-event.ts'
import { billSchema } from './migration/0005-bill.ts'
import { operationSchema } from './migration/0006-operation.ts'
import { paymentListIndex } from './migration/0007-payment-list.ts'
import { runLast } from './migration/0008-run-last.ts'
import { grantVoid } from './migration/0009-grant-void.ts'
import { merchantApi } from './migration/0011-merchant-api.ts'
import { billBlock } from './migration/0012-bill-block.ts'
import { paymentSending } from './migration/0013-payment-sending.ts'
import { billRun } from './migration/0015-bill-run.ts'
import { walletNumber } from './migration/0016-wallet-number.ts'
import { makePartitions } from './partition.ts'
import { createQueues } from './queue.ts'

/** Static, so that it also works in a compiled binary. A migration is never edited after it lands. */
const migrations = {
  '0001-payment': initialSchema,
  '0002-vendor': vendorColumns,
  '0003-refund': refundSchema,
  '0004-event': eventSchema,
  '0005-bill': billSchema,
  '0006-operation': operationSchema,
  '0007-payment-list': paymentListIndex,
  '0008-run-last': runLast,
  '0009-grant-void': grantVoid,
  '0011-merchant-api': merchantApi,
  '0012-bill-block': billBlock,
  '0013-payment-sending': paymentSending,
  '0015-bill-run': billRun,
  '0016-wallet-number': walletNumber,
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
    await makePartitions(db, await readTime(db))
  } finally {
    await db.destroy()
  }
  await createQueues(url)
}

/** The time of the server that stamps the rows. */
async function readTime(db: Kysely<unknown>): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`SELECT now()`.execute(db)
  const [row] = rows
  assert(row !== undefined, 'PostgreSQL tells the time')
  return row.now
}
