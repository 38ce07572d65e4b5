import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { PaymentId } from '#domain/id'
import { addMs } from '#domain/time'
import { sweep } from '#db/sweep'
import { runCompensation } from '#worker/job/compensation'
import { runPointsAward } from '#worker/job/points-award'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { findViolations } from '../support/invariant.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

// Points follow money, as the points system itself sees it.

const TIMEOUT_MS = 30_000
/** Less than the five seconds that a worker waits for the points system. */
const PATIENCE_MS = 400
const quiet = new AbortController().signal

let database: TestDatabase
let scene: Scene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openScene(database.url)
}, TIMEOUT_MS)

afterEach(() => {
  scene.emulator.resetKnobs()
  scene.points.setKnobs({ mode: 'ok' })
})

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

async function linesOf(id: PaymentId) {
  const { order_id: orderId } = await scene.payment(id)
  return scene.db
    .selectFrom('points_grant')
    .selectAll()
    .where('order_id', '=', orderId)
    .orderBy('id')
    .execute()
}

/** Runs the award job of everything that waits; what fails goes back to its queue. */
async function award(id: PaymentId): Promise<readonly string[]> {
  const problems: string[] = []
  for (const { id: grantId } of await linesOf(id)) {
    const job = { merchantId: scene.merchantId, grantId }
    const shortly = AbortSignal.timeout(PATIENCE_MS)
    await runPointsAward(scene.deps, job, shortly).catch((error: unknown) =>
      problems.push(String(error)),
    )
  }
  return problems
}

async function refund(id: PaymentId, amount: number): Promise<void> {
  scene.passSeconds(61)
  const refundId = await scene.askRefund(id, amount)
  const job = { merchantId: scene.merchantId, refundId }
  await runRefundSubmit(scene.deps, job)
  await runRefundQuery(scene.deps, job)
  expect((await scene.refund(refundId)).state).toBe('succeeded')
}

const newUser = (): string => `u-${crypto.randomUUID()}`

const violations = () =>
  findViolations(scene.db, {
    acknowledged: { accountId: scene.accountId, eventKeys: [] },
    effects: scene.points.effects(),
  })

const effectsOf = (userId: string): readonly string[] =>
  scene.points
    .effects()
    .filter((effect) => effect.user_id === userId)
    .map(({ kind, points, applied_count: count }) => `${kind} ${points} x${count}`)

describe('PT-03 the points system is away after the payment was committed', () => {
  test('the order stays paid, the job comes back, and the sweeper and I2 both say that it is late', async () => {
    const userId = newUser()
    const id = await scene.buyPaid({ userId })
    scene.points.setKnobs({ mode: 'down' })
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const [problem] = await award(id)
      expect(problem).toContain('TryAgain')
      expect((await scene.order(id)).state).toBe('paid')
    }
    const [grant] = await linesOf(id)
    expect(grant?.state).toBe('sent')
    expect((await violations()).map(({ invariant }) => invariant)).toContain('I2')
    scene.passSeconds(600)
    expect(await overdueGrants()).toContain(String(grant?.id))
    scene.points.setKnobs({ mode: 'ok' })
    const grantIds = grant === undefined ? [] : [grant.id]
    await runCompensation(scene.deps, { merchantId: scene.merchantId, grantIds }, quiet)
    expect(effectsOf(userId)).toEqual(['grant 19 x1'])
    expect(await violations()).toEqual([])
  })

  test.each(['commit_then_500', 'commit_then_timeout', 'html', 'wrong_amount'] as const)(
    '%s: never given twice, and never believed',
    async (mode) => {
      const userId = newUser()
      const id = await scene.buyPaid({ userId })
      scene.points.setKnobs({ mode, times: 1 })
      await award(id)
      await award(id)
      expect(effectsOf(userId)).toEqual(['grant 19 x1'])
      const [grant] = await linesOf(id)
      // Another number is for a person: nothing tells whether the points are right.
      expect(grant?.state).toBe(mode === 'wrong_amount' ? 'refused' : 'granted')
      expect(await scene.cases(grant?.id ?? '')).toEqual(
        mode === 'wrong_amount' ? ['points_refused'] : [],
      )
    },
    TIMEOUT_MS,
  )

  async function overdueGrants(): Promise<readonly string[]> {
    const now = scene.now()
    const rows = await scene.db
      .selectFrom('points_grant')
      .select('id')
      .where('due_at', '<', addMs(now, -60_000))
      .execute()
    const counts = await sweep(scene.db, scene.deps.jobs, {
      now,
      overdueSince: addMs(now, -60_000),
      nextQueryAt: addMs(now, 60_000),
    })
    expect(counts.grants).toBe(rows.length)
    return rows.map(({ id }) => id)
  }
})

