import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { DiscrepancyId, MerchantId } from '#domain/id'
import type { Db } from './database.ts'
import { takeDue } from './due.ts'
import type { Due } from './due.ts'
import type { Jobs } from './job.ts'
import type { Schema } from './schema.ts'

export type DiscrepancyRow = Selectable<Schema['discrepancy']>

export const findDiscrepancy = (
  db: Db,
  merchantId: MerchantId,
  id: DiscrepancyId,
): Promise<DiscrepancyRow | undefined> =>
  db
    .selectFrom('discrepancy')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()

/** Feeds discrepancies that a machine may repair, and pushes `due_at` so that no tick feeds them twice. */
export function wakeDiscrepancies(
  db: Db,
  jobs: Jobs,
  { now, leaseUntil }: { readonly now: Date; readonly leaseUntil: Date },
): Promise<number> {
  const due: Due = { table: 'discrepancy', column: 'due_at', before: now, to: leaseUntil }
  return takeDue<DiscrepancyId>(db, due, (trx, merchantId, ids) =>
    jobs.send(
      trx,
      'discrepancy-resolve',
      ids.map((discrepancyId) => ({ data: { merchantId, discrepancyId } })),
    ),
  )
}

/** The machine has repaired it: a query has brought our rows to what the vendor says. */
export async function resolveByMachine(
  db: Db,
  row: DiscrepancyRow,
  reason: string,
  now: Date,
): Promise<void> {
  await db
    .updateTable('discrepancy')
    .set({
      state: 'resolved',
      decision: 'repaired',
      decided_by: 'machine',
      reason,
      due_at: null,
      resolved_at: now,
      version: sql`version + 1`,
    })
    .where('merchant_id', '=', row.merchant_id)
    .where('id', '=', row.id)
    .where('state', '=', 'repairing')
    .execute()
}

/** The machine is at its end: a person decides. */
export async function leaveToPeople(db: Db, row: DiscrepancyRow, reason: string): Promise<void> {
  await db
    .updateTable('discrepancy')
    .set({ state: 'open', due_at: null, reason, version: sql`version + 1` })
    .where('merchant_id', '=', row.merchant_id)
    .where('id', '=', row.id)
    .where('state', '=', 'repairing')
    .execute()
}
