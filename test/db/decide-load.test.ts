import { afterAll, beforeAll, expect, test } from 'bun:test'
import { applyNotifications } from '#db/notification/apply-notification'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { PlanChanged } from '#db/payment/confirm-payment'
import { findPayment } from '#db/payment/payment'
import { assert } from '#domain/assert'
import { decisionsFor } from '#domain/case'
import type { NotificationId } from '#domain/id'
import { factsOf } from '../flow/batch.ts'
import { createRandom } from '../flow/crash/random.ts'
import type { Random } from '../flow/crash/random.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'
import { openOperator } from './operator.ts'

// Decisions take the locks that everybody takes (payment rules, section 6): beside two workers with shuffled
// batches over the same orders there is no deadlock, and nothing is decided or paid twice.

const TIMEOUT_MS = 90_000
const ORDERS = 30
const OPERATORS = 4
const SEED = 20_260_314

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

test(
  'operators and workers over the same orders: no deadlock, each case decided once, every reservation exact',
  async () => {
    const random = createRandom(SEED)
    const ids = await makeTrouble()
    const batches = [random.shuffle(ids), random.shuffle(ids)]
    const errors: string[] = []
    await Promise.all([
      ...batches.map((all) => runWorker(all, errors)),
      ...Array.from({ length: OPERATORS }, (_, index) =>
        runOperator(createRandom(SEED + index), errors),
      ),
    ])
    expect(errors).toEqual([])
    // What came while the operators were at it has cases of its own.
    await runOperator(random, errors)
    expect(errors).toEqual([])
    expect(await desk.violations()).toEqual([])
    expect(await findBrokenAudit(desk.db)).toEqual([])
    expect(await countDecided()).toEqual({ decisions: await countResolved(), open: 0 })
  },
  TIMEOUT_MS,
)

/** A third each: late money, a paid order, a wrong amount. Returns notifications about all of their attempts. */
async function makeTrouble(): Promise<readonly NotificationId[]> {
  const counters: Counter[] = []
  for (let index = 0; index < ORDERS; index += 1) {
    const counter = await desk.order(2000, 2)
    if (index % 3 === 0) await closeAll(counter)
    await desk.pay(counter.first, index % 3 === 2 ? { amountMinor: 1500n } : {})
    counters.push(counter)
  }
  return desk.store(counters.flatMap(({ sales }) => sales.map(factsOf)))
}

async function closeAll({ sales, orderId }: Counter): Promise<void> {
  await wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, orderId)
  for (const { paymentId } of sales) {
    const found = await findPayment(desk.db, desk.merchantId, paymentId)
    assert(found !== undefined, 'the payment is there')
    await closeAttempt(desk.db, found.payment, 'test', new Date())
  }
}

const BATCH = 10

async function runWorker(ids: readonly NotificationId[], errors: string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += BATCH) {
    const batch = ids.slice(from, from + BATCH)
    await again(errors, () => applyNotifications(desk.db, desk.deps, desk.merchantId, batch))
  }
}

/** Decides what is open until nothing is. Whoever comes second is told so. */
async function runOperator(random: Random, errors: string[]): Promise<void> {
  const { decide } = openOperator(desk)
  for (;;) {
    const open = await desk.db
      .selectFrom('open_case')
      .select(['id', 'kind'])
      .where('state', '=', 'open')
      .execute()
    if (open.length === 0) return
    for (const { id, kind } of random.shuffle(open)) {
      const wanted = decisionsFor(kind).filter((decision) => decision !== 'keep_open')
      const decision = wanted[random.between(0, wanted.length - 1)]
      assert(decision !== undefined, 'every case can be written off')
      await again(errors, () => decide(id, decision))
    }
  }
}

const RERUNS_MAX = 50
/** What a worker reruns as well; a deadlock is none of them here. */
const RERUN_CODES = new Set(['55P03', '23505'])

async function again(errors: string[], work: () => Promise<unknown>): Promise<void> {
  for (let runs = 0; runs < RERUNS_MAX; runs += 1) {
    try {
      await work()
      return
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (error instanceof PlanChanged || RERUN_CODES.has(code)) continue
      errors.push(`${code} ${String(error)}`)
      return
    }
  }
  errors.push(`in vain ${RERUNS_MAX} times`)
}

async function countDecided(): Promise<{ decisions: number; open: number }> {
  const decisions = await desk.db
    .selectFrom('audit')
    .select('id')
    .where('action', 'like', 'case.%')
    .execute()
  const open = await desk.db
    .selectFrom('open_case')
    .select('id')
    .where('state', '=', 'open')
    .execute()
  return { decisions: decisions.length, open: open.length }
}

const countResolved = async (): Promise<number> =>
  (await desk.db.selectFrom('open_case').select('id').where('state', '=', 'resolved').execute())
    .length
