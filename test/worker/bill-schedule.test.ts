import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import pino from 'pino'
import { addDays } from '#domain/business-day'
import { addMs } from '#domain/time'
import { tickBills } from '#worker/bill-schedule'
import { startWorker } from '#worker/start'
import { openBillScene } from '../flow/bill-scene.ts'
import type { BillScene } from '../flow/bill-scene.ts'
import { waitFor } from '../support/wait.ts'
import { testSealKey } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

// RC-21: one run for each business day, none missing, whatever the clock and however many workers.

const TIMEOUT_MS = 60_000
const DAY_MS = 86_400_000
const NEVER = '0 0 0 29 2 *'

let database: TestDatabase
let scene: BillScene

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
  scene.passToDay(1, 11)
}, TIMEOUT_MS)

afterEach(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const addedDaysAgo = async (days: number): Promise<void> => {
  const account = scene.db
    .updateTable('channel_account')
    .set({ created_at: addMs(scene.now(), -days * DAY_MS) })
  await account.where('id', '=', scene.accountId).execute()
}

const dates = async (): Promise<readonly string[]> => {
  const rows = await scene.db
    .selectFrom('schedule_run')
    .select('business_date')
    .where('merchant_id', '=', scene.merchantId)
    .where('task', '=', 'bill')
    .orderBy('business_date')
    .execute()
  return rows.map((row) => row.business_date)
}

/** The days of the jobs in the order in which a worker takes them. */
async function jobDates(): Promise<readonly string[]> {
  const { rows } = await sql<{ task: string; date: string }>`
    SELECT r.task, r.business_date AS date FROM pgboss.job j
    JOIN schedule_run r ON r.id = j.data ->> 'runId'
    WHERE j.name = 'bill-download' ORDER BY j.priority DESC, j.created_on, j.id`.execute(scene.db)
  return rows.map(({ task, date }) => (task === 'bill' ? date : `${task} ${date}`))
}

/** Transaction bills before fund bills, and of each the oldest first. */
const withFunds = (days: readonly string[]): readonly string[] => [
  ...days,
  ...days.map((date) => `fund ${date}`),
]

/** So many days up to the scene's own, the oldest first. */
const lastDays = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => addDays(scene.businessDate, index - count + 1))

describe('RC-21 days that nobody has begun', () => {
  test('are found after a week of downtime and made up, the oldest first, once', async () => {
    await addedDaysAgo(7)
    expect(await tickBills(scene.deps)).toMatchObject({ planned: 7, funds: 7 })
    expect(await dates()).toEqual([...lastDays(7)])
    expect(await jobDates()).toEqual([...withFunds(lastDays(7))])
    expect(await tickBills(scene.deps)).toMatchObject({ planned: 0, funds: 0, woken: 0 })
  })

  test('are at most 90 back', async () => {
    await addedDaysAgo(200)
    expect((await tickBills(scene.deps)).planned).toBe(90)
    expect(await dates()).toEqual([...lastDays(90)])
  })

  test('are begun once by several workers that tick together, again and again', async () => {
    await addedDaysAgo(5)
    const ticks = await Promise.all(Array.from({ length: 6 }, () => tickBills(scene.deps)))
    expect(ticks.reduce((sum, { planned }) => sum + planned, 0)).toBe(5)
    expect(ticks.reduce((sum, { funds }) => sum + funds, 0)).toBe(5)
    expect(await dates()).toEqual([...lastDays(5)])
    expect((await jobDates()).toSorted()).toEqual(withFunds(lastDays(5)).toSorted())
  })

  test('are the same after the clock has jumped back and forth', async () => {
    await addedDaysAgo(3)
    await tickBills(scene.deps)
    scene.passToDay(-1, 3)
    expect((await tickBills(scene.deps)).planned).toBe(0)
    scene.passToDay(1, 11)
    expect((await tickBills(scene.deps)).planned).toBe(0)
    expect(await dates()).toEqual([...lastDays(3)])
  })

  test('are none of a retired account, and none before an account was added', async () => {
    await addedDaysAgo(1)
    await tickBills(scene.deps)
    expect(await dates()).toEqual([scene.businessDate])
    await scene.db
      .updateTable('channel_account')
      .set({ accepting: false, retired: true })
      .where('id', '=', scene.accountId)
      .execute()
    scene.passToDay(2, 11)
    expect((await tickBills(scene.deps)).planned).toBe(0)
  })

  test(
    'are found when a worker starts, long before its first tick; a day without business is done',
    async () => {
      await addedDaysAgo(3)
      const worker = await startWorker({
        databaseUrl: database.url,
        sealKey: testSealKey(),
        pointsUrl: scene.points.url,
        publicUrl: scene.gateway.url,
        localHosts: scene.localHosts,
        clock: { now: () => scene.now() },
        log: pino({ level: 'silent' }),
        compensationSeconds: 3600,
        retrySeconds: 60,
        querySeconds: 60,
        pollingSeconds: 0.5,
        sweepPattern: NEVER,
        billPattern: NEVER,
        requireDurable: false,
      })
      try {
        expect(await dates()).toEqual([...lastDays(3)])
        await waitFor('the days to be done', async () => {
          const rows = await scene.db
            .selectFrom('schedule_run')
            .select('state')
            .where('task', '=', 'bill')
            .execute()
          return rows.every(({ state }) => state === 'done') ? true : undefined
        })
        const { rows } = await sql<{
          lines: bigint
        }>`SELECT lines FROM reconciliation ORDER BY business_date`.execute(scene.db)
        expect(rows.map(({ lines }) => lines)).toEqual([0n, 0n, 0n])
      } finally {
        await worker.stop()
      }
    },
    TIMEOUT_MS,
  )
})
