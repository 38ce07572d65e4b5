import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { applyNotifications } from '#db/notification/apply-notification'
import { CONFIRM_PAYMENTS_MAX } from '#db/payment/confirm-payment'
import { jobsOf } from '#db/job'
import type { FailpointName } from '#domain/failpoint'
import type { NotificationId, OrderId } from '#domain/id'
import type { FailpointAction } from '../failpoint/control.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { attemptAgain, factsOf, numberWithNul, sell, startBatch, unknownPayment } from './batch.ts'
import type { Batch } from './batch.ts'
import { createRandom, seedFrom } from './crash/random.ts'
import type { Sale } from './crash/sale.ts'
import { applyBroken } from './failpoint/broken-apply.ts'

// Payment rules, section 9, number 8: a batch swallows or spreads one bad row.

const TIMEOUT_MS = 40_000
const GOOD = 297
const ROUNDS = 6

let database: TestDatabase
let batch: Batch
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-batch-'))
const control = join(directory, 'control')

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true })
  await database.drop()
})

const depsOf = ({ boss }: Batch) => ({
  jobs: jobsOf(boss),
  compensationSeconds: 3600,
  now: () => new Date(),
})

const apply = (ids: readonly NotificationId[]) =>
  applyNotifications(batch.db, depsOf(batch), batch.merchantId, ids)

/** 297 good rows, and one each of: NUL in its number, a number of another payment, an unknown order. */
async function storeThreeHundred(): Promise<readonly NotificationId[]> {
  const sales = await sell(batch, GOOD + 2)
  const facts = sales.slice(0, GOOD).map(factsOf)
  const [owner, thief] = sales.slice(GOOD).map(factsOf)
  if (owner === undefined || thief === undefined) throw new Error('two sales were left')
  // The other payment was paid long ago, under the number that the thief's callback names.
  expect(await apply(await batch.store([owner]))).toHaveLength(1)
  const bad = [
    { ...owner, paymentNumber: numberWithNul() },
    { ...thief, ...named(owner.channelPaymentId) },
    { ...owner, paymentNumber: unknownPayment() },
  ]
  const spread = [bad[0], ...facts.slice(0, 150), bad[1], ...facts.slice(150), bad[2]]
  return batch.store(spread.filter((item) => item !== undefined))
}

const named = (number: string | undefined) =>
  number === undefined ? {} : { channelPaymentId: number }

interface Counts {
  readonly applied: number
  readonly quarantined: number
  readonly received: number
  readonly paid: number
  readonly grants: number
  readonly cases: number
  readonly jobs: number
}

/** What is there of the merchant; the payment that was paid before is left out. */
async function count(): Promise<Counts> {
  const { merchantId, db } = batch
  const { rows } = await sql<Counts>`
    SELECT (SELECT count(*)::int - 1 FROM notification WHERE merchant_id = ${merchantId} AND state = 'applied') AS applied,
           (SELECT count(*)::int FROM notification WHERE merchant_id = ${merchantId} AND state = 'quarantined') AS quarantined,
           (SELECT count(*)::int FROM notification WHERE merchant_id = ${merchantId} AND state = 'received') AS received,
           (SELECT count(*)::int - 1 FROM payment WHERE merchant_id = ${merchantId} AND state = 'paid') AS paid,
           (SELECT count(*)::int - 1 FROM points_grant WHERE merchant_id = ${merchantId}) AS grants,
           (SELECT count(*)::int FROM open_case WHERE merchant_id = ${merchantId}) AS cases,
           (SELECT count(*)::int - 1 FROM pgboss.job WHERE name = 'points-award'
            AND data ->> 'merchantId' = ${merchantId}) AS jobs`.execute(db)
  const [counts] = rows
  if (counts === undefined) throw new Error('counting gave no row')
  return counts
}

const DONE: Counts = {
  applied: GOOD,
  quarantined: 3,
  received: 0,
  paid: GOOD,
  grants: GOOD,
  cases: 3,
  jobs: GOOD,
}
const NOTHING: Counts = {
  applied: 0,
  quarantined: 0,
  received: GOOD + 3,
  paid: 0,
  grants: 0,
  cases: 0,
  jobs: 0,
}

beforeEach(async () => {
  batch = await startBatch(database.url)
})
afterEach(() => batch.stop())

