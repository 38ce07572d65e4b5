import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { sql } from 'kysely'
import pino from 'pino'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { makePartitions } from '#db/partition'
import { startWorker } from '#worker/start'
import { testSealKey } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 40_000
setDefaultTimeout(TIMEOUT_MS)
/** Years after the months that the migration has made. */
const LATER = new Date('2031-11-30T23:59:59.999Z')
const MONTHS = ['203111', '203112', '203201', '203202'].map((month) => `transaction_log_${month}`)

/** The new months of one table. */
const madeOf = async (table: string, now: Date): Promise<readonly string[]> =>
  (await makePartitions(db, now)).filter((name) => name.startsWith(table))

let database: TestDatabase
let db: Db

beforeEach(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url, workerDatabase, () => undefined)
}, TIMEOUT_MS)

afterEach(async () => {
  await db.destroy()
  await database.drop()
}, TIMEOUT_MS)

const write = (id: string, at: string) =>
  db
    .insertInto('transaction_log')
    .values({
      merchant_id: sql`'m1'`,
      id,
      channel: 'wechat_pay',
      kind: 'query',
      content: JSON.stringify({ said: id }),
      at,
    })
    .execute()

/** Each row with the partition that it lies in. */
async function places(): Promise<Record<string, string>> {
  const { rows } = await sql<{ id: string; place: string; said: string }>`
    SELECT id, tableoid::regclass::text AS place, content ->> 'said' AS said
    FROM transaction_log WHERE merchant_id = 'm1'`.execute(db)
  expect(rows.map(({ id }) => id)).toEqual(rows.map(({ said }) => said))
  return Object.fromEntries(rows.map(({ id, place }) => [id, place]))
}

async function bounds(): Promise<Record<string, string>> {
  const { rows } = await sql<{ name: string; bound: string }>`
    SELECT c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'transaction_log'::regclass`.execute(db)
  return Object.fromEntries(rows.map(({ name, bound }) => [name, bound]))
}

const problemOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => String(error),
  )

