import type { ChannelAccountId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import type { Secret } from '#domain/secret'

/** One key or certificate of an account, unsealed. PEM text, or the raw symmetric key. */
export interface AccountKey {
  readonly purpose: KeyPurpose
  readonly serial: string
  readonly value: Secret
  readonly validFrom?: Date
  readonly validUntil?: Date
}

/** A channel account as a strategy sees it. `settings` are checked by the strategy's own schema. */
export interface Account {
  readonly id: ChannelAccountId
  readonly strategy: string
  readonly settings: unknown
  readonly keys: readonly AccountKey[]
}