describe('money rule 8: 300 rows, three of them bad', () => {
  test(
    'exactly 297 are applied and 3 quarantined, each for its own reason, in one transaction',
    async () => {
      const ids = await storeThreeHundred()
      expect(ids.length).toBe(CONFIRM_PAYMENTS_MAX)
      const applied = await apply(ids)
      const reasons = applied.flatMap((row) => row.quarantineReason ?? [])
      expect(reasons.toSorted((a, b) => a.localeCompare(b))).toEqual([
        'unknown_payment',
        'unknown_payment',
        'vendor_number_taken',
      ])
      expect(await count()).toEqual(DONE)
      expect(await batch.broken()).toEqual([])
    },
    TIMEOUT_MS,
  )

  test.each<[FailpointName, FailpointAction]>([
    ['apply.commit:before', 'exit'],
    ['apply.commit:before', 'exit_later'],
    ['apply.commit:after', 'exit'],
  ])(
    'killed at COMMIT (%s, %s): all or nothing, and once after the next run',
    async (name, action) => {
      await storeThreeHundred()
      expect(await applyBroken(batch, control, [name, action])).toBe('SIGKILL')
      const after = await count()
      if (name === 'apply.commit:after') expect(after).toEqual(DONE)
      else if (action === 'exit') expect(after).toEqual(NOTHING)
      // The server had COMMIT or had it not; half of it there is not.
      else expect([DONE, NOTHING]).toContainEqual(after)
      // The server may still hold the rows of the dead one: the next run leaves them to it, and comes again.
      await waitFor('the rest', async () => {
        const left = await batch.receivedIds()
        if (left.length === 0) return true
        await apply(left)
        return undefined
      })
      expect(await count()).toEqual(DONE)
      expect(await batch.broken()).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'two workers over the same orders, both stopped half way through their locks: 0 deadlocks',
    async () => {
      const first = await sell(batch, CONFIRM_PAYMENTS_MAX)
      const second = await attemptAgain(batch, first)
      const random = createRandom(1)
      for (const round of chunks([...first.keys()], CONFIRM_PAYMENTS_MAX / ROUNDS)) {
        const pick = (sales: readonly Sale[]) =>
          sales.filter((_, index) => round.includes(index)).map(factsOf)
        const batches = [
          await batch.store(random.shuffle(pick(first))),
          await batch.store(random.shuffle(pick(second))),
        ]
        const orders = first.filter((_, index) => round.includes(index)).map((sale) => sale.orderId)
        const ends = await holding(orders.toSorted()[orders.length / 2], () =>
          Promise.allSettled(batches.map(apply)),
        )
        expect(
          ends.map((end) => (end.status === 'rejected' ? String(end.reason) : 'done')),
        ).toEqual(['done', 'done'])
      }
      const orders = CONFIRM_PAYMENTS_MAX
      expect(await batch.dispositions()).toEqual({ counted: orders, excess: orders })
      expect(await batch.broken()).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'two workers with shuffled batches over orders with two attempts: 0 deadlocks, nothing twice',
    async () => {
      const seed = seedFrom(process.env['PINGZHANG_SEED'])
      const random = createRandom(seed)
      const orders = 450
      const first = await sell(batch, orders)
      const second = await attemptAgain(batch, first)
      const facts = random.shuffle([...first, ...second].map(factsOf))
      const ids = await batch.store(facts)
      const before = await deadlocks()
      const errors: unknown[] = []
      const work = async (): Promise<void> => {
        for (const part of chunks(random.shuffle(ids), CONFIRM_PAYMENTS_MAX)) {
          await apply(part).catch((error: unknown) => errors.push(error))
        }
      }
      await Promise.all([work(), work()])
      // What one worker skipped because the other held it is done by the other.
      expect({ seed, errors: errors.map(String) }).toEqual({ seed, errors: [] })
      expect(await batch.receivedIds()).toEqual([])
      expect((await deadlocks()) - before).toBe(0)
      expect(await batch.dispositions()).toEqual({ counted: orders, excess: orders })
      expect((await count()).grants).toBe(orders - 1)
      expect(await batch.broken()).toEqual([])
    },
    TIMEOUT_MS,
  )
})

/** Runs two workers while an order is held. Whoever locks in another order then holds what the other needs. */
async function holding<T>(orderId: OrderId | undefined, run: () => Promise<T>): Promise<T> {
  const { running } = await batch.db.transaction().execute(async (trx) => {
    await sql`SELECT 1 FROM customer_order WHERE id = ${orderId} FOR UPDATE`.execute(trx)
    const started = run()
    await waitFor('both to wait', async () => ((await waiting()) === 2 ? true : undefined))
    return { running: started }
  })
  return running
}

/** Connections of this database that wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await sql`
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(batch.db)
  return rows.length
}

/** Deadlocks of this database since it was made. */
async function deadlocks(): Promise<number> {
  const { rows } = await sql<{ deadlocks: bigint }>`
    SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`.execute(batch.db)
  return Number(rows[0]?.deadlocks)
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
