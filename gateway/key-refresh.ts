import type { Logger } from 'pino'
import type { Exchange } from '#channel/http'
import type { Db } from '#db/database'
import { addVendorKeys, logKeyExchanges } from '#db/account/key-refresh'
import type { SealKey } from '#db/seal'
import type { ChannelAccountId } from '#domain/id'
import { around } from '#failpoint'
import type { LiveAccount } from './account-cache.ts'

const PAUSE_MS = 60_000
const ACCOUNTS_MAX = 10_000

/** Asks a vendor for its current keys, in the background. Never throws, never waits. */
export type RefreshKeys = (live: LiveAccount) => void

/**
 * Makes the refresh that an unknown serial triggers: once a minute per account at most.
 *
 * Anybody can send an unknown serial, so it must not become a way to make us call the vendor. The callback
 * itself is refused meanwhile; the vendor repeats it.
 */
export function createKeyRefresh(
  db: Db,
  sealKey: SealKey,
  log: Logger,
  nowMs: () => number,
): RefreshKeys {
  const startedAt = new Map<ChannelAccountId, number>()

  async function refresh({ account, channel }: LiveAccount): Promise<void> {
    const exchanges: Exchange[] = []
    try {
      const fetchKeys = channel.fetchKeys
      if (fetchKeys === undefined) return
      const keys = await around('key-refresh.fetch', () =>
        fetchKeys((exchange) => exchanges.push(exchange)),
      )
      const added = await addVendorKeys(db, sealKey, account, keys)
      log.info({ account: account.id, added }, 'vendor keys refreshed')
    } finally {
      // Of a failure as well: the first question is what the vendor said.
      await logKeyExchanges(db, account, exchanges)
    }
  }

  return (live) => {
    const { id } = live.account
    const last = startedAt.get(id)
    if (last !== undefined && nowMs() - last < PAUSE_MS) return
    if (startedAt.size >= ACCOUNTS_MAX) startedAt.clear()
    startedAt.set(id, nowMs())
    void refresh(live).catch((error: unknown) =>
      log.warn({ account: id, error: String(error) }, 'vendor keys not refreshed'),
    )
  }
}
