import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { PgBoss } from 'pg-boss'
import type { Db } from '#db/database'
import { findOverdueGrants, repairGrants } from '#db/compensation'
import { grantMarks } from '#db/points/grant-batch'
import type { PaymentId, PointsGrantId } from '#domain/id'
import { addMs } from '#domain/time'
import { openQueues, stopQueues } from '#worker/queue'
import { openDesk } from '../db/desk.ts'
import type { Desk } from '../db/desk.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'

// A rush fills tables sooner than PostgreSQL counts them: its planner still believes that they are empty. What
// a batch of fifty costs must not grow with what waits behind it.

const TIMEOUT_MS = 60_000
const WAITING = 20_000
const BATCH = 50
/** Rows that a batch may read: some for each of its own. */
const ROWS_MAX = 10 * BATCH

let database: TestDatabase
let desk: Desk
let boss: PgBoss

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  boss = await openQueues(database.url, () => undefined)
}, TIMEOUT_MS)

afterAll(async () => {
  await stopQueues(boss)
  await desk.stop()
  await database.drop()
}, TIMEOUT_MS)

describe('of a rush that the planner has not heard of, a batch reads its own rows alone:', () => {
  test(
    'grants are marked as sent, and as given',
    async () => {
      await sql`ALTER TABLE points_grant SET (autovacuum_enabled = false)`.execute(desk.db)
      const ids = await waitingGrants()
      const read = await desk.db.transaction().execute(async (trx) => {
        const db: Db = trx
        const dueAt = addMs(new Date(), 60_000)
        const { merchantId } = desk
        const sent = ids.map((id) => grantMarks(db).sent({ merchantId, id, dueAt }))
        const rows = (await Promise.all(sent)).filter((row) => row !== 'none')
        expect(rows.map(({ id, state }) => `${id} ${state}`)).toEqual(ids.map((id) => `${id} sent`))
        await Promise.all(rows.map((row) => grantMarks(db).done(row)))
        const { rows: counts } = await sql<{ read: bigint }>`
          SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS read
          FROM pg_stat_xact_user_tables WHERE relname = 'points_grant'`.execute(trx)
        return Number(counts[0]?.read)
      })
      expect(read).toBeGreaterThan(0)
      expect(read).toBeLessThan(ROWS_MAX)
    },
    TIMEOUT_MS,
  )

  test(
    'a second look finds what its payments have earned',
    async () => {
      const paymentIds = await payAll()
      const { deps, merchantId } = desk
      const tables = ['points_grant', 'customer_order', 'payment']
      const read = await readDuring('pingzhang', tables, async () => {
        expect(await repairGrants(desk.db, deps, merchantId, paymentIds)).toEqual([])
        const overdue = await findOverdueGrants(desk.db, { merchantId, paymentIds }, new Date())
        expect(overdue.length).toBe(BATCH)
      })
      expect(read).toBeLessThan(ROWS_MAX)
    },
    TIMEOUT_MS,
  )

  test(
    'jobs are taken',
    async () => {
      const table = await tableOf('points-award')
      await sql`ALTER TABLE ${sql.table(`pgboss.${table}`)} SET (autovacuum_enabled = false)`.execute(
        desk.db,
      )
      const jobs = Array.from({ length: WAITING }, (_, index) => ({ data: { index } }))
      await boss.insert('points-award', jobs)
      const read = await readDuring('pgboss', [table], async () => {
        expect((await boss.fetch('points-award', { batchSize: BATCH })).length).toBe(BATCH)
      })
      expect(read).toBeLessThan(ROWS_MAX)
    },
    TIMEOUT_MS,
  )
})

/** Writes grants that wait, and says the first fifty. */
async function waitingGrants(): Promise<readonly PointsGrantId[]> {
  const { db, merchantId } = desk
  await sql`
    INSERT INTO customer_order (merchant_id, id, order_number, user_id, amount, currency)
    SELECT ${merchantId}, 'o' || lpad(n::text, 25, '0'), 'R' || n, 'user', 2000, 'CNY'
    FROM generate_series(1, ${WAITING}::int) n`.execute(db)
  const { rows } = await sql<{ id: PointsGrantId }>`
    INSERT INTO points_grant (merchant_id, id, order_id, kind, user_id, points, idempotency_key, state, due_at)
    SELECT merchant_id, 'g' || substr(id, 2), id, 'grant', user_id, 20, 'grant-' || id, 'pending', now()
    FROM customer_order WHERE merchant_id = ${merchantId}
    RETURNING id`.execute(db)
  return rows.slice(0, BATCH).map(({ id }) => id)
}

async function tableOf(queue: string): Promise<string> {
  const { rows } = await sql<{ table_name: string }>`
    SELECT table_name FROM pgboss.queue WHERE name = ${queue}`.execute(desk.db)
  return rows[0]?.table_name ?? ''
}

/** Every order is paid, by a payment of its own. Says those of fifty whose points are overdue. */
async function payAll(): Promise<readonly PaymentId[]> {
  const { db, merchantId, accountId } = desk
  await db.transaction().execute(async (trx) => {
    // What brought them to their states is another test's.
    await sql`SET LOCAL session_replication_role = replica`.execute(trx)
    await sql`
      INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, currency, subject,
                           state, vendor_request, expires_at, disposition, paid_at)
      SELECT merchant_id, 'p' || substr(id, 2), id, ${accountId}, 'qr', amount, currency, 'tea',
             'paid', '{}', now(), 'counted', now()
      FROM customer_order WHERE merchant_id = ${merchantId}`.execute(trx)
    await sql`
      UPDATE customer_order SET state = 'paid', paid_payment_id = 'p' || substr(id, 2)
      WHERE merchant_id = ${merchantId}`.execute(trx)
    await sql`
      UPDATE points_grant SET state = 'pending', due_at = now() - interval '1 hour'
      WHERE merchant_id = ${merchantId}`.execute(trx)
  })
  const rows = await db
    .selectFrom('payment')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .orderBy('id')
    .limit(BATCH)
    .execute()
  return rows.map(({ id }) => id)
}

/** Rows of these tables that are read meanwhile, as the server counts. */
async function readDuring(
  schema: string,
  tables: readonly string[],
  work: () => Promise<void>,
): Promise<number> {
  const before = await rowsRead(schema, tables)
  await work()
  return waitFor('the count of what was read', async () => {
    const after = await rowsRead(schema, tables)
    return after > before ? after - before : undefined
  })
}

/** The server is told of a connection's reads a little later, or when the connection is asked to. */
async function rowsRead(schema: string, tables: readonly string[]): Promise<number> {
  await boss.getDb().executeSql('SELECT pg_stat_force_next_flush()')
  await sql`SELECT pg_stat_force_next_flush()`.execute(desk.db)
  const { rows } = await sql<{ read: bigint }>`
    SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) AS read
    FROM pg_stat_all_tables WHERE schemaname = ${schema} AND relname = ANY (${tables}::text[])`.execute(
    desk.db,
  )
  return Number(rows[0]?.read)
}
