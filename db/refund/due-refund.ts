import type { ChannelAccountId, MerchantId } from '#domain/id'
import type { Db } from '../database.ts'

/** Whether a refund of this account has no end yet: the account is still needed to send it or to hear of it. */
export async function hasDueRefund(
  db: Db,
  account: { readonly merchantId: MerchantId; readonly id: ChannelAccountId },
): Promise<boolean> {
  const row = await db
    .selectFrom('refund')
    .select('id')
    .where('merchant_id', '=', account.merchantId)
    .where('channel_account_id', '=', account.id)
    .where('due_at', 'is not', null)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