describe('PT-04 refunded before the points were given', () => {
  test('F100 in full: the points system never hears of it', async () => {
    const userId = newUser()
    const id = await scene.buyPaid({ userId })
    await refund(id, 1999)
    await award(id)
    expect(effectsOf(userId)).toEqual([])
    expect(scene.points.balance(userId)).toBe(0)
    expect(await violations()).toEqual([])
  })

  test('in part: given first, taken back after it, and the balance is never below zero on the way', async () => {
    const userId = newUser()
    const id = await scene.buyPaid({ userId })
    await refund(id, 999)
    scene.points.setKnobs({ mode: 'error_500', only: 'grant', times: 1 })
    // The grant fails at first: its take-back must not overtake it.
    await award(id)
    expect(effectsOf(userId)).toEqual([])
    await award(id)
    expect(effectsOf(userId)).toEqual(['grant 19 x1', 'revoke 10 x1'])
    expect(scene.points.balance(userId)).toBe(9)
    expect(await violations()).toEqual([])
  })
})

describe('RF-11 partial refunds', () => {
  test('the points that come back are the share of all refunds together', async () => {
    const userId = newUser()
    const id = await scene.buyPaid({ userId })
    await award(id)
    const balances: number[] = []
    for (const amount of [999, 333, 667]) {
      await refund(id, amount)
      await award(id)
      balances.push(scene.points.balance(userId))
    }
    expect(balances).toEqual([9, 6, 0])
    expect(await violations()).toEqual([])
  })

  test('the customer has spent them: a case, the balance stays, and the refund stands', async () => {
    const userId = newUser()
    const id = await scene.buyPaid({ userId })
    await award(id)
    await spend(userId, 15)
    await refund(id, 1999)
    await award(id)
    const revoke = (await linesOf(id)).find(({ kind }) => kind === 'revoke')
    expect(revoke?.state).toBe('short')
    expect(await scene.cases(revoke?.id ?? '')).toEqual(['points_short'])
    expect(scene.points.balance(userId)).toBe(4)
    expect((await scene.order(id)).state).toBe('refunded')
  })

  async function spend(userId: string, points: number): Promise<void> {
    const response = await fetch(`${scene.points.url}/revoke/spent-${userId}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: userId, points }),
    })
    expect(response.status).toBe(200)
  }
})

describe('OR-13 two attempts of one order are paid', () => {
  test('both are acknowledged; the second goes back by itself, with no points in it', async () => {
    await scene.db.updateTable('merchant').set({ late_policy: 'refund' }).execute()
    const [userId, orderNumber] = [newUser(), crypto.randomUUID()]
    const first = await scene.buy({ userId, orderNumber })
    const second = await scene.buy({ userId, orderNumber, method: 'app' })
    for (const id of [first, second]) expect(await scene.pay(id)).toBe('paid')
    for (const id of [first, second]) {
      expect(scene.emulator.deliveriesFor(id).map(({ acknowledged }) => acknowledged)).toEqual([
        true,
      ])
    }
    await scene.applyCallbacks()
    await award(first)
    const rows = await scene.db
      .selectFrom('refund')
      .selectAll()
      .where('origin', '=', 'policy')
      .execute()
    const [excess] = rows
    expect(rows).toHaveLength(1)
    if (excess === undefined) throw new Error('one refund was made')
    // The job of a wakeful worker may be lost: compensation brings the refund to its end as well.
    await runCompensation(
      scene.deps,
      { merchantId: scene.merchantId, refundIds: [excess.id] },
      quiet,
    )
    const job = { merchantId: scene.merchantId, refundId: excess.id }
    await runRefundSubmit(scene.deps, job)
    await runRefundQuery(scene.deps, job)
    expect(scene.emulator.refund(excess.id)).toMatchObject({ amount: 1999, status: 'SUCCESS' })
    expect((await scene.order(first)).state).toBe('paid')
    await award(first)
    expect(effectsOf(userId)).toEqual(['grant 19 x1'])
    expect(await violations()).toEqual([])
  })
})
