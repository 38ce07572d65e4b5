import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { CONFIRM_PAYMENTS_MAX } from '#db/payment/confirm-payment'
import { assert } from '#domain/assert'
import { runOrderStatus } from '#worker/job/order-status'
import { refundFactsOf } from '../db/desk.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { factsOf, sell, startBatch } from './batch.ts'
import { makeWorker } from './own-worker.ts'
import type { OwnWorker } from './own-worker.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let worker: OwnWorker

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  worker = await makeWorker(database.url, platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await worker.stop()
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

describe('a poison row', () => {
  test(
    'costs only itself: its neighbours are applied, the job comes back, and it can be applied later',
    async () => {
      const batch = await startBatch(database.url)
      const sales = await sell(batch, 5)
      const poison = sales[2]?.paymentId
      await sql`
        CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.id = ${sql.lit(poison)} THEN RAISE 'poison'; END IF; RETURN NEW; END $$`.execute(
        batch.db,
      )
      await sql`CREATE TRIGGER poison BEFORE UPDATE ON payment
                FOR EACH ROW EXECUTE FUNCTION poison()`.execute(batch.db)
      const job = {
        merchantId: batch.merchantId,
        notificationIds: await batch.store(sales.map(factsOf)),
      }
      const failed = await runOrderStatus(worker.deps, job).catch((error: unknown) => String(error))
      expect(failed).toContain('poison')
      expect(await batch.dispositions()).toEqual({ counted: 4 })
      expect((await batch.receivedIds()).length).toBe(1)
      await sql`DROP TRIGGER poison ON payment`.execute(batch.db)
      await runOrderStatus(worker.deps, job)
      expect(await batch.dispositions()).toEqual({ counted: 5 })
      expect(await batch.broken()).toEqual([])
      await batch.stop()
    },
    TIMEOUT_MS,
  )

  test(
    'keeps no refund news of its job from being applied, and no later part of it',
    async () => {
      const batch = await startBatch(database.url)
      const [poisoned, paid, ...others] = await sell(batch, CONFIRM_PAYMENTS_MAX + 2)
      assert(poisoned !== undefined && paid !== undefined, 'sales were made')
      const first = await batch.store([factsOf(paid)])
      await runOrderStatus(worker.deps, { merchantId: batch.merchantId, notificationIds: first })
      await sql`
        CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.id = ${sql.lit(poisoned.paymentId)} THEN RAISE 'poison'; END IF; RETURN NEW; END $$`.execute(
        batch.db,
      )
      await sql`CREATE TRIGGER never BEFORE UPDATE ON payment
                FOR EACH ROW EXECUTE FUNCTION never()`.execute(batch.db)
      const news = refundFactsOf(paid, { id: 'console-1', amount: 1n }, 'succeeded')
      const notificationIds = await batch.store([...[poisoned, ...others].map(factsOf), news])
      const job = { merchantId: batch.merchantId, notificationIds }
      const failed = await runOrderStatus(worker.deps, job).catch((error: unknown) => String(error))
      expect(failed).toContain('poison')
      expect(await batch.receivedIds()).toEqual(notificationIds.slice(0, 1))
      await sql`DROP TRIGGER never ON payment`.execute(batch.db)
      await batch.stop()
    },
    TIMEOUT_MS,
  )
})
