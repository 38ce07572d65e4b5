import type { ChannelAccountId, MerchantId } from '#domain/id'
import type { Db } from '../database.ts'

/** An account without its keys: what may be shown to an operator. */
export interface ListedAccount {
  readonly merchantId: MerchantId
  readonly merchantName: string
  readonly id: ChannelAccountId
  readonly name: string
  readonly strategy: string
  readonly vendorMerchant: string
  readonly mode: 'live' | 'test'
  readonly accepting: boolean
  readonly retired: boolean
}

const ACCOUNTS_MAX = 10_000

/** Every account of this installation, or the one of an id; the oldest first. Needs no seal key. */
export async function listAccounts(
  db: Db,
  id?: ChannelAccountId,
): Promise<readonly ListedAccount[]> {
  let query = db
    .selectFrom('channel_account as a')
    .innerJoin('merchant as m', 'm.id', 'a.merchant_id')
    .innerJoin('vendor_merchant as v', (join) =>
      join.onRef('v.merchant_id', '=', 'a.merchant_id').onRef('v.id', '=', 'a.vendor_merchant_id'),
    )
    .select([
      'a.merchant_id as merchantId',
      'm.name as merchantName',
      'a.id',
      'a.name',
      'a.strategy',
      'v.number as vendorMerchant',
      'v.mode',
      'a.accepting',
      'a.retired',
    ])
    .orderBy('a.id')
    .limit(ACCOUNTS_MAX)
  if (id !== undefined) query = query.where('a.id', '=', id)
  return query.execute()
}

/** Whether a payment of this account can still change: its callbacks are still needed. */
export async function hasOpenPayment(db: Db, account: ListedAccount): Promise<boolean> {
  const row = await db
    .selectFrom('payment')
    .select('id')
    .where('merchant_id', '=', account.merchantId)
    .where('channel_account_id', '=', account.id)
    .where('state', 'in', ['created', 'pending'])
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
