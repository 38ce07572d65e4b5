import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { setAccountFlags } from '#db/account/account'
import { newChannelAccountId } from '#domain/id'
import { systemClock } from '#domain/time'
import { createAccountCache } from '#gateway/account-cache'
import { startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

const TIMEOUT_MS = 30_000
const FRESH_MS = 2000

let database: TestDatabase
let platform: Platform

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

/** A cache with a clock that the test moves. */
function makeCache() {
  let nowMs = 0
  const registry = createRegistry(strategies, {
    clock: systemClock,
    fetch: (url, init) => fetch(url, init),
    localHosts: platform.localHosts,
    newNonce: () => 'nonce',
  })
  const cache = createAccountCache(platform.db, testSealKey(), registry, () => nowMs)
  return {
    find: cache.find,
    wait(ms: number): void {
      nowMs += ms
    },
  }
}

const accept = (accepting: boolean) =>
  setAccountFlags(platform.db, platform.merchantId, platform.accountId, {
    accepting,
    retired: false,
  })

/** Takes the table away while the work is done: the database is there and does not answer. */
async function withoutDatabase<T>(work: () => Promise<T>): Promise<T> {
  await sql`ALTER TABLE channel_account RENAME TO channel_account_away`.execute(platform.db)
  try {
    return await work()
  } finally {
    await sql`ALTER TABLE channel_account_away RENAME TO channel_account`.execute(platform.db)
  }
}

describe('an account', () => {
  test('is read again when it is two seconds old, and not before', async () => {
    const cache = makeCache()
    expect((await cache.find(platform.accountId))?.account.accepting).toBe(true)
    await accept(false)
    cache.wait(FRESH_MS - 1)
    expect((await cache.find(platform.accountId))?.account.accepting).toBe(true)
    cache.wait(1)
    expect((await cache.find(platform.accountId))?.account.accepting).toBe(false)
    await accept(true)
  })

  test('serves on while the database does not answer, and is read again when it does', async () => {
    const cache = makeCache()
    const first = await cache.find(platform.accountId)
    expect(first).toBeDefined()
    await withoutDatabase(async () => {
      // Twice: the failure itself must not be what is remembered.
      for (let attempt = 0; attempt < 2; attempt += 1) {
        cache.wait(FRESH_MS)
        expect(await cache.find(platform.accountId)).toBe(first)
      }
    })
    await accept(false)
    cache.wait(FRESH_MS)
    expect((await cache.find(platform.accountId))?.account.accepting).toBe(false)
    await accept(true)
  })

  test('that was never seen is an error while the database does not answer, not "none"', async () => {
    const cache = makeCache()
    const failed = await withoutDatabase(() =>
      cache.find(platform.accountId).then(
        () => 'found',
        (error: unknown) => String(error),
      ),
    )
    expect(failed).toContain('channel_account')
    expect(await cache.find(platform.accountId)).toBeDefined()
  })

  test('of an id that nobody has is none', async () => {
    expect(await makeCache().find(newChannelAccountId())).toBeUndefined()
  })
})
