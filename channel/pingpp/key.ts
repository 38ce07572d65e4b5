import type { Clock } from '#domain/time'
import { currentKeys, importKeys } from '../account.ts'
import type { Account } from '../account.ts'
import { importVerifyingKey } from '../crypto-native.ts'
import type { NativeVerifyingKey } from '../crypto-native.ts'
import type { SigningKey } from '../crypto.ts'
import { createSigners, currentKey } from '../own-key.ts'

/** One public key of the vendor. The serial is the operator's name for it: Ping++ gives none. */
export interface VendorKey {
  readonly serial: string
  readonly key: NativeVerifyingKey
}

/** The keys of one account, imported once. Which of them count is asked again at every use. */
export interface Keyring {
  /** The `sk_…` secret. Throws `ChannelUnavailable` when every one has ended. */
  apiSecret(): string
  /** Our private key. Throws `ChannelUnavailable` when every one has ended. */
  signer(): Promise<SigningKey>
  /** The vendor's keys that have not ended, the newest first: each of them may have signed. */
  verifying(): readonly VendorKey[]
}

export function createKeyring(account: Account, clock: Clock): Keyring {
  const signerOf = createSigners()
  const vendors = importKeys(account.keys, 'vendor_public', importVerifyingKey)
  return {
    apiSecret: () => currentKey(account, 'api_secret', clock.now()).value.reveal(),
    signer: async () => signerOf(currentKey(account, 'merchant_private', clock.now())),
    verifying: () =>
      currentKeys(vendors.keys(), clock.now()).flatMap((item) => {
        const key = vendors.get(item)
        return key === undefined ? [] : [{ serial: item.serial, key }]
      }),
  }
}
