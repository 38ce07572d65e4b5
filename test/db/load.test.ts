import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { applyNotifications } from '#db/notification/apply-notification'
import { applyRefund } from '#db/refund/apply-refund'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { findPayment } from '#db/payment/payment'
import { requestRefund } from '#db/refund/refund'
import type { NotificationId, PaymentId } from '#domain/id'
import { attemptAgain, factsOf, sell } from '../flow/batch.ts'
import { createRandom, seedFrom } from '../flow/crash/random.ts'
import type { Random } from '../flow/crash/random.ts'
import type { Sale } from '../flow/crash/sale.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Desk } from './desk.ts'

// The load of payment rules, section 6, with a bound: two workers in each other's way.

const TIMEOUT_MS = 60_000
const ORDERS = 400
const DOUBLE = ORDERS / 4
const BATCH = 300
const ROUNDS = 4
/** Single units of work beside each batch; so many of them at the same time. */
const ERRANDS = 80
const AT_ONCE = 4
const CLOSE_PERCENT = 35
/** Of these closes, as many because the order is not wanted any more. */
const WANT_PERCENT = 20

let database: TestDatabase
let desk: Desk
const pools: Db[] = []

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  await desk.setPolicy('refund')
}, TIMEOUT_MS)

afterAll(async () => {
  for (const pool of pools) await pool.destroy()
  await desk.stop()
  await database.drop()
})

/** What the workers were told, kept apart from all rows. */
interface Tally {
  readonly reserved: Map<PaymentId, bigint>
  readonly refunded: Map<PaymentId, bigint>
  readonly errors: string[]
}

interface Shop {
  readonly sales: readonly Sale[]
  readonly ids: readonly NotificationId[]
  readonly tally: Tally
}

test(
  'two workers with shuffled batches over double attempts, refunds and closes: no deadlock, nothing lost, all exact',
  async () => {
    const seed = seedFrom(process.env['PINGZHANG_SEED'])
    const random = createRandom(seed)
    const first = await sell(desk, ORDERS)
    const second = await attemptAgain(desk, first.slice(0, DOUBLE))
    const sales = [...first, ...second]
    // Each twice: a vendor repeats itself, and both workers then want the same orders.
    const ids = await desk.store(random.shuffle([...sales, ...sales].map(factsOf)))
    const tally: Tally = { reserved: new Map(), refunded: new Map(), errors: [] }
    const shop = { sales, ids, tally }
    const before = await deadlocks()
    const meet = meetingOf(2)
    await Promise.all([1, 2].map((worker) => work(shop, createRandom(seed + worker), meet)))
    const left = await desk.receivedIds()
    await applyNotifications(desk.db, desk.deps, desk.merchantId, left)
    expect({ seed, errors: tally.errors }).toEqual({ seed, errors: [] })
    expect((await deadlocks()) - before).toBe(0)
    expect(await desk.receivedIds()).toEqual([])
    const { counted = 0, excess = 0, late = 0 } = await desk.dispositions()
    expect(counted + excess + late).toBe(sales.length)
    expect({ seed, found: await desk.violations() }).toEqual({ seed, found: [] })
    expect(await findBrokenAudit(desk.db)).toEqual([])
    expect(await wrongSums(tally)).toEqual([])
    expect(await wrongPoints()).toEqual([])
    // All of it happened, or the test has tested nothing.
    expect(
      Math.min(counted, excess, late, tally.reserved.size, tally.refunded.size),
    ).toBeGreaterThan(0)
  },
  TIMEOUT_MS,
)

async function work(shop: Shop, random: Random, meet: () => Promise<void>): Promise<void> {
  const db = openDatabase(database.url, workerDatabase, () => undefined)
  pools.push(db)
  for (let round = 0; round < ROUNDS; round += 1) {
    const batch = random.shuffle(shop.ids).slice(0, BATCH)
    await meet()
    await Promise.all([
      heard(shop, () => applyNotifications(db, desk.deps, desk.merchantId, batch)),
      runErrands(db, shop, random),
    ])
  }
}

/** The barrier: whoever comes waits until all are there, round after round. */
function meetingOf(size: number): () => Promise<void> {
  let there = 0
  let all = Promise.withResolvers<void>()
  return () => {
    const { promise, resolve } = all
    there = (there + 1) % size
    if (there === 0) {
      all = Promise.withResolvers()
      resolve()
    }
    return promise
  }
}

