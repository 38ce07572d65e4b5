import type { KeyPurpose } from '#domain/key'
import type { Clock } from '#domain/time'
import type { Account, AccountKey } from '../account.ts'
import { importVerifyingKey } from '../crypto-native.ts'
import type { NativeVerifyingKey } from '../crypto-native.ts'
import { importSigningKey } from '../crypto.ts'
import type { SigningKey } from '../crypto.ts'
import { ChannelUnavailable } from '../http.ts'

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
  const signers = new Map<AccountKey, Promise<SigningKey>>()
  const vendors = new Map(
    account.keys
      .filter((item) => item.purpose === 'vendor_public')
      .map((item) => [item, importVerifyingKey(item.value.reveal())] as const),
  )
  return {
    apiSecret: () => first(account, 'api_secret', clock).value.reveal(),
    signer() {
      const chosen = first(account, 'merchant_private', clock)
      const existing = signers.get(chosen) ?? importSigner(chosen)
      signers.set(chosen, existing)
      return existing
    },
    verifying: () =>
      current(account, 'vendor_public', clock).flatMap((item) => {
        const key = vendors.get(item)
        return key === undefined ? [] : [{ serial: item.serial, key }]
      }),
  }
}

function first(account: Account, purpose: KeyPurpose, clock: Clock): AccountKey {
  const [chosen] = current(account, purpose, clock)
  if (chosen === undefined) throw new ChannelUnavailable(`no valid ${purpose} key`)
  return chosen
}

async function importSigner(item: AccountKey): Promise<SigningKey> {
  const key = await importSigningKey(item.value.reveal())
  if (key === undefined) throw new ChannelUnavailable('the merchant_private key is not RSA in PEM')
  return key
}

const startOf = (key: AccountKey): number => key.validFrom?.getTime() ?? 0

/** Keys that have not ended: those in force first, the newest of them leading; then those yet to come. */
function current(account: Account, purpose: KeyPurpose, clock: Clock): readonly AccountKey[] {
  const now = clock.now()
  const rank = (key: AccountKey): number => (startOf(key) <= now.getTime() ? 0 : 1)
  return account.keys
    .filter((key) => key.purpose === purpose)
    .filter((key) => key.validUntil === undefined || now < key.validUntil)
    .toSorted((a, b) => rank(a) - rank(b) || startOf(b) - startOf(a))
}
