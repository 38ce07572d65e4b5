import type { AccountKey } from '#channel/account'
import type { Channel } from '#channel/channel'
import type { Fetch } from '#channel/http'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import type { ChannelAccountId } from '#domain/id'
import { newChannelAccountId } from '#domain/id'
import type { Clock } from '#domain/time'
import { Secret } from '#domain/secret'
import type { BenchAccount } from './vendor/vendor.ts'

/** An account as it is stored, without its row. */
export interface KeyedAccount {
  readonly strategy: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly keys: readonly AccountKey[]
}

export const withSecrets = (account: BenchAccount): KeyedAccount => ({
  ...account,
  keys: account.keys.map((key) => ({ ...key, value: new Secret(key.value) })),
})

export interface ChannelWish {
  readonly clock: Clock
  readonly fetch: Fetch
  readonly localHosts: readonly string[]
}

/** The channel of an account, outside of any gateway. */
export function makeChannel(
  account: KeyedAccount,
  wish: ChannelWish,
): { readonly id: ChannelAccountId; readonly channel: Channel } {
  const id = newChannelAccountId()
  const registry = createRegistry(strategies, {
    ...wish,
    newNonce: () => crypto.randomUUID().replaceAll('-', ''),
  })
  return { id, channel: registry.get({ id, ...account }, '1') }
}
