import type { Exchange } from '#channel/http'
import { findAccount } from '#db/account/account'
import type { StoredAccount } from '#db/account/account'
import { addVendorKeys, findLiveAccounts, logKeyExchanges } from '#db/account/key-refresh'
import type { ChannelAccountId } from '#domain/id'
import { around } from '#failpoint'
import type { WorkerDeps } from './deps.ts'

/** Accounts that are read at a time. */
const PAGE = 100

/** What a refresh of all accounts came to. Accounts whose vendor hands out no keys are not counted. */
export interface KeyRefreshCounts {
  readonly refreshed: number
  readonly failed: number
  /** Keys that were new. */
  readonly added: number
}

type Deps = Pick<WorkerDeps, 'db' | 'sealKey' | 'registry' | 'log'>

/**
 * Asks the vendors for their current keys, account by account.
 *
 * WeChat Pay dossier, section 1.6: at least every 12 hours. A refresh that fails changes nothing: the keys
 * that we have stay, and the next account is asked. Two workers may do it at once: keys are only added.
 */
export async function refreshVendorKeys(deps: Deps): Promise<KeyRefreshCounts> {
  const counts = { refreshed: 0, failed: 0, added: 0 }
  let after: ChannelAccountId | undefined
  for (;;) {
    const ids = await findLiveAccounts(deps.db, after, PAGE)
    for (const id of ids) {
      const outcome = await refreshAccount(deps, id)
      if (outcome === 'failed') counts.failed += 1
      else if (outcome !== 'none') {
        counts.refreshed += 1
        counts.added += outcome
      }
    }
    after = ids.at(-1)
    if (after === undefined) return counts
  }
}

async function refreshAccount(
  deps: Deps,
  id: ChannelAccountId,
): Promise<number | 'none' | 'failed'> {
  try {
    const account = await findAccount(deps.db, deps.sealKey, id)
    return account === undefined ? 'none' : await refresh(deps, account)
  } catch (error) {
    // One account's bad settings or silent vendor must not keep the others from their keys.
    const message = error instanceof Error ? error.message : String(error)
    deps.log.warn({ account: id, error: message }, 'vendor keys not refreshed; the old ones stay')
    return 'failed'
  }
}

async function refresh(deps: Deps, account: StoredAccount): Promise<number | 'none'> {
  const channel = deps.registry.get(account, account.version)
  const fetchKeys = channel.fetchKeys
  if (fetchKeys === undefined) return 'none'
  const exchanges: Exchange[] = []
  try {
    const keys = await around('vendor.keys', () =>
      fetchKeys((exchange) => exchanges.push(exchange)),
    )
    return await addVendorKeys(deps.db, deps.sealKey, account, keys)
  } finally {
    // Of a failure as well: the first question is what the vendor said.
    await logKeyExchanges(deps.db, account, exchanges)
  }
}