describe('the months of the transaction log', () => {
  test('are made up to three months ahead, over the end of a year, and only once', async () => {
    expect(await madeOf('transaction_log', LATER)).toEqual(MONTHS)
    expect(await makePartitions(db, LATER)).toEqual([])
    expect(await makePartitions(db, new Date('2031-12-01T00:00:00Z'))).toEqual([
      'transaction_log_203203',
      'bill_line_203203',
    ])
  })

  test('begin and end at midnight in UTC, as the ones that the migration made', async () => {
    await makePartitions(db, LATER)
    expect((await bounds())['transaction_log_203112']).toBe(
      "FOR VALUES FROM ('2031-12-01 00:00:00+00') TO ('2032-01-01 00:00:00+00')",
    )
    await write('last', '2031-11-30T23:59:59.999999Z')
    await write('first', '2031-12-01T00:00:00Z')
    // Already December where the vendors are.
    await write('china', '2031-12-01T07:59:59+08:00')
    expect(await places()).toEqual({
      last: 'transaction_log_203111',
      first: 'transaction_log_203112',
      china: 'transaction_log_203111',
    })
  })

  test('take over the rows that came before them, and those of months that were missed', async () => {
    await write('missed', '2031-07-04T12:00:00Z')
    await write('now', '2031-11-02T12:00:00Z')
    await write('ahead', '2032-02-29T23:59:59Z')
    await write('far', '2040-01-01T00:00:00Z')
    expect([...new Set(Object.values(await places()))]).toEqual(['transaction_log_default'])
    expect(await madeOf('transaction_log', LATER)).toEqual(['transaction_log_203107', ...MONTHS])
    expect(await places()).toEqual({
      missed: 'transaction_log_203107',
      now: 'transaction_log_203111',
      ahead: 'transaction_log_203202',
      far: 'transaction_log_default',
    })
    expect((await bounds())['transaction_log_default']).toBe('DEFAULT')
  })

  test('are append-only like the table itself, the default partition included', async () => {
    await write('moved', '2031-11-02T12:00:00Z')
    await makePartitions(db, LATER)
    await write('new', '2031-11-03T12:00:00Z')
    await write('far', '2040-01-01T00:00:00Z')
    for (const id of ['moved', 'new', 'far']) {
      const change = sql`UPDATE transaction_log SET content = '{}' WHERE id = ${id}`.execute(db)
      expect(await problemOf(change)).toContain('append-only')
      const removal = sql`DELETE FROM transaction_log WHERE id = ${id}`.execute(db)
      expect(await problemOf(removal)).toContain('append-only')
    }
    const direct = sql`DELETE FROM transaction_log_default`.execute(db)
    expect(await problemOf(direct)).toContain('append-only')
  })

  test('are made once by two workers at the same time, with rows in the way', async () => {
    await write('stray', '2031-12-24T00:00:00Z')
    const made = await Promise.all([1, 2].map(() => madeOf('transaction_log', LATER)))
    expect(made.flat()).toEqual(MONTHS)
    expect(await places()).toEqual({ stray: 'transaction_log_203112' })
  })

  test('stay as they are when one of them cannot be made', async () => {
    await write('stray', '2031-12-24T00:00:00Z')
    await sql`CREATE TABLE transaction_log_203202 (id text)`.execute(db)
    expect(await problemOf(makePartitions(db, LATER))).toContain('already exists')
    expect(await places()).toEqual({ stray: 'transaction_log_default' })
    expect(Object.keys(await bounds())).not.toContain('transaction_log_203111')
  })

  test(
    'are made by the schedule of the worker, by its clock',
    async () => {
      const worker = await startWorker({
        databaseUrl: database.url,
        sealKey: testSealKey(),
        pointsUrl: 'http://127.0.0.1:1',
        publicUrl: 'http://127.0.0.1:1',
        localHosts: [],
        clock: { now: () => LATER },
        log: pino({ level: 'silent' }),
        compensationSeconds: 3600,
        retrySeconds: 3600,
        querySeconds: 3600,
        pollingSeconds: 0.5,
        sweepPattern: '0 0 0 1 1 *',
        partitionPattern: '* * * * * *',
        requireDurable: false,
      })
      await waitFor('the months', async () =>
        'transaction_log_203202' in (await bounds()) ? true : undefined,
      )
      await worker.stop()
    },
    TIMEOUT_MS,
  )
})

describe('the months of bill lines', () => {
  const load = (billId: string, businessDate: string) =>
    sql`INSERT INTO bill_line (merchant_id, bill_id, line, business_date, kind, payment_number, channel_payment_id,
          refund_number, channel_refund_id, amount, state_text)
        VALUES ('m1', ${billId}, 1, ${businessDate}::date, 'payment', '', '', '', '', 100, '')`.execute(
      db,
    )

  const placesOfLines = async () => {
    const { rows } = await sql<{ bill_id: string; place: string }>`
      SELECT bill_id, tableoid::regclass::text AS place FROM bill_line`.execute(db)
    return Object.fromEntries(rows.map(({ bill_id: id, place }) => [id, place]))
  }

  test('are there for the days that are made up, and ahead', async () => {
    const months = ['203108', '203109', '203110', '203111', '203112', '203201', '203202']
    expect(await madeOf('bill_line', LATER)).toEqual(months.map((month) => `bill_line_${month}`))
  })

  test('are the business date’s own, whatever the server’s time zone', async () => {
    const zone = sql`ALTER DATABASE ${sql.id(new URL(database.url).pathname.slice(1))} SET timezone = 'Asia/Shanghai'`
    await zone.execute(db)
    const own = openDatabase(database.url, workerDatabase, () => undefined)
    await load('stray', '2031-11-01')
    await makePartitions(own, LATER)
    await load('last', '2031-10-31')
    await load('first', '2031-12-01')
    await load('old', '2030-01-31')
    await own.destroy()
    expect(await placesOfLines()).toEqual({
      stray: 'bill_line_203111',
      last: 'bill_line_203110',
      first: 'bill_line_203112',
      old: 'bill_line_default',
    })
  })
})
