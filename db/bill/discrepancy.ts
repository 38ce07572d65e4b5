import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { DiscrepancyId, MerchantId } from '#domain/id'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import { keepDayCase } from './day-case.ts'
import type { VendorDay } from './day-case.ts'
import { takeDue } from '../due.ts'
import type { Due } from '../due.ts'
import type { Jobs } from '../job.ts'
import type { Schema } from '../schema.ts'

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
export const resolveByMachine = (
  db: Db,
  row: DiscrepancyRow,
  reason: string,
  now: Date,
): Promise<void> =>
  endRepair(db, row, now, {
    state: 'resolved',
    decision: 'repaired',
    decided_by: 'machine',
    reason,
    resolved_at: now,
  })

/** The machine is at its end: a person decides, and has a case that says so. */
export const leaveToPeople = (
  db: Db,
  row: DiscrepancyRow,
  reason: string,
  now: Date,
): Promise<void> => endRepair(db, row, now, { state: 'open', reason })

type End = Pick<DiscrepancyRow, 'state' | 'reason'> &
  Partial<Pick<DiscrepancyRow, 'decision' | 'decided_by' | 'resolved_at'>>

/** A twin that was faster, or a bill that came meanwhile, has the last word. */
function endRepair(db: Db, row: DiscrepancyRow, now: Date, end: End): Promise<void> {
  return commit(db, 'discrepancy.repair', async (trx) => {
    const moved = await trx
      .updateTable('discrepancy')
      .set({ ...end, due_at: null, version: sql`version + 1` })
      .where('merchant_id', '=', row.merchant_id)
      .where('id', '=', row.id)
      .where('state', '=', 'repairing')
      .returning('id')
      .execute()
    if (moved.length > 0) await keepDayCase(trx, dayOf(row), now)
  })
}

export const dayOf = (row: DiscrepancyRow): VendorDay => ({
  merchantId: row.merchant_id,
  vendorMerchantId: row.vendor_merchant_id,
  businessDate: row.business_date,
})
