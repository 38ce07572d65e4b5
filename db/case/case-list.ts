import type { Selectable } from 'kysely'
import type { CaseId, MerchantId } from '#domain/id'
import type { CaseState } from '#domain/state'
import type { Db } from '../database.ts'
import type { Schema } from '../schema.ts'

export type CaseRow = Selectable<Schema['open_case']>

export interface CaseFilter {
  readonly merchantId: MerchantId
  readonly state?: CaseState | undefined
  readonly kind?: string | undefined
  readonly subject?: string | undefined
  /** The last id of the page before. */
  readonly after?: CaseId | undefined
  readonly limit: number
}

/** Cases of a merchant, the oldest first. */
export function findCases(db: Db, filter: CaseFilter): Promise<CaseRow[]> {
  let query = db
    .selectFrom('open_case')
    .selectAll()
    .where('merchant_id', '=', filter.merchantId)
    .orderBy('id')
    .limit(filter.limit)
  if (filter.state !== undefined) query = query.where('state', '=', filter.state)
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject)
  if (filter.after !== undefined) query = query.where('id', '>', filter.after)
  return query.execute()
}

/** A case of this merchant; `undefined` when there is none. */
export const findCaseOf = (
  db: Db,
  merchantId: MerchantId,
  id: CaseId,
): Promise<CaseRow | undefined> =>
  db
    .selectFrom('open_case')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()
