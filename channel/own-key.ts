import type { KeyPurpose } from '#domain/key'
import { currentKeys, keysOf } from './account.ts'
import type { Account, AccountKey } from './account.ts'
import { importSigningKey } from './crypto.ts'
import type { SigningKey } from './crypto.ts'
import { ChannelUnavailable } from './http.ts'

/** The key of ours to use now. Throws `ChannelUnavailable` when every one has ended. */
export function currentKey(account: Account, purpose: KeyPurpose, now: Date): AccountKey {
  const [chosen] = currentKeys(keysOf(account.keys, purpose), now)
  if (chosen === undefined) throw new ChannelUnavailable(`no valid ${purpose} key`)
  return chosen
}

export type ImportSigner = (key: AccountKey) => Promise<SigningKey>

/** Imports each private key once. `pemOf` reads what the vendor's operators store. */
export function createSigners(pemOf: (text: string) => string = (text) => text): ImportSigner {
  const signers = new Map<AccountKey, Promise<SigningKey>>()
  return (item) => {
    const signer = signers.get(item) ?? importSigner(pemOf(item.value.reveal()))
    signers.set(item, signer)
    return signer
  }
}

async function importSigner(pem: string): Promise<SigningKey> {
  const key = await importSigningKey(pem)
  if (key === undefined) throw new ChannelUnavailable('the merchant_private key is not RSA')
  return key
}
