import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

const TIMEOUT_MS = 30_000
/** Some forty lines are a block, and 32 blocks are a stretch that has a summary. */
const LINES = 5000

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

/** Summarises what has no summary, and returns how many stretches those were. */
async function summarise(): Promise<number> {
  const { rows } = await sql<{ stretches: number }>`
    SELECT sum(brin_summarize_new_values(i.inhrelid::regclass))::int AS stretches FROM pg_inherits i
    WHERE i.inhparent = 'bill_line_by_bill'::regclass`.execute(desk.db)
  return rows[0]?.stretches ?? 0
}

/** Rows that a search for one bill looks at, its own among them. */
async function rowsLookedAt(billId: string): Promise<number> {
  const { rows } = await desk.db.transaction().execute(async (trx) => {
    await sql`SET LOCAL enable_seqscan = off`.execute(trx)
    return sql<{ 'QUERY PLAN': readonly [{ Plan: Node }] }>`
      EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM bill_line
      WHERE merchant_id = ${desk.merchantId} AND bill_id = ${billId}`.execute(trx)
  })
  return lookedAt(rows[0]?.['QUERY PLAN'][0].Plan)
}

interface Node {
  readonly 'Node Type': string
  readonly 'Actual Rows': number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly Node[]
}

function lookedAt(node: Node | undefined): number {
  if (node === undefined) throw new Error('expected a scan of an index')
  if (node['Node Type'] !== 'Bitmap Heap Scan') return lookedAt(node.Plans?.[0])
  return node['Actual Rows'] + (node['Rows Removed by Index Recheck'] ?? 0)
}

test('a bill is found among others without a walk through them', async () => {
  const lines = Array.from({ length: LINES }, (_, at) =>
    billLine(at + 1, { paymentNumber: `n${at}`, channelPaymentId: `42${at}` }),
  )
  const days = ['2026-03-01', '2026-03-02', '2026-03-03']
  for (const businessDate of days) {
    const day = await openBillDay(desk, { businessDate })
    await day.load(lines, `${import.meta.dir}/bill-day.ts`)
  }
  const small = await (
    await openBillDay(desk, { businessDate: '2026-03-04' })
  ).load(lines.slice(0, 5))
  // The blocks of those before it have their summaries: it is not for autovacuum to be in time.
  expect(await rowsLookedAt(small.id)).toBeLessThan(LINES / 2)
  expect(await summarise()).toBeLessThanOrEqual(1)
})
