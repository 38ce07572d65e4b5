import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { LoadedLine } from '#db/bill/bill-copy'
import { findLastScope } from '#db/bill/day-version'
import { matchFund } from '#db/bill/match-fund'
import { assert } from '#domain/assert'
import { boundsOf } from '#domain/business-day'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

// A day of so many payments that a hash of them does not fit into memory: rows are read a few times each, and not
// once for each other one. Memory is made small here, and not the day large.

const TIMEOUT_MS = 60_000

const PAYMENTS = 4000
/** One of so many is near the cut. */
const LATE = 3

/** A dozen times each: for payments, refunds, fees and what nobody knows. */
const READS_MAX = 12 * PAYMENTS

let database: TestDatabase
let desk: Desk
let day: BillDay

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  day = await openBillDay(desk)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

const payments = (): readonly LoadedLine[] => {
  const { from, to } = boundsOf(day.businessDate, day.dayEndHour)
  return Array.from({ length: PAYMENTS }, (_, index) =>
    billLine(0, {
      channelPaymentId: `42${index}`,
      at: (index % LATE === 0 ? addMs(to, -1000) : addMs(from, 3_600_000)).toISOString(),
    }),
  )
}

test(
  'a day of many payments is compared before its next fund bill is there, and each row is read a few times',
  async () => {
    await day.revise(payments())
    // The account was not moved for the first one, and that one is late: nothing is said yet.
    await day.loadFund(payments().slice(1))
    await desk.db.transaction().execute(async (trx) => {
      await sql`SET LOCAL work_mem = '64kB'`.execute(trx)
      const scope = await findLastScope(trx, day.toMatch())
      assert(scope !== undefined, 'the day has a version')
      expect(await matchFund(trx, scope)).toBe(0)
      const { rows } = await sql<{ lines: bigint; read: bigint }>`
        SELECT (SELECT count(*) FROM fund_line) AS lines, sum(seq_tup_read) AS read
        FROM pg_stat_xact_all_tables WHERE relname IN ('fund_line', 'fund_movement')`.execute(trx)
      expect(Number(rows[0]?.lines)).toBe(PAYMENTS - 1)
      expect(Number(rows[0]?.read)).toBeGreaterThan(PAYMENTS)
      expect(Number(rows[0]?.read)).toBeLessThan(READS_MAX)
    })
  },
  TIMEOUT_MS,
)
