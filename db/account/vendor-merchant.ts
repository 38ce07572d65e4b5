import type { ChannelAccountId, MerchantId, VendorMerchantId } from '#domain/id'
import type { Db } from '../database.ts'

/** An account through which a vendor merchant's bills can be asked for: the newest that is not retired. */
export async function findBillAccount(
  db: Db,
  merchantId: MerchantId,
  id: VendorMerchantId,
): Promise<ChannelAccountId | undefined> {
  const row = await db
    .selectFrom('channel_account')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('vendor_merchant_id', '=', id)
    .orderBy('retired')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}

/** Whether we have counted money of a day: then the vendor's "no business" is not believed. */
export async function hasBusiness(
  db: Db,
  merchantId: MerchantId,
  id: VendorMerchantId,
  { from, to }: { readonly from: Date; readonly to: Date },
): Promise<boolean> {
  const row = await db
    .selectFrom('payment as p')
    .innerJoin('channel_account as a', (join) =>
      join.onRef('a.merchant_id', '=', 'p.merchant_id').onRef('a.id', '=', 'p.channel_account_id'),
    )
    .select('p.id')
    .where('p.merchant_id', '=', merchantId)
    .where('a.vendor_merchant_id', '=', id)
    .where('p.state', '=', 'paid')
    .where('p.paid_at', '>=', from)
    .where('p.paid_at', '<', to)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
