import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { migrate } from '#db/migrate'
import { movesBySubject } from '#domain/state'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

const GOLDEN = fileURLToPath(new URL('../fixture/schema.txt', import.meta.url))

/** Tables that are not about one merchant's payments, with the reason. */
const NOT_BY_MERCHANT: Readonly<Record<string, string>> = {
  merchant: 'is the merchant',
  rejected_callback: 'bounded per account; nobody is authenticated there',
  state_move: 'reference table',
  operator: 'people who decide for all merchants',
  repair_count: 'figures of the installation',
  kysely_migration: 'of the migrator',
  kysely_migration_lock: 'of the migrator',
}

let database: TestDatabase
let client: pg.Client

beforeAll(async () => {
  database = await cloneDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
}, 30_000)

afterAll(async () => {
  await client.end()
  await database.drop()
})

async function lines(text: string): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(text)
  return rows.map((row) => row.line)
}

async function describeSchema(): Promise<string> {
  const columns = await lines(`
    SELECT format('%s.%s %s%s', table_name, column_name, data_type,
                  CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END) AS line
    FROM information_schema.columns
    WHERE table_schema = 'pingzhang' AND table_name NOT LIKE 'kysely%' ORDER BY table_name, ordinal_position`)
  const constraints = await lines(`
    SELECT format('%s: %s', conrelid::regclass, pg_get_constraintdef(c.oid)) AS line
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE n.nspname = 'pingzhang' AND contype IN ('p', 'u', 'f', 'c') AND conrelid::regclass::text NOT LIKE '%kysely%'
    ORDER BY line`)
  const indexes = await lines(`
    SELECT indexdef AS line FROM pg_indexes
    WHERE schemaname = 'pingzhang' AND tablename NOT LIKE 'kysely%' ORDER BY indexname`)
  const triggers = await lines(`
    SELECT pg_get_triggerdef(oid) AS line FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'pingzhang.%' ORDER BY line`)
  const all = [...columns, '', ...constraints, '', ...indexes, '', ...triggers]
  // The months depend on today; all of them are like the table that they are parts of.
  return `${all.filter((line) => !/transaction_log_default|_2\d{5}\b|_2\d{5}_/.test(line)).join('\n')}\n`
}

test('the schema is the committed one', async () => {
  const found = await describeSchema()
  if (process.env['PINGZHANG_WRITE_GOLDEN'] === '1') await Bun.write(GOLDEN, found)
  expect(found).toBe(readFileSync(GOLDEN, 'utf8'))
})

test('migrating twice changes nothing', async () => {
  const before = await describeSchema()
  await migrate(database.url)
  expect(await describeSchema()).toBe(before)
})

test('merchant_id stands first in every key of a table that grows with payments', async () => {
  const { rows } = await client.query<{ name: string; columns: string[] }>(`
    SELECT c.conrelid::regclass::text AS name,
           array(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY k(n, o)
                 JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.o) AS columns
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE n.nspname = 'pingzhang' AND contype = 'p'`)
  const odd = rows.filter(({ name, columns }) => {
    const table = name.replace('pingzhang.', '')
    return !(table in NOT_BY_MERCHANT) && columns[0] !== 'merchant_id'
  })
  expect(odd).toEqual([])
})

describe('the trigger knows the state tables of domain/', () => {
  test('move for move', async () => {
    const { rows } = await client.query<{ move: string }>(
      `SELECT subject_kind || ' ' || from_state || ' ' || to_state AS move FROM pingzhang.state_move`,
    )
    const expected = Object.entries(movesBySubject).flatMap(([subject, table]) =>
      Object.entries(table).flatMap(([from, targets]) =>
        targets.map((to) => `${subject} ${from} ${to}`),
      ),
    )
    expect(rows.map((row) => row.move).toSorted()).toEqual(expected.toSorted())
  })

  test('and refuses another move (I3), and changes of append-only tables', async () => {
    await client.query(`
      INSERT INTO pingzhang.merchant (id, name) VALUES ('m1', 'shop');
      INSERT INTO pingzhang.customer_order (merchant_id, id, order_number, user_id, amount, currency)
      VALUES ('m1', 'o1', '1', 'u', 100, 'CNY')`)
    const refused = (text: string) =>
      client.query(text).then(
        () => 'done',
        (error: unknown) => String(error),
      )
    expect(
      await refused(
        `UPDATE pingzhang.customer_order SET state = 'refunded', paid_payment_id = 'p'`,
      ),
    ).toContain('cannot move from unpaid to refunded')
    expect(await refused('DELETE FROM pingzhang.state_change')).toContain('append-only')
  })
})
