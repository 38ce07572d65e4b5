import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { KyselyPlugin } from 'kysely'
import { applyNotifications } from '#db/notification/apply-notification'
import type { ConfirmDeps } from '#db/payment/confirm-payment'
import { PlanChanged, confirmPayment } from '#db/payment/confirm-payment'
import type { Trx } from '#db/database'
import { jobsOf, openSender } from '#db/job'
import { parsePaymentId } from '#domain/id'
import type { PaymentFacts } from '#domain/notification'
import type { PgBoss } from 'pg-boss'
import { APPID, MCHID, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let boss: PgBoss
let deps: ConfirmDeps

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createShop(platform)
  boss = await openSender(database.url, () => undefined)
  deps = { jobs: jobsOf(boss), compensationSeconds: 60, now: () => new Date() }
}, TIMEOUT_MS)

afterAll(async () => {
  await boss.stop({ graceful: false })
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

/** A paid payment at the vendor whose callback is stored here and not yet applied. */
async function storedPayment() {
  const payment = await shop.buy()
  const outcome = platform.emulator.pay(payment.id)
  if (outcome.kind !== 'paid') throw new Error('the customer could not pay')
  await outcome.done
  const row = await platform.db
    .selectFrom('notification')
    .select('id')
    .where('payment_number', '=', payment.id)
    .executeTakeFirstOrThrow()
  return { payment, notificationId: row.id, transactionId: outcome.transactionId }
}

const factsOf = (number: string, channelPaymentId: string): PaymentFacts => ({
  kind: 'payment',
  paymentNumber: number,
  identity: { mchid: MCHID, appid: APPID },
  vendorState: 'success',
  vendorStateText: 'SUCCESS',
  channelPaymentId,
  amountMinor: 1999n,
  currency: 'CNY',
})

/** A composition with a bug: no statement locks what it reads. */
const withoutLocks: KyselyPlugin = {
  transformQuery({ node }) {
    if (node.kind !== 'SelectQueryNode') return node
    const { endModifiers: _, ...rest } = node
    return rest
  },
  transformResult: ({ result }) => Promise.resolve(result),
}

const waitForBlocked = () =>
  waitFor('a statement that waits for a lock', async () => {
    const { rows } = await sql`
      SELECT 1 FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(platform.db)
    return rows.length > 0 ? true : undefined
  })

const paidMoves = async (id: string): Promise<number> => {
  const rows = await platform.db
    .selectFrom('state_change')
    .select('at')
    .where('subject_id', '=', id)
    .where('to_state', '=', 'paid')
    .execute()
  return rows.length
}

const grantsOf = async (userId: string): Promise<number> => {
  const rows = await platform.db
    .selectFrom('points_grant')
    .select('id')
    .where('user_id', '=', userId)
    .execute()
  return rows.length
}

describe('two that confirm the same money', () => {
  test('CB-31 two workers at once: exactly one wins, one move, one grant', async () => {
    const before = await grantsOf('user-1')
    const { payment, notificationId } = await storedPayment()
    const apply = () => applyNotifications(platform.db, deps, platform.merchantId, [notificationId])
    const batches = await Promise.all([apply(), apply(), apply(), apply()])
    const counts = batches.map((batch) => batch.length)
    expect(counts.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 1])
    expect(await paidMoves(payment.id)).toBe(1)
    expect((await grantsOf('user-1')) - before).toBe(1)
  })

  // The first payment of an order has a second guard, the order's own state; the excess one has not.
  test.each(['counted', 'excess'])(
    'CB-31 where no lock holds, the old state in the condition lets one win: %s',
    async (kind) => {
      const userId = crypto.randomUUID()
      const orderNumber = crypto.randomUUID()
      const earlier = await shop.buy({ userId, orderNumber })
      const payment =
        kind === 'counted' ? earlier : await shop.buy({ userId, orderNumber, method: 'app' })
      const confirmOf = (id: string) => (trx: Trx) =>
        confirmPayment(
          trx,
          deps,
          platform.merchantId,
          [{ facts: factsOf(id, `4200${id}`), channelAccountId: platform.accountId }],
          'query',
        )
      if (kind === 'excess') await platform.db.transaction().execute(confirmOf(earlier.id))
      const confirm = confirmOf(payment.id)
      const written = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const first = platform.db.transaction().execute(async (trx) => {
        const outcomes = await confirm(trx)
        written.resolve()
        await release.promise
        return outcomes
      })
      await written.promise
      // The second one has read "pending" and decided to pay; only its UPDATE meets the first one.
      const lockless = platform.db.withPlugin(withoutLocks)
      const second = lockless.transaction().execute(confirm)
      const lost = second.then(
        () => 'paid twice',
        (error: unknown) => error,
      )
      await waitForBlocked()
      release.resolve()
      expect((await first).map(({ decision }) => decision.kind)).toEqual(['pay'])
      expect(await lost).toBeInstanceOf(PlanChanged)
      const again = await platform.db.transaction().execute(confirm)
      expect(again.map(({ decision }) => decision.kind)).toEqual(['already_paid'])
      expect((await shop.read(payment.id)).disposition).toBe(kind)
      expect(await paidMoves(payment.id)).toBe(1)
      expect(await grantsOf(userId)).toBe(1)
    },
  )

  test('F125 callback and query at once: one move, one grant', async () => {
    const before = await grantsOf('user-1')
    const { payment, notificationId, transactionId } = await storedPayment()
    const claim = {
      facts: factsOf(payment.id, transactionId),
      channelAccountId: platform.accountId,
    }
    await Promise.all([
      applyNotifications(platform.db, deps, platform.merchantId, [notificationId]),
      platform.db
        .transaction()
        .execute((trx) => confirmPayment(trx, deps, platform.merchantId, [claim], 'query')),
    ])
    expect((await shop.read(payment.id)).state).toBe('paid')
    expect(await paidMoves(payment.id)).toBe(1)
    expect((await grantsOf('user-1')) - before).toBe(1)
  })

  test('two attempts of one order: one counted, one excess with a case, one grant', async () => {
    const userId = crypto.randomUUID()
    const orderNumber = crypto.randomUUID()
    const first = await shop.buy({ orderNumber, userId })
    const second = await shop.buy({ orderNumber, userId, method: 'app' })
    const claims = [first, second].map((payment, index) => ({
      facts: factsOf(payment.id, `4200${payment.id}${index}`),
      channelAccountId: platform.accountId,
    }))
    await platform.db
      .transaction()
      .execute((trx) => confirmPayment(trx, deps, platform.merchantId, claims, 'callback'))
    const views = [await shop.read(first.id), await shop.read(second.id)]
    expect(views.map((view) => view.disposition)).toEqual(['counted', 'excess'])
    expect(await grantsOf(userId)).toBe(1)
    const cases = await platform.db
      .selectFrom('open_case')
      .select('kind')
      .where('subject', '=', second.id)
      .execute()
    expect(cases.map((row) => row.kind)).toEqual(['excess_payment'])
  })
})

describe('a handler that fails', () => {
  test('CB-03 CB-29 the raw row stays, nothing is half done, and the next run is not held up', async () => {
    const { payment, notificationId } = await storedPayment()
    const broken: ConfirmDeps = {
      ...deps,
      jobs: { send: () => Promise.reject(new Error('planted')) },
    }
    const failed = applyNotifications(platform.db, broken, platform.merchantId, [notificationId])
    expect(await failed.catch((error: unknown) => String(error))).toContain('planted')
    const row = await platform.db
      .selectFrom('notification')
      .select(['state', 'body', 'due_at'])
      .where('id', '=', notificationId)
      .executeTakeFirstOrThrow()
    expect(row.state).toBe('received')
    expect(row.body.length).toBeGreaterThan(0)
    expect(row.due_at).not.toBeNull()
    expect((await shop.read(payment.id)).state).toBe('pending')
    const again = await applyNotifications(platform.db, deps, platform.merchantId, [notificationId])
    expect(again.length).toBe(1)
    expect((await shop.read(payment.id)).state).toBe('paid')
  })

  test('F16 an error that was swallowed inside a transaction is not a commit', async () => {
    const swallowed = platform.db.transaction().execute(async (trx) => {
      await sql`SELECT 1 / 0`.execute(trx).catch(() => undefined)
    })
    expect(
      await swallowed.then(
        () => 'committed',
        () => 'refused',
      ),
    ).toBe('refused')
  })
})

describe('news that is not success', () => {
  test('CB-25 does not use up the key of the success', async () => {
    const payment = await shop.buy()
    const id = parsePaymentId(payment.id)
    expect(id).toBeDefined()
    const notYet = { ...factsOf(payment.id, '4200-none'), vendorState: 'not_yet' as const }
    const claims = [notYet, factsOf(payment.id, `4200${payment.id}`)].map((facts) => ({
      facts,
      channelAccountId: platform.accountId,
    }))
    const outcomes = await platform.db
      .transaction()
      .execute((trx) => confirmPayment(trx, deps, platform.merchantId, claims, 'callback'))
    expect(outcomes.map(({ decision }) => decision.kind)).toEqual(['ask_vendor', 'pay'])
    expect((await shop.read(payment.id)).state).toBe('paid')
  })
})
