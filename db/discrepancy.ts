import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { DiscrepancyId, MerchantId } from '#domain/id'
import type { Db } from './database.ts'
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
export async function wakeDiscrepancies(
  db: Db,
  jobs: Jobs,
  { now, leaseUntil }: { readonly now: Date; readonly leaseUntil: Date },
): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<Pick<DiscrepancyRow, 'merchant_id' | 'id'>>`
      UPDATE discrepancy d SET due_at = ${leaseUntil}
      FROM (SELECT merchant_id, id FROM discrepancy WHERE due_at <= ${now}
            ORDER BY due_at LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED) o
      WHERE d.merchant_id = o.merchant_id AND d.id = o.id
      RETURNING d.merchant_id, d.id`.execute(trx)
    await jobs.send(
      trx,
      'discrepancy-resolve',
      rows.map((row) => ({ data: { merchantId: row.merchant_id, discrepancyId: row.id } })),
    )
    return rows.length
  })
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
