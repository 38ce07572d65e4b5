import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { refuseAttempt } from '#db/payment/payment'
import type { PaymentRow } from '#db/payment/payment'
import type { Sale } from '../flow/crash/sale.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// When an order is closed (payment rules, section 4): wanted, and nothing of it can bring money any more.

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

const rowOf = (sale: Sale): Promise<PaymentRow> => desk.load(sale.paymentId)

const want = ({ orderId }: Counter) =>
  wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, orderId)

const close = async (sale: Sale): Promise<boolean> =>
  closeAttempt(desk.db, await rowOf(sale), 'test', new Date())

const refuse = async (sale: Sale): Promise<void> =>
  refuseAttempt(desk.db, await rowOf(sale), 'PARAM_ERROR', new Date())

/** As an attempt is whose creating call is still on its way. No move leads back there, so it is written. */
async function orderBeingCreated(attempts: number): Promise<Counter> {
  const counter = await desk.order(2000, attempts)
  await desk.db.transaction().execute(async (trx) => {
    await sql`SET LOCAL session_replication_role = replica`.execute(trx)
    await sql`UPDATE payment SET state = 'created' WHERE id = ${counter.first.paymentId}`.execute(
      trx,
    )
  })
  return counter
}

test('an order without an open attempt is closed at once, and asked again stays closed', async () => {
  const counter = await desk.order()
  expect(await close(counter.first)).toBe(true)
  expect(await desk.orderState(counter.orderId)).toBe('unpaid')
  expect((await want(counter))?.state).toBe('closed')
  expect((await want(counter))?.state).toBe('closed')
})

test('an attempt that is closed twice is closed once', async () => {
  const counter = await desk.order()
  expect([await close(counter.first), await close(counter.first)]).toEqual([true, false])
})

test('money in doubt keeps attempt and order open, whatever the proof', async () => {
  const counter = await desk.order()
  expect(await desk.pay(counter.first, { amountMinor: 1999n })).toBe('quarantine')
  await want(counter)
  expect(await close(counter.first)).toBe(false)
  expect(await desk.payment(counter.first.paymentId)).toMatchObject({ state: 'pending' })
  expect(await desk.orderState(counter.orderId)).toBe('unpaid')
  expect(await desk.cases(counter.first.paymentId)).toEqual(['amount_differs'])
})

test('the refusal of the last attempt ends an order that is not wanted any more', async () => {
  const counter = await orderBeingCreated(1)
  await want(counter)
  await refuse(counter.first)
  expect(await desk.payment(counter.first.paymentId)).toMatchObject({ state: 'closed' })
  expect(await desk.orderState(counter.orderId)).toBe('closed')
})

test('a refusal is told like any other close, and ends no attempt whose money is in doubt', async () => {
  const [told, doubted] = [await orderBeingCreated(1), await orderBeingCreated(1)]
  await desk.pay(doubted.first, { amountMinor: 1999n })
  for (const { first } of [told, doubted]) await refuse(first)
  expect(await closedEvents(told.first)).toBe(1)
  expect(await closedEvents(doubted.first)).toBe(0)
  expect(await desk.payment(doubted.first.paymentId)).toMatchObject({ state: 'created' })
})

async function closedEvents({ paymentId }: Sale): Promise<number> {
  const rows = await desk.db
    .selectFrom('merchant_event')
    .select('id')
    .where('type', '=', 'payment.closed')
    .where('subject', '=', paymentId)
    .execute()
  return rows.length
}

test('and ends nothing while another attempt can still be paid', async () => {
  const counter = await orderBeingCreated(2)
  await want(counter)
  await refuse(counter.first)
  expect(await desk.orderState(counter.orderId)).toBe('unpaid')
  await close(counter.second)
  expect(await desk.orderState(counter.orderId)).toBe('closed')
})
