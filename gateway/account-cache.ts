import type { Channel } from '#channel/channel'
import type { Registry } from '#channel/registry'
import { findAccount } from '#db/account/account'
import type { StoredAccount } from '#db/account/account'
import type { Db } from '#db/database'
import type { SealKey } from '#db/seal'
import type { ChannelAccountId } from '#domain/id'

/** An account with its strategy. */
export interface LiveAccount {
  readonly account: StoredAccount
  readonly channel: Channel
}

const FRESH_MS = 2000
const ACCOUNTS_MAX = 10_000

interface Entry {
  readonly at: number
  readonly found: Promise<LiveAccount | undefined>
}

export interface AccountCache {
  /** The account of an id, at most two seconds old; `undefined` when there is none. */
  find(id: ChannelAccountId): Promise<LiveAccount | undefined>
}

/**
 * Keeps accounts for two seconds, so that a burst of callbacks does not read the same row a thousand times.
 *
 * When the database does not answer, the last known account serves on: verifying needs no database, and
 * the commit decides.
 */
export function createAccountCache(
  db: Db,
  sealKey: SealKey,
  registry: Registry,
  nowMs: () => number,
): AccountCache {
  const entries = new Map<ChannelAccountId, Entry>()

  async function load(id: ChannelAccountId): Promise<LiveAccount | undefined> {
    const account = await findAccount(db, sealKey, id)
    if (account === undefined) return undefined
    return { account, channel: registry.get(account, account.version) }
  }

  function find(id: ChannelAccountId): Promise<LiveAccount | undefined> {
    const entry = entries.get(id)
    if (entry !== undefined && nowMs() - entry.at < FRESH_MS) return entry.found
    if (entries.size >= ACCOUNTS_MAX) entries.clear()
    const found = load(id).catch((error: unknown) => {
      // The failure is not remembered: the next one asks the database again, and has the same to fall back on.
      if (entries.get(id)?.found === found) restore(id, entry)
      if (entry === undefined) throw error
      return entry.found
    })
    entries.set(id, { at: nowMs(), found })
    return found
  }

  function restore(id: ChannelAccountId, entry: Entry | undefined): void {
    if (entry === undefined) entries.delete(id)
    else entries.set(id, entry)
  }

  return { find }
}
