import { afterAll, beforeAll, expect, test } from 'bun:test'
import { pino } from 'pino'
import { sql } from 'kysely'
import { readMetrics } from '#db/metrics'
import { systemClock } from '#domain/time'
import { startWorker } from '#worker/start'
import type { Worker } from '#worker/start'
import { factsOf, sell, startBatch } from '../flow/batch.ts'
import type { Batch } from '../flow/batch.ts'
import { testSealKey } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

const TIMEOUT_MS = 30_000
const NEVER = '0 0 0 1 1 *'

let database: TestDatabase
let batch: Batch
let worker: Worker

beforeAll(async () => {
  database = await cloneDatabase()
  batch = await startBatch(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await worker.stop()
  await batch.stop()
  await database.drop()
}, TIMEOUT_MS)

const repairs = async () =>
  (await readMetrics(batch.db, new Date()))
    .filter(({ name }) => name === 'repairs_total')
    .map(({ label, value }) => `${label} ${value}`)

test('what a sweep feeds because its job was lost is counted, and nothing is not', async () => {
  await batch.store((await sell(batch, 3)).map(factsOf))
  await sql`DELETE FROM pgboss.job`.execute(batch.db)
  worker = await startWorker({
    databaseUrl: database.url,
    sealKey: testSealKey(),
    pointsUrl: 'http://127.0.0.1:9',
    publicUrl: 'http://127.0.0.1:9',
    localHosts: [],
    clock: systemClock,
    log: pino({ level: 'silent' }),
    compensationSeconds: 60,
    retrySeconds: 0,
    querySeconds: 3600,
    pollingSeconds: 30,
    sweepPattern: NEVER,
    requireDurable: false,
  })
  expect(await repairs()).toEqual([])
  expect((await worker.sweep()).notifications).toBe(3)
  expect(await repairs()).toEqual(['notifications 3'])
  await sql`UPDATE notification SET due_at = now() + interval '1 hour'`.execute(batch.db)
  await worker.sweep()
  expect(await repairs()).toEqual(['notifications 3'])
})
