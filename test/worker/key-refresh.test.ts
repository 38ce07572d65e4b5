import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Cron } from 'croner'
import { sql } from 'kysely'
import type { ChannelAccountId } from '#domain/id'
import { systemClock } from '#domain/time'
import { KEY_REFRESH_PATTERN, startWorker } from '#worker/start'
import type { WorkerOptions } from '#worker/deps'
import type { Worker } from '#worker/start'
import { keepLog } from '../gateway/logged.ts'
import { addWechatPay, startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 30_000
const HOURS_12_MS = 12 * 3_600_000
/** Nothing listens there. */
const AWAY = 'http://127.0.0.1:9'
const NEVER = '0 0 0 29 2 *'

let database: TestDatabase
let platform: Platform
const started: Worker[] = []

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
}, TIMEOUT_MS)

afterAll(async () => {
  for (const worker of started) await worker.stop()
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function start(changes: Partial<WorkerOptions>) {
  const { log, lines, warned } = keepLog()
  const worker = await startWorker({
    databaseUrl: database.url,
    sealKey: testSealKey(),
    pointsUrl: platform.points.url,
    publicUrl: platform.gateway.url,
    localHosts: [...platform.localHosts, new URL(AWAY).host],
    clock: systemClock,
    log,
    compensationSeconds: 3600,
    retrySeconds: 3600,
    querySeconds: 3600,
    pollingSeconds: 30,
    sweepPattern: NEVER,
    keyRefreshPattern: NEVER,
    requireDurable: false,
    ...changes,
  })
  started.push(worker)
  return { worker, lines, warned }
}

const keysOf = async (account: ChannelAccountId): Promise<string[]> => {
  const rows = await platform.db
    .selectFrom('channel_key')
    .select('serial')
    .where('channel_account_id', '=', account)
    .where('purpose', '=', 'vendor_public')
    .execute()
  return rows.map((row) => row.serial).toSorted((a, b) => a.localeCompare(b))
}

const forgetCertificate = (account: ChannelAccountId) =>
  platform.db
    .deleteFrom('channel_key')
    .where('channel_account_id', '=', account)
    .where('serial', '=', platform.keys.vendor.certificateSerial)
    .execute()

describe('wechatpay checklist 29: certificates are refreshed at least every 12 hours', () => {
  test('the pattern leaves no longer gap, on any day of the year', () => {
    const cron = new Cron(KEY_REFRESH_PATTERN, { paused: true, timezone: 'UTC' })
    const runs = cron.nextRuns(800, new Date('2026-01-01T00:00:00Z'))
    const gaps = runs.slice(1).map((run, index) => run.getTime() - (runs[index]?.getTime() ?? 0))
    expect(Math.max(...gaps)).toBe(HOURS_12_MS)
  })

  test(
    'by the clock, without a callback: the new key is there, the others stay',
    async () => {
      await forgetCertificate(platform.accountId)
      const before = await keysOf(platform.accountId)
      const { worker } = await start({ keyRefreshPattern: '* * * * * *' })
      const after = await waitFor('the certificate', async () => {
        const serials = await keysOf(platform.accountId)
        return serials.length > before.length ? serials : undefined
      })
      expect(after).toContain(platform.keys.vendor.certificateSerial)
      expect(after).toEqual(expect.arrayContaining(before))
      await worker.stop()
      started.splice(started.indexOf(worker), 1)
    },
    TIMEOUT_MS,
  )

  test(
    'a refresh that fails keeps the old keys, says so, and does not keep the others from theirs',
    async () => {
      const { db, merchantId, keys } = platform
      const away = await addWechatPay(db, merchantId, keys, AWAY, 'Vendor away')
      const before = await keysOf(away)
      expect(before.length).toBe(2)
      await forgetCertificate(platform.accountId)
      const { worker, warned } = await start({})
      expect(await worker.refreshKeys()).toEqual({ refreshed: 1, failed: 1, added: 1 })
      expect(await keysOf(away)).toEqual(before)
      expect(await keysOf(platform.accountId)).toEqual(before)
      const said = warned().map(({ msg, account }) => [msg, account])
      expect(said).toEqual([['vendor keys not refreshed; the old ones stay', away]])
      const { rows } = await sql<{ error: string | null }>`
        SELECT content ->> 'error' AS error FROM transaction_log
        WHERE kind = 'key' AND content ->> 'url' LIKE ${`${AWAY}%`}`.execute(db)
      expect(rows.map((row) => row.error?.split(':')[0])).toEqual(['connection'])
    },
    TIMEOUT_MS,
  )

  test(
    'a forged answer of the vendor brings no key',
    async () => {
      await forgetCertificate(platform.accountId)
      platform.emulator.setKnobs({ badlySignedAnswers: 1 })
      const { worker } = await start({})
      const counts = await worker.refreshKeys()
      platform.emulator.resetKnobs()
      expect(counts.added).toBe(0)
      expect(await keysOf(platform.accountId)).toEqual([platform.keys.vendor.publicKeyId])
    },
    TIMEOUT_MS,
  )
})

describe('clocks that are apart (CB-16)', () => {
  test.each([
    [50, 0],
    [-90, 1],
  ])(
    'ours %i s ahead of the vendor’s is measured, with %i alarms',
    async (ahead, alarms) => {
      const clock = { now: () => new Date(Date.now() + ahead * 1000) }
      const { worker, warned } = await start({ clock })
      expect(worker.clockSkewSeconds()).toBeUndefined()
      await worker.refreshKeys()
      await worker.refreshKeys()
      expect(Math.abs((worker.clockSkewSeconds() ?? Number.NaN) - ahead)).toBeLessThanOrEqual(2)
      const said = warned().filter((line) => line['clock_skew_s'] !== undefined)
      expect(said.length).toBe(alarms)
    },
    TIMEOUT_MS,
  )
})

describe('a schedule that fails', () => {
  test(
    'says so and runs again: the sweep and the refresh survive a database that is not there',
    async () => {
      const each = '* * * * * *'
      const { warned } = await start({ sweepPattern: each, keyRefreshPattern: each })
      await sql`ALTER TABLE channel_account RENAME TO channel_account_away`.execute(platform.db)
      await sql`ALTER TABLE points_grant RENAME TO points_grant_away`.execute(platform.db)
      const count = (text: string) => warned().filter(({ msg }) => msg === text).length
      await waitFor('two failures of each', () =>
        count('sweep failed') >= 2 && count('key refresh failed') >= 2 ? true : undefined,
      )
      await sql`ALTER TABLE points_grant_away RENAME TO points_grant`.execute(platform.db)
      await sql`ALTER TABLE channel_account_away RENAME TO channel_account`.execute(platform.db)
    },
    TIMEOUT_MS,
  )
})
