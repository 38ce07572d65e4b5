import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { commit } from './commit.ts'

/** Months that exist beyond the running one. */
const MONTHS_AHEAD = 3
/** More than these wait for the next day, so that one run holds the table for a short time only. */
const MONTHS_MAX = 24

const PARENT = sql.id('pingzhang', 'transaction_log')
const DEFAULT = sql.id('pingzhang', 'transaction_log_default')

/** A calendar month in UTC; its partition begins with it and ends before the next one. */
interface Month {
  readonly name: string
  readonly from: Date
  readonly to: Date
}

/**
 * Makes the months of the transaction log up to three months ahead, and returns the names of the new ones.
 *
 * Safe to repeat, and beside its twin. What was written before its month existed lies in the default
 * partition; it moves in the same transaction, so that no reader ever misses it.
 */
export async function makePartitions<T>(db: Kysely<T>, now: Date): Promise<readonly string[]> {
  return commit(db, 'log.month', async (trx) => {
    // One at a time: the second one finds nothing left to do.
    await sql`SELECT pg_advisory_xact_lock(hashtextextended('transaction_log months', 0))`.execute(
      trx,
    )
    if ((await findMissing(trx, now)).length === 0) return []
    // Writers wait: a row that came now would go into a partition that is away.
    await sql`LOCK TABLE ${PARENT} IN ACCESS EXCLUSIVE MODE`.execute(trx)
    // Once more: a row may have come while we waited for the lock.
    const missing = await findMissing(trx, now)
    const hasStrays = missing.some((month) => month.hasStrays)
    // A month cannot be attached while the default partition holds rows of it.
    if (hasStrays) await sql`ALTER TABLE ${PARENT} DETACH PARTITION ${DEFAULT}`.execute(trx)
    for (const month of missing) await makeMonth(trx, month)
    if (hasStrays) {
      await sql`ALTER TABLE ${PARENT} ATTACH PARTITION ${DEFAULT} DEFAULT`.execute(trx)
    }
    return missing.map(({ name }) => name)
  })
}

interface Missing extends Month {
  /** Whether the default partition holds rows of it. */
  readonly hasStrays: boolean
}

async function findMissing<T>(trx: Kysely<T>, now: Date): Promise<Missing[]> {
  const end = monthAt(now, MONTHS_AHEAD)
  const { rows: strays } = await sql<{ at: Date }>`
    SELECT date_trunc('month', at, 'UTC') AS at FROM ${DEFAULT} WHERE at < ${end.to}
    GROUP BY 1 ORDER BY 1`.execute(trx)
  const { rows: existing } = await sql<{ name: string }>`
    SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'pingzhang.transaction_log'::regclass`.execute(trx)
  const known = new Set(existing.map(({ name }) => name))
  const wanted = Array.from({ length: MONTHS_AHEAD + 1 }, (_, index) => monthAt(now, index))
  const stray = new Map(strays.map(({ at }) => [monthAt(at, 0).name, monthAt(at, 0)]))
  const months = new Map([...wanted.map((month) => [month.name, month] as const), ...stray])
  return [...months.values()]
    .filter(({ name }) => !known.has(name))
    .slice(0, MONTHS_MAX)
    .toSorted((a, b) => a.from.getTime() - b.from.getTime())
    .map((month) => ({ ...month, hasStrays: stray.has(month.name) }))
}

/** The month so many months after the one of a moment. Named as in the migration that made the first ones. */
function monthAt(moment: Date, offset: number): Month {
  const start = (more: number): Date =>
    new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + offset + more, 1))
  const from = start(0)
  const digits = from.toISOString().slice(0, 7).replace('-', '')
  return { name: `transaction_log_${digits}`, from, to: start(1) }
}

async function makeMonth<T>(trx: Kysely<T>, { name, from, to, hasStrays }: Missing): Promise<void> {
  // Literals, because DDL has no parameters to bind; both are our own dates.
  await sql`CREATE TABLE ${sql.id('pingzhang', name)} PARTITION OF ${PARENT}
    FOR VALUES FROM (${sql.lit(from.toISOString())}) TO (${sql.lit(to.toISOString())})`.execute(trx)
  if (!hasStrays) return
  // The default partition is detached, and with it the trigger that forbids every change.
  await sql`WITH moved AS (DELETE FROM ${DEFAULT} WHERE at >= ${from} AND at < ${to} RETURNING *)
    INSERT INTO ${PARENT} SELECT * FROM moved`.execute(trx)
}
