import type { Selectable } from 'kysely'
import type { MerchantId, ReconciliationId } from '#domain/id'
import type { Db } from './database.ts'
import type { DiscrepancyRow } from './discrepancy.ts'
import type { Schema } from './schema.ts'

export type ReconciliationRow = Selectable<Schema['reconciliation']>

/** How many discrepancies of a run wait for a person. */
export async function findOpenCount(
  db: Db,
  merchantId: MerchantId,
  id: ReconciliationId,
): Promise<number> {
  const row = await db
    .selectFrom('discrepancy')
    .select((of) => of.fn.countAll<bigint>().as('count'))
    .where('merchant_id', '=', merchantId)
    .where('reconciliation_id', '=', id)
    .where('state', '=', 'open')
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export interface ReconciliationFilter {
  readonly merchantId: MerchantId
  readonly channel?: string | undefined
  readonly businessDate?: string | undefined
  readonly before?: ReconciliationId | undefined
  readonly limit: number
}

/** Runs of a merchant, the newest first. */
export function findReconciliations(
  db: Db,
  filter: ReconciliationFilter,
): Promise<ReconciliationRow[]> {
  let query = db
    .selectFrom('reconciliation')
    .selectAll()
    .where('merchant_id', '=', filter.merchantId)
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.channel !== undefined) query = query.where('channel', '=', filter.channel)
  if (filter.businessDate !== undefined) {
    query = query.where('business_date', '=', filter.businessDate)
  }
  if (filter.before !== undefined) query = query.where('id', '<', filter.before)
  return query.execute()
}

export const findReconciliation = (
  db: Db,
  merchantId: MerchantId,
  id: ReconciliationId,
): Promise<ReconciliationRow | undefined> =>
  db
    .selectFrom('reconciliation')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()

/** What a run found, by kind and subject. */
export const findDiscrepancies = (
  db: Db,
  merchantId: MerchantId,
  id: ReconciliationId,
): Promise<DiscrepancyRow[]> =>
  db
    .selectFrom('discrepancy')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('reconciliation_id', '=', id)
    .orderBy('id')
    .execute()
