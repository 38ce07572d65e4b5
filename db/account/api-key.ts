import type { MerchantId } from '#domain/id'
import { around } from '#failpoint'
import type { Db } from '../database.ts'

/** Whose keys begin so and are good; usually one merchant. */
export async function findKeyOwners(db: Db, shownPrefix: string): Promise<readonly MerchantId[]> {
  const rows = await db
    .selectFrom('api_key')
    .select('merchant_id')
    .distinct()
    .where('shown_prefix', '=', shownPrefix)
    .where('revoked_at', 'is', null)
    .orderBy('merchant_id')
    .execute()
  return rows.map((row) => row.merchant_id)
}

/** Ends the keys of a merchant that begin so. Returns how many were good until now. */
export async function revokeKeys(
  db: Db,
  merchantId: MerchantId,
  { shownPrefix, now }: { readonly shownPrefix: string; readonly now: Date },
): Promise<number> {
  const rows = await around('api-key.revoke', () =>
    db
      .updateTable('api_key')
      .set({ revoked_at: now })
      .where('merchant_id', '=', merchantId)
      .where('shown_prefix', '=', shownPrefix)
      .where('revoked_at', 'is', null)
      .returning('id')
      .execute(),
  )
  return rows.length
}
