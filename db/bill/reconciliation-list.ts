import type { Selectable } from 'kysely'
import type { DiscrepancyId, MerchantId, ReconciliationId } from '#domain/id'
import type { DiscrepancyState } from '#domain/state'
import type { Db } from '../database.ts'
import type { DiscrepancyRow } from './discrepancy.ts'
import type { DiscrepancyKind } from '#domain/discrepancy'
import type { Schema } from '../schema.ts'

/** A run with the merchant number whose bill it compared. */
export type ReconciliationRow = Selectable<Schema['reconciliation']> & {
  readonly vendor_merchant: string
  readonly mode: 'live' | 'test'
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
  let query = runsOf(db, filter.merchantId).orderBy('r.id', 'desc').limit(filter.limit)
  if (filter.channel !== undefined) query = query.where('r.channel', '=', filter.channel)
  if (filter.businessDate !== undefined) {
    query = query.where('r.business_date', '=', filter.businessDate)
  }
  if (filter.before !== undefined) query = query.where('r.id', '<', filter.before)
  return query.execute()
}

export const findReconciliation = (
  db: Db,
  merchantId: MerchantId,
  id: ReconciliationId,
): Promise<ReconciliationRow | undefined> =>
  runsOf(db, merchantId).where('r.id', '=', id).executeTakeFirst()

/** Whether no later version has compared the day again, and taken over what this one found. */
export async function isLastVersion(db: Db, run: ReconciliationRow): Promise<boolean> {
  const later = await db
    .selectFrom('reconciliation')
    .select('id')
    .where('merchant_id', '=', run.merchant_id)
    .where('vendor_merchant_id', '=', run.vendor_merchant_id)
    .where('business_date', '=', run.business_date)
    .where('version', '>', run.version)
    .limit(1)
    .executeTakeFirst()
  return later === undefined
}

const runsOf = (db: Db, merchantId: MerchantId) =>
  db
    .selectFrom('reconciliation as r')
    .innerJoin('vendor_merchant as v', (join) =>
      join.onRef('v.merchant_id', '=', 'r.merchant_id').onRef('v.id', '=', 'r.vendor_merchant_id'),
    )
    .selectAll('r')
    .select(['v.number as vendor_merchant', 'v.mode'])
    .where('r.merchant_id', '=', merchantId)

/** Without a merchant those of all are found: operators decide for the whole installation. */
export interface DiscrepancyFilter {
  readonly merchantId?: MerchantId | undefined
  readonly reconciliationId?: ReconciliationId | undefined
  readonly state?: DiscrepancyState | undefined
  readonly kind?: DiscrepancyKind | undefined
  /** The last id of the page before. */
  readonly after?: DiscrepancyId | undefined
  readonly limit: number
}

/** What runs have found, by their ids: no order of time, but one that pages can follow. */
export function findDiscrepancies(db: Db, filter: DiscrepancyFilter): Promise<DiscrepancyRow[]> {
  const { merchantId, reconciliationId, state, kind, after } = filter
  let query = db.selectFrom('discrepancy').selectAll().orderBy('id').limit(filter.limit)
  if (merchantId !== undefined) query = query.where('merchant_id', '=', merchantId)
  if (reconciliationId !== undefined) {
    query = query.where('reconciliation_id', '=', reconciliationId)
  }
  if (state !== undefined) query = query.where('state', '=', state)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (after !== undefined) query = query.where('id', '>', after)
  return query.execute()
}

/** A discrepancy by its id alone, for operators. */
export const findDiscrepancyById = (
  db: Db,
  id: DiscrepancyId,
): Promise<DiscrepancyRow | undefined> =>
  db.selectFrom('discrepancy').selectAll().where('id', '=', id).executeTakeFirst()
