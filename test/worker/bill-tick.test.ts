import { afterAll, beforeAll, expect, test } from 'bun:test'
import pino from 'pino'
import { sql } from 'kysely'
import { addDays, businessDateOf } from '#domain/business-day'
import { startWorker } from '#worker/start'
import type { Worker } from '#worker/start'
import { startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 60_000
const DAY_MS = 86_400_000
const DAYS_MISSED = 5
const EVERY_SECOND = '* * * * * *'
const NEVER = '0 0 0 1 1 *'

let database: TestDatabase
let platform: Platform
let workers: readonly Worker[] = []
let offsetMs = 0
const clock = { now: () => new Date(Date.now() + offsetMs) }
/** How often each of the two has planned days. */
const ticks: string[] = []

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, clock, hasWorker: false })
  await sql`UPDATE channel_account SET created_at = ${clock.now()}`.execute(platform.db)
  workers = await Promise.all(['one', 'two'].map(start))
}, TIMEOUT_MS)

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop()))
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

/** A worker with schedules of its own; the sweeper is another test's. */
function start(name: string): Promise<Worker> {
  const log = pino({ level: 'info' }, { write: (line: string) => keep(name, line) })
  return startWorker({
    databaseUrl: database.url,
    sealKey: testSealKey(),
    pointsUrl: platform.points.url,
    publicUrl: platform.gateway.url,
    localHosts: platform.localHosts,
    clock,
    log,
    compensationSeconds: 3600,
    retrySeconds: 3600,
    querySeconds: 3600,
    pollingSeconds: 0.5,
    sweepPattern: NEVER,
    keyRefreshPattern: NEVER,
    billPattern: EVERY_SECOND,
    requireDurable: false,
  })
}

function keep(name: string, line: string): void {
  if (line.includes('bills planned')) ticks.push(name)
}

const datesOf = async (): Promise<readonly string[]> => {
  const rows = await platform.db
    .selectFrom('schedule_run')
    .select('business_date')
    .where('task', '=', 'bill')
    .orderBy('business_date')
    .execute()
  return rows.map((row) => row.business_date)
}

test(
  'F91 two schedulers tick together after five days of silence: one run for each day, none twice',
  async () => {
    const first = businessDateOf(clock.now(), 24)
    expect(await datesOf()).toEqual([])
    // Noon in China of the fifth day after: every bill in between can be asked for.
    const noon = new Date(`${addDays(first, DAYS_MISSED)}T04:00:00Z`)
    offsetMs = noon.getTime() - Date.now()
    const expected = Array.from({ length: DAYS_MISSED }, (_, day) => addDays(first, day))
    await waitFor(
      'five days',
      async () => ((await datesOf()).length >= DAYS_MISSED ? true : undefined),
      TIMEOUT_MS,
    )
    // Both have ticked again since, and found nothing to add.
    const from = await secondsOfServer()
    await waitFor(
      'two more ticks of both',
      async () => ((await secondsOfServer()) - from > 2.5 ? true : undefined),
      TIMEOUT_MS,
    )
    expect(await datesOf()).toEqual(expected)
    // A fund bill has a run of its own.
    const { rows } = await sql<{ task: string; date: string; jobs: number }>`
      SELECT r.task, r.business_date AS date, count(*)::int AS jobs
      FROM pgboss.job j JOIN schedule_run r ON r.id = j.data ->> 'runId'
      WHERE j.name = 'bill-download' GROUP BY 1, 2 ORDER BY 1, 2`.execute(platform.db)
    expect(rows).toEqual(
      ['bill', 'fund'].flatMap((task) => expected.map((date) => ({ task, date, jobs: 1 }))),
    )
    expect(ticks.length).toBeGreaterThan(0)
    offsetMs += DAY_MS
    await waitFor('the sixth', async () => ((await datesOf()).length === 6 ? true : undefined))
  },
  TIMEOUT_MS,
)

async function secondsOfServer(): Promise<number> {
  const { rows } = await sql<{ at: number }>`
    SELECT extract(epoch FROM clock_timestamp())::float8 AS at`.execute(platform.db)
  return rows[0]?.at ?? 0
}
