import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Trx } from '../database.ts'

/** For the hashes of a million numbers; the pool that matches bills has three connections. */
const WORK_MEMORY = '64MB'

/** As for a disk without moving parts: a few thousand keys are looked up, and no table is read whole for them. */
const LOOK_UP_COST = 1.1

/** Lets this transaction compare a million rows without going to disk for each step, and look up a few by key. */
export async function tunePlans(trx: Trx): Promise<void> {
  await sql`SET LOCAL work_mem = ${sql.lit(WORK_MEMORY)}`.execute(trx)
  await sql`SET LOCAL random_page_cost = ${sql.lit(LOOK_UP_COST)}`.execute(trx)
}

/**
 * Keeps the rows of a query until the end of the transaction, under a name that later statements may use.
 *
 * What several statements need is compared once; and only the filling of a table may use several processors.
 */
export async function stage(trx: Trx, name: string, query: RawBuilder<unknown>): Promise<void> {
  await sql`CREATE TEMPORARY TABLE ${sql.id(name)} ON COMMIT DROP AS ${query}`.execute(trx)
}

/** Settings of the planner by name. */
type Plan = Readonly<Record<string, string>>

/**
 * For a comparison of two large sets of which little is left.
 *
 * Until a bill is analysed its lines are guessed to be a handful, and for a handful the planner goes through the whole
 * bill once for each payment. And it believes that all is left: too much to be handed from one processor to another,
 * and enough to be sorted for.
 */
export const FEW_LEFT: Plan = {
  enable_nestloop: 'off',
  enable_mergejoin: 'off',
  parallel_tuple_cost: '0.001',
}

/** For counting a million numbers that nearly all differ: sorting them takes half the time of a hash of each. */
export const SORTED: Plan = { enable_hashagg: 'off', parallel_tuple_cost: '0.001' }

/** Runs a statement with other settings of the planner than those around it. */
export async function withPlan<T>(trx: Trx, plan: Plan, work: () => Promise<T>): Promise<T> {
  for (const [name, value] of Object.entries(plan)) {
    await sql`SET LOCAL ${sql.id(name)} = ${sql.lit(value)}`.execute(trx)
  }
  const result = await work()
  for (const name of Object.keys(plan)) await sql`RESET ${sql.id(name)}`.execute(trx)
  return result
}
