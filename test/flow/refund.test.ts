import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { z } from 'zod'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import type { RefundView } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 60_000

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

/** A paid payment whose points are there. */
async function buyPaid(userId: string, amount = 1999): Promise<string> {
  const { id } = await shop.buy({ amount, userId })
  platform.emulator.pay(id)
  await shop.waitForState(id, 'paid')
  await waitFor('points', () => (platform.points.balance(userId) > 0 ? true : undefined))
  return id
}

/** The vendor's pause between two refunds of an order is a minute; the test lets it pass. */
const letPausePass = (payment: string) =>
  sql`UPDATE refund SET sent_at = sent_at - interval '2 minutes' WHERE payment_id = ${payment}`.execute(
    platform.db,
  )

const waitForRefund = (id: string, state: string): Promise<RefundView> =>
  waitFor(
    `refund ${id} ${state}`,
    async () => {
      const view = await shop.readRefund(id)
      return view.state === state ? view : undefined
    },
    TIMEOUT_MS,
  )

const problem = z.object({ code: z.string() })

describe('a refund', () => {
  test(
    'two parts are sent with their stored numbers, take points back in proportion, and refund the order',
    async () => {
      const id = await buyPaid('u-parts', 1999)
      const first = await shop.refund(id, 999)
      const done = await waitForRefund(first.id, 'succeeded')
      expect(platform.emulator.refund(first.id)).toMatchObject({ amount: 999, total: 1999 })
      expect((await shop.read(id)).order.state).toBe('partly_refunded')
      // 19 points for 19.99; 10.00 left keeps floor(19 x 1000 / 1999) = 9.
      await waitFor('10 points taken back', () =>
        platform.points.balance('u-parts') === 9 ? true : undefined,
      )
      expect(done.amount).toBe(999)
      await letPausePass(id)
      const second = await shop.refund(id, 1000)
      await waitForRefund(second.id, 'succeeded')
      expect((await shop.read(id)).order.state).toBe('refunded')
      await waitFor('no points left', () =>
        platform.points.balance('u-parts') === 0 ? true : undefined,
      )
      await waitFor('the take-back is shown', async () =>
        (await shop.readRefund(second.id)).points_taken_back === 9 ? true : undefined,
      )
    },
    TIMEOUT_MS,
  )

  test('more than is left is a 409 that says how much is left, and nothing is reserved', async () => {
    const id = await buyPaid('u-more', 500)
    const response = await shop.askRefund(id, { amount: 501 }, crypto.randomUUID())
    expect(response.status).toBe(409)
    const body: unknown = await response.json()
    expect(problem.parse(body).code).toBe('not_refundable')
    expect(JSON.stringify(body)).toContain('500 fen')
    expect(platform.emulator.refundsOf(id)).toEqual([])
  })

  test('an unpaid payment cannot be refunded', async () => {
    const { id } = await shop.buy()
    const response = await shop.askRefund(id, { amount: 1 }, crypto.randomUUID())
    expect(response.status).toBe(409)
  })
})
