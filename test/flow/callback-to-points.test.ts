import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { deliveriesFor, sendForgery } from '../emulator/wechat-pay/by-number.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url })
  shop = createShop(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const pointsOf = (userId: string): Promise<number> =>
  waitFor(`points of ${userId}`, () => {
    const balance = platform.points.balance(userId)
    return balance > 0 ? balance : undefined
  })

async function casesOf(subject: string): Promise<string[]> {
  const rows = await platform.db
    .selectFrom('open_case')
    .select('kind')
    .where('subject', '=', subject)
    .execute()
  return rows.map((row) => row.kind)
}

describe('a WeChat Pay payment from code to points', () => {
  test.each([
    ['qr', 'qr_code'],
    ['jsapi', 'sdk'],
    ['mini_program', 'sdk'],
    ['h5', 'redirect'],
    ['app', 'sdk'],
  ])(
    'pays by %s and grants one point per whole yuan',
    async (method, nextAction) => {
      const userId = `user-${method}`
      const payment = await shop.buy({ method, userId, amount: 1999 })
      expect(payment.state).toBe('pending')
      expect(payment.next_action?.type).toBe(nextAction)
      platform.emulator.pay(payment.id)
      const paid = await shop.waitForState(payment.id, 'paid')
      expect(paid.disposition).toBe('counted')
      expect(paid.order.state).toBe('paid')
      expect(await pointsOf(userId)).toBe(19)
    },
    TIMEOUT_MS,
  )

  test(
    'CB-04 fifty identical callbacks at once: fifty success answers, one change, one award, one event',
    async () => {
      const userId = 'user-fifty'
      platform.emulator.setKnobs({ duplicate: 50, duplicateOrder: 'parallel' })
      const payment = await shop.buy({ userId, amount: 500 })
      const outcome = platform.emulator.pay(payment.id)
      if (outcome.kind !== 'paid') throw new Error('the emulator refused the buyer')
      await outcome.done
      platform.emulator.resetKnobs()
      const sent = deliveriesFor(platform.emulator, payment.id)
      expect(sent.length).toBe(50)
      expect(sent.every((item) => item.acknowledged)).toBe(true)
      await shop.waitForState(payment.id, 'paid')
      expect(await pointsOf(userId)).toBe(5)
      const rows = await platform.db
        .selectFrom('notification')
        .select('id')
        .where('payment_number', '=', payment.id)
        .execute()
      expect(rows.length).toBe(1)
      const moves = await platform.db
        .selectFrom('state_change')
        .select('to_state')
        .where('subject_id', '=', payment.id)
        .where('to_state', '=', 'paid')
        .execute()
      expect(moves.length).toBe(1)
      const effects = platform.points.effects().filter((effect) => effect.user_id === userId)
      expect(effects.map((effect) => effect.applied_count)).toEqual([1])
      const events = await platform.db
        .selectFrom('merchant_event as e')
        .innerJoin('customer_order as o', 'o.id', 'e.order_id')
        .select('e.type')
        .where('o.user_id', '=', userId)
        .execute()
      expect(events.map((event) => event.type)).toEqual(['payment.paid'])
    },
    TIMEOUT_MS,
  )

  test(
    'CB-05 a callback before the create response: paid, and never moved from there',
    async () => {
      platform.emulator.setKnobs({ callbackBeforeAnswer: true })
      const payment = await shop.buy({ userId: 'user-early', amount: 300 })
      platform.emulator.resetKnobs()
      const paid = await shop.waitForState(payment.id, 'paid')
      expect(paid.order.state).toBe('paid')
      expect(await pointsOf('user-early')).toBe(3)
      const changes = await platform.db
        .selectFrom('state_change')
        .select(['from_state', 'to_state'])
        .where('subject_id', '=', payment.id)
        .where('from_state', '=', 'paid')
        .execute()
      expect(changes).toEqual([])
    },
    TIMEOUT_MS,
  )

  test.each([1, -1])(
    'CB-07 CB-08 a callback %d fen off is stored, acknowledged, shown as a case, never paid',
    async (delta) => {
      platform.emulator.setKnobs({ wrongAmount: delta })
      const userId = `user-wrong-${delta}`
      const payment = await shop.buy({ userId, amount: 1000 })
      const outcome = platform.emulator.pay(payment.id)
      if (outcome.kind !== 'paid') throw new Error('the emulator refused the buyer')
      await outcome.done
      platform.emulator.resetKnobs()
      const sent = deliveriesFor(platform.emulator, payment.id)
      expect(sent.map((item) => item.acknowledged)).toEqual([true])
      await waitFor('the case', async () => {
        const kinds = await casesOf(payment.id)
        return kinds.includes('amount_differs') ? kinds : undefined
      })
      const row = await platform.db
        .selectFrom('notification')
        .select(['state', 'quarantine_reason'])
        .where('payment_number', '=', payment.id)
        .executeTakeFirstOrThrow()
      expect(row).toEqual({ state: 'quarantined', quarantine_reason: 'amount_differs' })
      const view = await shop.read(payment.id)
      expect([view.state, view.order.state]).toEqual(['pending', 'unpaid'])
      expect(platform.points.balance(userId)).toBe(0)
    },
    TIMEOUT_MS,
  )

  test(
    'finds a payment whose callbacks were all dropped by asking the vendor',
    async () => {
      platform.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
      const payment = await shop.buy({ userId: 'user-dropped', amount: 700 })
      platform.emulator.pay(payment.id)
      const paid = await shop.waitForState(payment.id, 'paid', 30_000)
      platform.emulator.resetKnobs()
      expect(paid.order.state).toBe('paid')
      expect(await pointsOf('user-dropped')).toBe(7)
    },
    TIMEOUT_MS,
  )

  test(
    'grants points once after the points system was away',
    async () => {
      platform.points.setKnobs({ mode: 'commit_then_500', times: 2 })
      const payment = await shop.buy({ userId: 'user-outage', amount: 900 })
      platform.emulator.pay(payment.id)
      await shop.waitForState(payment.id, 'paid')
      await waitFor(
        'the grant',
        async () => {
          const rows = await platform.db
            .selectFrom('points_grant')
            .select('state')
            .where('user_id', '=', 'user-outage')
            .where('state', '=', 'granted')
            .execute()
          return rows.length === 1 ? rows : undefined
        },
        30_000,
      )
      const effects = platform.points.effects().filter((effect) => effect.user_id === 'user-outage')
      expect(effects.map((effect) => [effect.points, effect.applied_count])).toEqual([[9, 1]])
    },
    TIMEOUT_MS,
  )

  test('a forged callback is refused with 401 and stores nothing', async () => {
    const payment = await shop.buy({ userId: 'user-forged' })
    const delivery = await sendForgery(platform.emulator, 'rogue_key', payment.id)
    expect(delivery.status).toBe(401)
    const rows = await platform.db
      .selectFrom('notification')
      .select('id')
      .where('payment_number', '=', payment.id)
      .execute()
    expect(rows).toEqual([])
    expect((await shop.read(payment.id)).state).toBe('pending')
  })
})