async function runErrands(db: Db, shop: Shop, random: Random): Promise<void> {
  const errands = Array.from({ length: ERRANDS }, () => random.between(0, shop.sales.length - 1))
  for (let start = 0; start < ERRANDS; start += AT_ONCE) {
    await Promise.all(
      errands.slice(start, start + AT_ONCE).map((index) => {
        const sale = shop.sales[index]
        return sale && heard(shop, () => errand(db, shop, { sale, random }))
      }),
    )
  }
}

async function heard({ tally }: Shop, run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (error) {
    tally.errors.push(String(error))
  }
}

/** Closes an attempt, perhaps with its order, or asks for a refund and tells what became of it, perhaps twice. */
async function errand(
  db: Db,
  { tally }: Shop,
  { sale, random }: { readonly sale: Sale; readonly random: Random },
): Promise<void> {
  const { merchantId, deps } = desk
  const dice = random.between(1, 100)
  if (dice <= WANT_PERCENT) await wantOrderClosed(db, deps.jobs, merchantId, sale.orderId)
  if (dice <= CLOSE_PERCENT) {
    const found = await findPayment(db, merchantId, sale.paymentId)
    if (found !== undefined) await closeAttempt(db, found.payment, 'test', new Date())
    return
  }
  const amountMinor = BigInt(random.between(1, sale.amount))
  const asked = await requestRefund(db, deps.jobs, {
    merchantId,
    paymentId: sale.paymentId,
    amountMinor,
    reason: 'test',
    origin: 'merchant',
    now: new Date(),
  })
  if (asked.kind !== 'requested') return
  add(tally.reserved, sale.paymentId, amountMinor)
  const word = (['succeeded', 'refused', 'accepted'] as const)[random.between(0, 2)] ?? 'accepted'
  const facts = refundFactsOf(sale, asked.refund, word)
  const claim = { facts, channelAccountId: desk.accountId }
  const tell = () =>
    db.transaction().execute((trx) => applyRefund(trx, deps, merchantId, claim, 'query'))
  // The callback and the query of it come together.
  await Promise.all([tell(), tell()])
  if (word === 'refused') add(tally.reserved, sale.paymentId, -amountMinor)
  if (word === 'succeeded') add(tally.refunded, sale.paymentId, amountMinor)
}

function add(sums: Map<PaymentId, bigint>, id: PaymentId, amount: bigint): void {
  sums.set(id, (sums.get(id) ?? 0n) + amount)
}

/** Payments whose row says something else than the workers were told. Policy refunds are all still to be sent. */
async function wrongSums(tally: Tally): Promise<readonly string[]> {
  const rows = await desk.db
    .selectFrom('payment')
    .select(['id', 'disposition', 'amount', 'refund_reserved', 'refunded'])
    .where('merchant_id', '=', desk.merchantId)
    .execute()
  const wrong = rows.filter(({ id, disposition, amount, refund_reserved: reserved, refunded }) => {
    const told = tally.reserved.get(id) ?? 0n
    // A late or double payment is promised back whole in the commit that makes it paid.
    const expected = disposition === 'counted' ? told : amount
    return reserved !== expected || refunded !== (tally.refunded.get(id) ?? 0n)
  })
  return wrong.map(({ id }) => id)
}

/** Orders whose grant is not theirs, or whose take-backs are not the share of what was refunded. */
async function wrongPoints(): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    WITH lines AS (
      SELECT order_id, count(*) FILTER (WHERE kind = 'grant') AS grants,
             sum(points) FILTER (WHERE kind = 'grant') AS given,
             coalesce(sum(points) FILTER (WHERE kind = 'revoke'), 0) AS taken
      FROM points_grant WHERE merchant_id = ${desk.merchantId} GROUP BY order_id)
    SELECT o.id FROM customer_order o
    LEFT JOIN payment p ON p.merchant_id = o.merchant_id AND p.id = o.paid_payment_id
    LEFT JOIN lines l ON l.order_id = o.id
    WHERE o.merchant_id = ${desk.merchantId} AND CASE
      WHEN p.id IS NULL THEN coalesce(l.grants, 0) <> 0
      ELSE l.grants IS DISTINCT FROM 1 OR l.given <> o.amount / 100
        OR l.taken <> l.given - floor(l.given * (p.amount - p.refunded) / p.amount) END`.execute(
    desk.db,
  )
  return rows.map(({ id }) => id)
}

/** Deadlocks of this database since it was made. */
async function deadlocks(): Promise<number> {
  const { rows } = await sql<{ deadlocks: bigint }>`
    SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`.execute(desk.db)
  return Number(rows[0]?.deadlocks)
}
