import type { ChannelAccountId } from '#domain/id'
import type { KeyPurpose } from '#domain/key'
import type { Secret } from '#domain/secret'

/** The time in which something may be used; without an end it never ends. */
export interface Validity {
  readonly validFrom?: Date
  readonly validUntil?: Date
}

/** One key or certificate of an account, unsealed. PEM text, or the raw symmetric key. */
export interface AccountKey extends Validity {
  readonly purpose: KeyPurpose
  readonly serial: string
  readonly value: Secret
}

/** A channel account as a strategy sees it. `settings` are checked by the strategy's own schema. */
export interface Account {
  readonly id: ChannelAccountId
  readonly strategy: string
  readonly settings: unknown
  readonly keys: readonly AccountKey[]
}

export const keysOf = (keys: readonly AccountKey[], purpose: KeyPurpose): readonly AccountKey[] =>
  keys.filter((key) => key.purpose === purpose)

/** Keys of one purpose with what was made of each; without those that cannot be read. */
export const importKeys = <Key>(
  keys: readonly AccountKey[],
  purpose: KeyPurpose,
  read: (text: string) => Key | undefined,
): ReadonlyMap<AccountKey, Key> =>
  new Map(
    keysOf(keys, purpose).flatMap((item) => {
      const key = read(item.value.reveal())
      return key === undefined ? [] : [[item, key]]
    }),
  )

export const isUnexpired = ({ validUntil }: Validity, now: Date): boolean =>
  validUntil === undefined || now < validUntil

/** Those that have not ended: those in force first, the newest of them leading; then those yet to come. */
export function currentKeys<Item extends Validity>(
  items: Iterable<Item>,
  now: Date,
): readonly Item[] {
  const startOf = ({ validFrom }: Validity): number => validFrom?.getTime() ?? 0
  const rank = (item: Validity): number => (startOf(item) <= now.getTime() ? 0 : 1)
  return Array.from(items)
    .filter((item) => isUnexpired(item, now))
    .toSorted((a, b) => rank(a) - rank(b) || startOf(b) - startOf(a))
}
