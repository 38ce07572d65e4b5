import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { ChannelAccountId } from '#domain/id'
import { addWechatPay, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { createGenuine } from './genuine.ts'
import { startLoggedGateway } from './logged.ts'
import type { LoggedGateway } from './logged.ts'

const TIMEOUT_MS = 30_000
/** Nothing listens there: the vendor is away. */
const AWAY = 'http://127.0.0.1:9'
/** Far less than a vendor call may take: nobody waits for one. */
const ANSWERED_MS_MAX = 1000

let database: TestDatabase
let platform: Platform
let vendor: ReturnType<typeof createGenuine>

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  vendor = createGenuine(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const startGateway = (): Promise<LoggedGateway> =>
  startLoggedGateway({
    databaseUrl: database.url,
    localHosts: [new URL(AWAY).host, new URL(platform.emulator.url).host],
  })

/** An account that has never seen the vendor's certificate, only its public key. */
async function addYoungAccount(baseUrl: string, name: string): Promise<ChannelAccountId> {
  const { db, merchantId, keys } = platform
  const account = await addWechatPay(db, merchantId, keys, baseUrl, name)
  await db
    .deleteFrom('channel_key')
    .where('channel_account_id', '=', account)
    .where('serial', '=', keys.vendor.certificateSerial)
    .execute()
  return account
}

const keysOf = async (account: ChannelAccountId): Promise<string[]> => {
  const rows = await platform.db
    .selectFrom('channel_key')
    .select('serial')
    .where('channel_account_id', '=', account)
    .where('purpose', '=', 'vendor_public')
    .execute()
  return rows.map((row) => row.serial).toSorted()
}

async function timedStatus(work: Promise<Response>): Promise<number> {
  const startedAt = performance.now()
  const { status } = await work
  expect(performance.now() - startedAt).toBeLessThan(ANSWERED_MS_MAX)
  return status
}

test(
  'CB-28 with the vendor away a known serial verifies, an unknown one is refused and never stored',
  async () => {
    const gateway = await startGateway()
    const account = await addYoungAccount(AWAY, 'Vendor away')
    const before = await keysOf(account)
    const known = vendor.genuine({ number: 'known' })
    expect(await timedStatus(vendor.send(known, account, gateway.url))).toBe(200)
    expect((await vendor.rowsFor('known')).length).toBe(1)
    // Payment rules, section 2, check 5, win over the peers' "stored as pending": it is refused, and the
    // vendor repeats it; nothing of it is kept beyond the list of refused callbacks.
    for (const number of ['unknown-1', 'unknown-2', 'unknown-3']) {
      const unknown = vendor.genuine({ number, serialMode: 'certificate' })
      expect(await timedStatus(vendor.send(unknown, account, gateway.url))).toBe(401)
      expect(await vendor.rowsFor(number)).toEqual([])
    }
    const refusals = await waitFor('the refusals', async () => {
      const kept = await vendor.refusalsOf(account)
      return kept['unknown_serial'] === undefined ? undefined : kept
    })
    expect(Object.keys(refusals)).toEqual(['unknown_serial'])
    // One background refresh: it fails, says so, and leaves the keys as they were.
    const failed = await waitFor('the refresh', () => {
      const lines = gateway.warned().filter(({ msg }) => msg === 'vendor keys not refreshed')
      return lines.length > 0 ? lines : undefined
    })
    expect(failed.map((line) => line['account'])).toEqual([account])
    expect(await keysOf(account)).toEqual(before)
    const logged = await sql<{ error: string }>`
      SELECT content ->> 'error' AS error FROM transaction_log WHERE kind = 'key'
      AND content ->> 'url' LIKE ${`${AWAY}%`}`.execute(platform.db)
    expect(logged.rows.map((row) => row.error.startsWith('connection'))).toEqual([true])
    const again = vendor.genuine({ number: 'known-again' })
    expect(await timedStatus(vendor.send(again, account, gateway.url))).toBe(200)
    await gateway.stop()
  },
  TIMEOUT_MS,
)

test(
  'a new serial is fetched in the background, and the vendor’s repeat is stored',
  async () => {
    const gateway = await startGateway()
    const account = await addYoungAccount(platform.emulator.url, 'Vendor near')
    const callback = () => vendor.genuine({ number: 'new-serial', serialMode: 'certificate' })
    expect(await timedStatus(vendor.send(callback(), account, gateway.url))).toBe(401)
    await waitFor('the repeat', async () => {
      const { status } = await vendor.send(callback(), account, gateway.url)
      return status === 200 ? true : undefined
    })
    const { certificateSerial, publicKeyId } = platform.keys.vendor
    expect(await keysOf(account)).toEqual([publicKeyId, certificateSerial].toSorted())
    expect((await vendor.rowsFor('new-serial')).length).toBeGreaterThan(0)
    await gateway.stop()
  },
  TIMEOUT_MS,
)

test(
  'a refusal that cannot be kept is still a refusal, and the log says so',
  async () => {
    const gateway = await startGateway()
    await sql`ALTER TABLE rejected_callback RENAME TO rejected_callback_away`.execute(platform.db)
    const { headers, body } = vendor.genuine({ number: 'unkept' })
    const response = await vendor.send({ headers, body: `${body} ` }, undefined, gateway.url)
    expect(response.status).toBe(401)
    await waitFor('the line', () =>
      gateway.warned().find(({ msg }) => msg === 'rejected callback not kept'),
    )
    await sql`ALTER TABLE rejected_callback_away RENAME TO rejected_callback`.execute(platform.db)
    await gateway.stop()
  },
  TIMEOUT_MS,
)
