import type { Channel } from '#channel/channel'
import { UnknownStrategy, UnusableAccount, createRegistry } from '#channel/registry'
import type { Registry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import type { StoredAccount } from '#db/account/account'
import { loadLocalHosts } from '#db/config'
import type { Context } from './context.ts'
import { Failure } from './failure.ts'

/** The channels of one command. */
export function createCommandRegistry(context: Context): Registry {
  return createRegistry(strategies, {
    clock: context.clock,
    fetch: (url, init) => fetch(url, init),
    localHosts: loadLocalHosts(context.env),
    newNonce: () => crypto.randomUUID().replaceAll('-', ''),
  })
}

/** The channel of an account, or what keeps it from being one. */
export function buildChannel(registry: Registry, account: StoredAccount): Channel {
  try {
    return registry.get(account, account.version)
  } catch (error) {
    if (error instanceof UnusableAccount || error instanceof UnknownStrategy) {
      throw new Failure('usage', error.message)
    }
    throw error
  }
}
