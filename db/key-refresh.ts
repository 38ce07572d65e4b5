import { Secret } from '#domain/secret'
import { addKeys } from './account.ts'
import type { StoredAccount } from './account.ts'
import type { Db } from './database.ts'
import type { SealKey } from './seal.ts'

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
  return db.transaction().execute((trx) =>
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
