import { sql } from 'kysely'
import type { Kysely, RawBuilder } from 'kysely'
import { commit } from './commit.ts'

/** Months that exist beyond the running one. */
const MONTHS_AHEAD = 3
/** More than these wait for the next day, so that one run holds the table for a short time only. */
const MONTHS_MAX = 24

/** A table in months; what belongs to no month that exists lies in its default partition. */
interface Monthly {
  readonly name: string
  /** The moment that a row belongs to. */
  readonly moment: RawBuilder<Date>
  /** Months before the running one that may still be written. */
  readonly behind: number
}

const MONTHLY: readonly Monthly[] = [
  { name: 'transaction_log', moment: sql`at`, behind: 0 },
  // By its business date. Days that nobody has fetched are made up for three months.
  { name: 'bill_line', moment: sql`(business_date::timestamp AT TIME ZONE 'UTC')`, behind: 3 },
]

/** A calendar month in UTC; its partition begins with it and ends before the next one. */
interface Month {
  readonly name: string
  readonly from: Date
  readonly to: Date
}

/**
 * Makes the months of the transaction log and of bill lines up to three months ahead, and returns the names of the
 * new ones.
 *
 * Safe to repeat, and beside its twin. What was written before its month existed lies in the default
 * partition; it moves in the same transaction, so that no reader ever misses it.
 */
export async function makePartitions<T>(db: Kysely<T>, now: Date): Promise<readonly string[]> {
  const made: string[] = []
  for (const table of MONTHLY) made.push(...(await makeMonths(db, table, now)))
  return made
}

function makeMonths<T>(db: Kysely<T>, table: Monthly, now: Date): Promise<readonly string[]> {
  const { parent, strays } = idsOf(table)
  return commit(db, 'month.make', async (trx) => {
    // One at a time: the second one finds nothing left to do.
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`${table.name} months`}, 0))`.execute(
      trx,
    )
    if ((await findMissing(trx, table, now)).length === 0) return []
    // Writers wait: a row that came now would go into a partition that is away.
    await sql`LOCK TABLE ${parent} IN ACCESS EXCLUSIVE MODE`.execute(trx)
    // Once more: a row may have come while we waited for the lock.
    const missing = await findMissing(trx, table, now)
    const hasStrays = missing.some((month) => month.hasStrays)
    // A month cannot be attached while the default partition holds rows of it.
    if (hasStrays) await sql`ALTER TABLE ${parent} DETACH PARTITION ${strays}`.execute(trx)
    for (const month of missing) await makeMonth(trx, table, month)
    if (hasStrays) await sql`ALTER TABLE ${parent} ATTACH PARTITION ${strays} DEFAULT`.execute(trx)
    return missing.map(({ name }) => name)
  })
}

const idsOf = ({ name }: Monthly) => ({
  parent: sql.id('pingzhang', name),
  strays: sql.id('pingzhang', `${name}_default`),
})

interface Missing extends Month {
  /** Whether the default partition holds rows of it. */
  readonly hasStrays: boolean
}

async function findMissing<T>(trx: Kysely<T>, table: Monthly, now: Date): Promise<Missing[]> {
  const { name: parent, moment, behind } = table
  const end = monthAt(parent, now, MONTHS_AHEAD)
  const { rows: strays } = await sql<{ at: Date }>`
    SELECT date_trunc('month', ${moment}, 'UTC') AS at FROM ${idsOf(table).strays} WHERE ${moment} < ${end.to}
    GROUP BY 1 ORDER BY 1`.execute(trx)
  const { rows: existing } = await sql<{ name: string }>`
    SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = ${`pingzhang.${parent}`}::regclass`.execute(trx)
  const known = new Set(existing.map(({ name }) => name))
  const wanted = Array.from({ length: behind + 1 + MONTHS_AHEAD }, (_, index) =>
    monthAt(parent, now, index - behind),
  )
  const stray = new Map(
    strays.map(({ at }) => monthAt(parent, at, 0)).map((month) => [month.name, month] as const),
  )
  const months = new Map([...wanted.map((month) => [month.name, month] as const), ...stray])
  return [...months.values()]
    .filter(({ name }) => !known.has(name))
    .slice(0, MONTHS_MAX)
    .toSorted((a, b) => a.from.getTime() - b.from.getTime())
    .map((month) => ({ ...month, hasStrays: stray.has(month.name) }))
}

/** The month so many months after the one of a moment. Named as in the migration that made the first ones. */
function monthAt(parent: string, moment: Date, offset: number): Month {
  const start = (more: number): Date =>
    new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + offset + more, 1))
  const from = start(0)
  const digits = from.toISOString().slice(0, 7).replace('-', '')
  return { name: `${parent}_${digits}`, from, to: start(1) }
}

async function makeMonth<T>(
  trx: Kysely<T>,
  table: Monthly,
  { name, from, to, hasStrays }: Missing,
): Promise<void> {
  const { parent, strays } = idsOf(table)
  // Literals, because DDL has no parameters to bind; both are our own dates.
  await sql`CREATE TABLE ${sql.id('pingzhang', name)} PARTITION OF ${parent}
    FOR VALUES FROM (${sql.lit(from.toISOString())}) TO (${sql.lit(to.toISOString())})`.execute(trx)
  if (!hasStrays) return
  // The default partition is detached, and with it the trigger that forbids every change to the log.
  await sql`WITH moved AS (
      DELETE FROM ${strays} WHERE ${table.moment} >= ${from} AND ${table.moment} < ${to} RETURNING *)
    INSERT INTO ${parent} SELECT * FROM moved`.execute(trx)
}
