import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { applyNotifications } from '#db/notification/apply-notification'
import { setAccountFlags } from '#db/account/account'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { findUnappliedNotifications } from '#db/compensation'
import { assert } from '#domain/assert'
import type { NotificationId } from '#domain/id'
import { lineUp, ordersOf } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { factsOf } from '../flow/batch.ts'
import type { Sale } from '../flow/crash/sale.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// The races of the reliability notes, section 4.8, each in every order of its parts.

const TIMEOUT_MS = 30_000

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

type Work = () => Promise<unknown>

async function storedCallback(sale: Sale): Promise<NotificationId> {
  const [id] = await desk.store([factsOf(sale)])
  assert(id !== undefined, 'one row was stored')
  return id
}

async function callback(sale: Sale): Promise<Work> {
  const id = await storedCallback(sale)
  return () => applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
}

const close = (sale: Sale) => async (): Promise<unknown> =>
  closeAttempt(desk.db, await desk.load(sale.paymentId), 'test', new Date())

/** Runs the works behind the order's lock; none of them may fail. */
async function run({ orderId }: Counter, works: readonly Work[]): Promise<unknown[]> {
  const ends = await lineUp(desk.db, orderId, works)
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason
    return end.value
  })
}

const moves = async (id: string): Promise<readonly string[]> => {
  const { rows } = await sql<{ move: string }>`
    SELECT coalesce(from_state, '') || '>' || to_state AS move FROM state_change
    WHERE subject_id = ${id} ORDER BY at`.execute(desk.db)
  return rows.map(({ move }) => move)
}

async function expectPaidOnce({ first, orderId }: Counter): Promise<void> {
  expect(await desk.payment(first.paymentId)).toMatchObject({
    state: 'paid',
    disposition: 'counted',
  })
  expect(await desk.orderState(orderId)).toBe('paid')
  expect((await moves(first.paymentId)).filter((move) => move.endsWith('>paid'))).toHaveLength(1)
  expect(await moves(orderId)).toEqual(['>unpaid', 'unpaid>paid'])
  expect((await desk.points(orderId)).map(({ kind }) => kind)).toEqual(['grant'])
  expect(await desk.violations()).toEqual([])
}

const BOTH = ordersOf([0, 1])

describe('F125 callback PAID ∥ active query PAID', () => {
  test.each(BOTH)('one move, one grant (%p, %p)', async (...order) => {
    const counter = await desk.order()
    const works = [await callback(counter.first), () => desk.pay(counter.first)]
    await run(counter, pick(works, order))
    await expectPaidOnce(counter)
  })
})

describe('F126 callback PAID ∥ active query that says something else (stale)', () => {
  test.each(BOTH)('not paid: PAID stays (%p, %p)', async (...order) => {
    const counter = await desk.order()
    const stale = () =>
      desk.pay(counter.first, { vendorState: 'not_yet', vendorStateText: 'NOTPAY' })
    const ends = await run(counter, pick([await callback(counter.first), stale], order))
    expect(ends).toContain('ask_vendor')
    await expectPaidOnce(counter)
  })

  test('closed, read before the payment: PAID stays', async () => {
    const counter = await desk.order()
    const ends = await run(counter, [await callback(counter.first), close(counter.first)])
    expect(ends[1]).toBe(false)
    await expectPaidOnce(counter)
  })
})

describe('F127 callback PAID ∥ close by us', () => {
  test('paid first: the close changes nothing', async () => {
    const counter = await desk.order()
    const ends = await run(counter, [await callback(counter.first), close(counter.first)])
    expect(ends[1]).toBe(false)
    await expectPaidOnce(counter)
  })

  test('closed first, the order still wanted: the money is an ordinary payment', async () => {
    const counter = await desk.order()
    const ends = await run(counter, [close(counter.first), await callback(counter.first)])
    expect(ends[0]).toBe(true)
    expect(await moves(counter.first.paymentId)).toEqual([
      '>pending',
      'pending>closed',
      'closed>paid',
    ])
    await expectPaidOnce(counter)
  })

  test('closed first, the order not wanted: late, a case, no points, the order stays closed', async () => {
    const counter = await desk.order()
    const number = counter.orderId
    await wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, number)
    await run(counter, [close(counter.first), await callback(counter.first)])
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({ disposition: 'late' })
    expect(await desk.orderState(counter.orderId)).toBe('closed')
    expect(await desk.points(counter.orderId)).toEqual([])
    expect(await desk.cases(counter.first.paymentId)).toEqual(['late_payment'])
  })

  test.each(BOTH)('the merchant closes the order meanwhile (%p, %p)', async (...order) => {
    const counter = await desk.order()
    const want = () => wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, counter.orderId)
    await run(counter, pick([await callback(counter.first), want], order))
    await expectPaidOnce(counter)
    expect(await close(counter.first)()).toBe(false)
    await expectPaidOnce(counter)
  })
})

describe('F132 sweeper ∥ normal job for the same row', () => {
  test.each(BOTH)('one effect (%p, %p)', async (...order) => {
    const counter = await desk.order()
    const id = await storedCallback(counter.first)
    const normal = () => applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
    // What `compensation` does with a row that the sweeper has fed to it.
    const swept = async () => {
      const ids = await findUnappliedNotifications(desk.db, desk.merchantId, [id])
      return applyNotifications(desk.db, desk.deps, desk.merchantId, ids)
    }
    const ends = await run(counter, pick([normal, swept], order))
    expect(ends.map((end) => (Array.isArray(end) ? end.length : -1))).toEqual([1, 0])
    await expectPaidOnce(counter)
    expect(await desk.receivedIds()).toEqual([])
  })
})

describe('F135 account switched off ∥ callback', () => {
  test.each(BOTH)(
    'the payment is recorded, only new ones are refused (%p, %p)',
    async (...order) => {
      const counter = await desk.order()
      const flags = { accepting: false, retired: false }
      const off = () => setAccountFlags(desk.db, desk.merchantId, desk.accountId, flags)
      await run(counter, pick([await callback(counter.first), off], order))
      await expectPaidOnce(counter)
      await setAccountFlags(desk.db, desk.merchantId, desk.accountId, { ...flags, accepting: true })
    },
  )
})

function pick(works: readonly Work[], order: readonly number[]): readonly Work[] {
  return order.flatMap((index) => works[index] ?? [])
}
