import { Secret } from '#domain/secret'
import type { ChannelAccountId } from '#domain/id'
import { addKeys } from './account.ts'
import type { StoredAccount } from './account.ts'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import type { SealKey } from '../seal.ts'
import { appendLog } from '../transaction-log.ts'

/** A vendor key that was downloaded and verified by the channel. */
export interface DownloadedKey {
  readonly serial: string
  readonly pem: string
  readonly validFrom: Date
  readonly validUntil: Date
}

/** Adds the vendor's current keys to an account. Older ones stay valid; returns how many are new. */
export function addVendorKeys(
  db: Db,
  sealKey: SealKey,
  account: StoredAccount,
  keys: readonly DownloadedKey[],
): Promise<number> {
  return commit(db, 'vendor-key.add', (trx) =>
    addKeys(trx, sealKey, {
      merchantId: account.merchantId,
      accountId: account.id,
      keys: keys.map(({ serial, pem, validFrom, validUntil }) => ({
        purpose: 'vendor_public',
        serial,
        value: new Secret(pem),
        validFrom,
        validUntil,
      })),
    }),
  )
}

/** Keeps what was said to the vendor about keys, also when it brought none. */
export function logKeyExchanges(
  db: Db,
  account: StoredAccount,
  exchanges: readonly object[],
): Promise<void> {
  return appendLog(
    db,
    exchanges.map((exchange) => ({
      merchantId: account.merchantId,
      channel: account.channel,
      paymentId: undefined,
      kind: 'key',
      // The answer holds the vendor's certificates, encrypted: of no use to a reader.
      content: { ...exchange, responseBody: '' },
    })),
  )
}

/** Accounts that still hear from their vendor, a page at a time, ascending from `after`. */
export async function findLiveAccounts(
  db: Db,
  after: ChannelAccountId | undefined,
  limit: number,
): Promise<readonly ChannelAccountId[]> {
  let query = db
    .selectFrom('channel_account')
    .select('id')
    .where('retired', '=', false)
    .orderBy('id')
    .limit(limit)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map((row) => row.id)
}
