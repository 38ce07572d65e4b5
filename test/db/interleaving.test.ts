import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { KyselyPlugin } from 'kysely'
import { applyNotifications } from '#db/notification/apply-notification'
import { confirmPayment } from '#db/payment/confirm-payment'
import type { Db } from '#db/database'
import { assert } from '#domain/assert'
import type { NotificationId } from '#domain/id'
import { factsOf } from '../flow/batch.ts'
import { createRandom, seedFrom } from '../flow/crash/random.ts'
import type { Random } from '../flow/crash/random.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

/** `npm run soak` asks for 1,000. */
const INTERLEAVINGS = Number(process.env['PINGZHANG_INTERLEAVINGS'] ?? 100)
const TIMEOUT_MS = 60_000 + 600 * INTERLEAVINGS
/** Orders at the same time: each has up to four transactions, and the pool has ten connections. */
const AT_ONCE = 2
const TURNS_MAX = 4

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

/** Lets others go first after each statement, as often as chance will have it. */
const yielding = (random: Random): KyselyPlugin => ({
  transformQuery: ({ node }) => node,
  async transformResult({ result }) {
    for (let turns = random.between(0, TURNS_MAX); turns > 0; turns -= 1) {
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    return result
  },
})

test(
  `OR-08 ${INTERLEAVINGS} randomised interleavings of callbacks and queries: one credit each`,
  async () => {
    const seed = seedFrom(process.env['PINGZHANG_SEED'])
    const random = createRandom(seed)
    const db = desk.db.withPlugin(yielding(random))
    for (let done = 0; done < INTERLEAVINGS; done += AT_ONCE) {
      const counters = await Promise.all(Array.from({ length: AT_ONCE }, () => desk.order()))
      await Promise.all(counters.map((counter) => playOne(db, counter, random)))
      for (const counter of counters) await expectOneCredit(counter, seed)
    }
    expect(await desk.violations()).toEqual([])
  },
  TIMEOUT_MS,
)

/** Two callbacks of the same success and two queries, in any order, each alone or beside the next. */
async function playOne(db: Db, counter: Counter, random: Random): Promise<void> {
  const ids = await desk.store([factsOf(counter.first), factsOf(counter.first)])
  const works = random.shuffle([
    ...ids.map((id) => () => callback(db, id)),
    () => query(db, counter),
    () => query(db, counter),
  ])
  const running: Promise<unknown>[] = []
  for (const work of works) {
    const started = work()
    running.push(started)
    if (random.between(0, 2) === 0) await started
  }
  await Promise.all(running)
}

const callback = (db: Db, id: NotificationId): Promise<unknown> =>
  applyNotifications(db, desk.deps, desk.merchantId, [id])

const query = (db: Db, { first }: Counter): Promise<unknown> => {
  const claim = { facts: factsOf(first), channelAccountId: desk.accountId }
  return db
    .transaction()
    .execute((trx) => confirmPayment(trx, desk.deps, desk.merchantId, [claim], 'query'))
}

async function expectOneCredit({ first, orderId }: Counter, seed: number): Promise<void> {
  const moves = await desk.db
    .selectFrom('state_change')
    .select('subject_kind')
    .where('subject_id', 'in', [first.paymentId, orderId])
    .where('to_state', '=', 'paid')
    .execute()
  const points = await desk.points(orderId)
  const payment = await desk.payment(first.paymentId)
  assert(payment.state === 'paid', `not paid, seed ${seed}`)
  expect({ seed, moves: moves.length, grants: points.length, credit: points[0]?.points }).toEqual({
    seed,
    moves: 2,
    grants: 1,
    credit: 20n,
  })
}
