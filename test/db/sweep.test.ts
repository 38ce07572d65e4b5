import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { Jobs } from '#db/job'
import { sweep } from '#db/sweep'
import type { SweepCounts } from '#db/sweep'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { sell } from '../flow/batch.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

const TIMEOUT_MS = 60_000
const MINUTE_MS = 60_000
const DUE = 2500
const FINISHED = 10_000
const ROUNDS_MAX = 50

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

beforeEach(async () => {
  await sql`DELETE FROM pgboss.job`.execute(desk.db)
  await sql`UPDATE payment SET next_query_at = NULL`.execute(desk.db)
})

const runSweep = (
  now: Date,
  beforeSend: (queue: string) => Promise<void> = () => Promise.resolve(),
): Promise<SweepCounts> => {
  const jobs: Jobs = {
    async send(trx, queue, items) {
      await beforeSend(queue)
      await desk.deps.jobs.send(trx, queue, items)
    },
  }
  return sweep(desk.db, jobs, {
    now,
    overdueSince: addMs(now, -MINUTE_MS),
    nextQueryAt: addMs(now, MINUTE_MS),
  })
}

const isNothing = (counts: SweepCounts): boolean =>
  Object.values(counts).every((count) => count === 0)

/** Sweeps until nothing is due any more, as the ticks of a round do. */
async function sweepRound(now: Date): Promise<void> {
  for (let tick = 0; tick < ROUNDS_MAX; tick += 1) {
    if (isNothing(await runSweep(now))) return
  }
  throw new Error(`still something due after ${ROUNDS_MAX} sweeps`)
}

/** How often each payment was queued for a query: as many lines as there are numbers of times. */
async function queued(): Promise<readonly string[]> {
  const { rows } = await sql<{ line: string }>`
    SELECT count(*) || ' payments, ' || times || ' times' AS line FROM (
      SELECT data ->> 'paymentId' AS id, count(*) AS times FROM pgboss.job
      WHERE name = 'payment-query' GROUP BY 1) t
    GROUP BY times ORDER BY times`.execute(desk.db)
  return rows.map(({ line }) => line)
}

async function makeDue(): Promise<void> {
  await sell(desk, DUE)
  await sql`UPDATE payment SET next_query_at = now() - random() * interval '1 hour'
            WHERE merchant_id = ${desk.merchantId} AND state = 'pending'`.execute(desk.db)
}

describe('the sweeper', () => {
  test(
    'OR-09 of 2,500 due payments each is visited once per round, also while the set shrinks',
    async () => {
      await makeDue()
      const now = new Date()
      // Some are paid between the ticks of the round, as a busy vendor does it.
      await runSweep(now)
      await sql`UPDATE payment SET next_query_at = NULL WHERE id IN (
                  SELECT id FROM payment WHERE next_query_at < ${now} ORDER BY id LIMIT 100)`.execute(
        desk.db,
      )
      await sweepRound(now)
      expect(await queued()).toEqual([`${DUE - 100} payments, 1 times`])
      await sweepRound(addMs(now, 2 * MINUTE_MS))
      expect(await queued()).toEqual([`${DUE - 100} payments, 2 times`])
      await sql`DELETE FROM payment WHERE merchant_id = ${desk.merchantId}`.execute(desk.db)
    },
    TIMEOUT_MS,
  )

  test(
    'OR-10 two workers sweep together: each payment is queued once per slot',
    async () => {
      await makeDue()
      const now = new Date()
      const [here, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      // The barrier: the first worker has its rows and has not committed them.
      const first = runSweep(now, async (queue) => {
        if (queue !== 'payment-query') return
        here.resolve()
        await go.promise
      })
      await here.promise
      const second = await runSweep(now)
      go.resolve()
      expect([(await first).queries, second.queries]).toEqual([500, 500])
      expect(await queued()).toEqual(['1000 payments, 1 times'])
      await Promise.all([sweepRound(now), sweepRound(now), sweepRound(now)])
      expect(await queued()).toEqual([`${DUE} payments, 1 times`])
      await sql`DELETE FROM payment WHERE merchant_id = ${desk.merchantId}`.execute(desk.db)
    },
    TIMEOUT_MS,
  )

  test(
    'OR-15 after a restart over 10,000 finished orders nothing is sent to anybody',
    async () => {
      await finishedOrders()
      const now = addMs(new Date(), 365 * 24 * 60 * MINUTE_MS)
      expect(isNothing(await runSweep(now))).toBe(true)
      const { rows } = await sql`SELECT name FROM pgboss.job`.execute(desk.db)
      expect(rows).toEqual([])
    },
    TIMEOUT_MS,
  )
})

/** Paid, refunded and closed orders with all that belongs to them, as they lie there a year later. */
async function finishedOrders(): Promise<void> {
  const { db, merchantId, accountId } = desk
  await db.transaction().execute(async (trx) => {
    // What brought them to their states is another test's; here only the rows matter.
    await sql`SET LOCAL session_replication_role = replica`.execute(trx)
    await sql`
      INSERT INTO customer_order (merchant_id, id, order_number, user_id, amount, currency, state, paid_payment_id)
      SELECT ${merchantId}, 'oF' || n, 'F' || n, 'u', 100, 'CNY',
             (ARRAY['paid', 'refunded', 'closed'])[1 + n % 3], CASE WHEN n % 3 < 2 THEN 'pF' || n END
      FROM generate_series(1, ${FINISHED}::int) n`.execute(trx)
    await sql`
      INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, currency, subject,
                           state, vendor_request, expires_at, disposition, paid_at, channel_payment_id,
                           refund_reserved, refunded)
      SELECT ${merchantId}, 'pF' || n, 'oF' || n, ${accountId}, 'qr', 100, 'CNY', 'tea',
             CASE WHEN n % 3 < 2 THEN 'paid' ELSE 'closed' END, '{}', now(),
             CASE WHEN n % 3 < 2 THEN 'counted' END, CASE WHEN n % 3 < 2 THEN now() END, 'tF' || n,
             CASE WHEN n % 3 = 1 THEN 100 ELSE 0 END, CASE WHEN n % 3 = 1 THEN 100 ELSE 0 END
      FROM generate_series(1, ${FINISHED}::int) n`.execute(trx)
    await sql`
      INSERT INTO refund (merchant_id, id, payment_id, channel_account_id, origin, amount, currency, reason,
                          state, succeeded_at)
      SELECT merchant_id, 'rF' || id, id, channel_account_id, 'merchant', 100, 'CNY', 'test', 'succeeded', now()
      FROM payment WHERE merchant_id = ${merchantId} AND refunded = 100`.execute(trx)
    await sql`
      INSERT INTO points_grant (merchant_id, id, order_id, kind, user_id, points, idempotency_key, state)
      SELECT merchant_id, 'gF' || id, id, 'grant', 'u', 1, 'grant-' || id, 'granted'
      FROM customer_order WHERE merchant_id = ${merchantId} AND order_number LIKE 'F%' AND state <> 'closed'`.execute(
      trx,
    )
    await sql`
      INSERT INTO notification (merchant_id, id, channel_account_id, event_key, facts, facts_digest,
                                payment_number, key_serial, headers, body, state, due_at, applied_at)
      SELECT merchant_id, 'nF' || id, channel_account_id, 'evt:' || id, '{"kind":"payment"}', '', id, '1', '{}', '',
             'applied', NULL, now()
      FROM payment WHERE merchant_id = ${merchantId} AND state = 'paid'`.execute(trx)
  })
}
