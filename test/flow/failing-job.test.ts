import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { Jobs } from '#db/job'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'
import { makeWorker } from './own-worker.ts'
import type { OwnWorker } from './own-worker.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let worker: OwnWorker
/** So many sends to `points-award` fail, in the middle of the transaction that makes an order paid. */
let failures = 0

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createShop(platform)
  worker = await makeWorker(database.url, platform)
  const { jobs } = worker.deps
  const failing: Jobs = {
    send(trx, queue, items) {
      if (queue !== 'points-award' || failures === 0) return jobs.send(trx, queue, items)
      failures -= 1
      return Promise.reject(new Error('planted in the handler'))
    },
  }
  await worker.start({ jobs: failing })
}, TIMEOUT_MS)

afterAll(async () => {
  await worker.stop()
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function pay(id: string): Promise<void> {
  const outcome = platform.emulator.pay(id)
  if (outcome.kind !== 'paid') throw new Error('the emulator refused the buyer')
  await outcome.done
}

interface JobRow {
  readonly state: string
  readonly retries: number
  readonly output: string | null
}

/** The order-status job that names the payment's notification. */
async function jobFor(number: string): Promise<JobRow | undefined> {
  const { rows } = await sql<JobRow>`
    SELECT j.state::text AS state, j.retry_count AS retries, j.output::text AS output
    FROM pgboss.job j JOIN notification n ON j.data -> 'notificationIds' ? n.id
    WHERE j.name = 'order-status' AND n.payment_number = ${number}`.execute(platform.db)
  return rows[0]
}

describe('a job that fails', () => {
  test(
    'CB-03 the raw row and the error remain, and the job retries until it is done',
    async () => {
      failures = 1
      const payment = await shop.buy()
      await pay(payment.id)
      const failed = await waitFor('the failure', async () => {
        const job = await jobFor(payment.id)
        return job?.state === 'retry' ? job : undefined
      })
      expect(failed.output).toContain('planted in the handler')
      const row = await platform.db
        .selectFrom('notification')
        .select(['state', 'body', 'headers', 'due_at'])
        .where('payment_number', '=', payment.id)
        .executeTakeFirstOrThrow()
      expect(row.state).toBe('received')
      expect(JSON.parse(row.body.toString()).event_type).toBe('TRANSACTION.SUCCESS')
      expect(row.headers['wechatpay-signature']).toBeDefined()
      expect(row.due_at).not.toBeNull()
      expect((await shop.read(payment.id)).state).toBe('pending')
      expect(worker.log.warned().map((line) => line['error'])).toContain('planted in the handler')
      await shop.waitForState(payment.id, 'paid', 20_000)
      const done = await waitFor('the end of the job', async () => {
        const job = await jobFor(payment.id)
        return job?.state === 'completed' ? job : undefined
      })
      expect(done.retries).toBe(1)
    },
    TIMEOUT_MS,
  )
})

describe('a mismatch', () => {
  test(
    'CB-08 is visible in the list of cases, and alerts by a line of warning',
    async () => {
      platform.emulator.setKnobs({ wrongAmount: 1 })
      const payment = await shop.buy()
      await pay(payment.id)
      const found = await waitFor('the case', () =>
        platform.db
          .selectFrom('open_case')
          .select(['kind', 'state', 'evidence'])
          .where('subject', '=', payment.id)
          .executeTakeFirst(),
      )
      expect([found.kind, found.state]).toEqual(['amount_differs', 'open'])
      expect(found.evidence['vendor_amount']).toBe('2000')
      const line = await waitFor('the alert', () =>
        worker.log.warned().find((entry) => entry['payment'] === payment.id),
      )
      expect(line.msg).toContain('a case is open')
      expect(line['reason']).toBe('amount_differs')
    },
    TIMEOUT_MS,
  )
})
