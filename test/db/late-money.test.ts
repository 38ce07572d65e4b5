import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { applyNotifications } from '#db/notification/apply-notification'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { confirmPayment } from '#db/payment/confirm-payment'
import { findPayment } from '#db/payment/payment'
import { assert } from '#domain/assert'
import { newPaymentId } from '#domain/id'
import type { PaymentId } from '#domain/id'
import { factsOf } from '../flow/batch.ts'
import type { Sale } from '../flow/crash/sale.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { countWaiting, lineUp, ordersOf } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// Late and double money (payment rules, section 4): stored, acknowledged, by the merchant's policy, audited.

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)
afterAll(() => database.drop())
// A merchant of its own for each test: the policy is the merchant's.
beforeEach(async () => {
  await desk?.stop()
  desk = await openDesk(database.url)
}, TIMEOUT_MS)
afterAll(() => desk.stop())

async function closeAll({ sales, orderId }: Counter): Promise<void> {
  await wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, orderId)
  for (const { paymentId } of sales) {
    const found = await findPayment(desk.db, desk.merchantId, paymentId)
    assert(found !== undefined, 'the payment is there')
    expect(await closeAttempt(desk.db, found.payment, 'test', new Date())).toBe(true)
  }
  expect(await desk.orderState(orderId)).toBe('closed')
}

const audited = async (subject: PaymentId): Promise<readonly string[]> => {
  const rows = await desk.db
    .selectFrom('audit')
    .select(['actor', 'action', 'reason'])
    .where('subject', '=', subject)
    .execute()
  expect(rows.every(({ reason }) => reason !== '')).toBe(true)
  return rows.map(({ actor, action }) => `${actor} ${action}`)
}

async function expectSound(): Promise<void> {
  expect(await desk.violations()).toEqual([])
  expect(await findBrokenAudit(desk.db)).toEqual([])
}

test('the audit is locked after every case: nobody who decides one waits in a circle', async () => {
  await desk.setPolicy('ask')
  const counter = await desk.order()
  await closeAll(counter)
  const unknown = { ...factsOf(counter.first), paymentNumber: newPaymentId() }
  const claims = [factsOf(counter.first), unknown].map((facts) => ({
    facts,
    channelAccountId: desk.accountId,
  }))
  const confirm = (facts: typeof claims) =>
    desk.db
      .transaction()
      .execute((trx) => confirmPayment(trx, desk.deps, desk.merchantId, facts, 'callback'))
  await confirm(claims.slice(1))
  let confirming: Promise<unknown> = Promise.resolve()
  // As an operator does who decides the case of the unknown payment.
  await desk.db.transaction().execute(async (trx) => {
    await trx
      .updateTable('open_case')
      .set({ state: 'resolved' })
      .where('subject', '=', unknown.paymentNumber)
      .execute()
    confirming = confirm(claims)
    await waitFor('the confirmation to come to the case', async () =>
      (await countWaiting(desk.db)) > 0 ? true : undefined,
    )
    const { rows } = await sql<{ free: boolean }>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${`audit ${desk.merchantId}`}, 0)) AS free`.execute(
      trx,
    )
    expect(rows).toEqual([{ free: true }])
  })
  await confirming
  expect(await audited(counter.first.paymentId)).toEqual(['policy late_payment.ask'])
  await expectSound()
})

describe('OR-03 a closed order that is paid', () => {
  test('revive: the order is paid, the money counts, points are given', async () => {
    await desk.setPolicy('revive')
    const counter = await desk.order()
    await closeAll(counter)
    expect(await desk.pay(counter.first)).toBe('late')
    expect((await desk.payment(counter.first.paymentId)).disposition).toBe('counted')
    expect(await desk.orderState(counter.orderId)).toBe('paid')
    expect(await desk.points(counter.orderId)).toEqual([
      { kind: 'grant', state: 'pending', points: 20n },
    ])
    expect(await audited(counter.first.paymentId)).toEqual(['policy late_payment.revive'])
    await expectSound()
  })

  test('refund: all of it goes back, the order stays closed, no points', async () => {
    await desk.setPolicy('refund')
    const counter = await desk.order()
    await closeAll(counter)
    await desk.pay(counter.first)
    const [refund] = await desk.refunds(counter.first.paymentId)
    expect(refund).toMatchObject({ origin: 'policy', state: 'requested', amount: 2000n })
    expect((await desk.payment(counter.first.paymentId)).reserved).toBe(2000n)
    expect(await desk.jobs('refund-submit', counter.first.paymentId)).toBe(0)
    expect(await desk.jobs('refund-submit', refund?.id ?? '')).toBe(1)
    expect(await desk.orderState(counter.orderId)).toBe('closed')
    expect(await desk.points(counter.orderId)).toEqual([])
    expect(await audited(counter.first.paymentId)).toEqual(['policy late_payment.refund'])
    await expectSound()
  })

  test('ask: a case, nothing else moves, and that is audited, too', async () => {
    const counter = await desk.order()
    await closeAll(counter)
    await desk.pay(counter.first)
    expect(await desk.cases(counter.first.paymentId)).toEqual(['late_payment'])
    expect(await desk.refunds(counter.first.paymentId)).toEqual([])
    expect(await desk.orderState(counter.orderId)).toBe('closed')
    expect(await audited(counter.first.paymentId)).toEqual(['policy late_payment.ask'])
    await expectSound()
  })

  test('an attempt that closed while its order is unpaid is an ordinary payment', async () => {
    const counter = await desk.order(2000, 2)
    const found = await findPayment(desk.db, desk.merchantId, counter.first.paymentId)
    assert(found !== undefined, 'the payment is there')
    await closeAttempt(desk.db, found.payment, 'test', new Date())
    expect(await desk.pay(counter.first)).toBe('counted')
    expect(await desk.orderState(counter.orderId)).toBe('paid')
  })
})

describe('OR-13 two attempts of an order are paid', () => {
  test('the second is recorded and refunded; its refund takes no points', async () => {
    await desk.setPolicy('refund')
    const counter = await desk.order(2000, 2)
    const ids = await desk.store(counter.sales.map(factsOf))
    for (const id of ids) {
      // One after the other, as they came: both are acknowledged before this, and none fails.
      expect(await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])).toHaveLength(1)
    }
    expect(await desk.receivedIds()).toEqual([])
    const [refund] = await desk.refunds(counter.second.paymentId)
    assert(refund !== undefined, 'the second payment is refunded')
    expect(refund).toMatchObject({ origin: 'policy', amount: 2000n })
    expect(await desk.jobs('refund-submit', refund.id)).toBe(1)
    await desk.markSent(refund)
    await desk.hear(refundFactsOf(counter.second, refund, 'succeeded'))
    expect(await desk.orderState(counter.orderId)).toBe('paid')
    expect((await desk.points(counter.orderId)).map(({ kind }) => kind)).toEqual(['grant'])
    expect(await audited(counter.second.paymentId)).toEqual(['policy excess_payment.refund'])
    await expectSound()
  })

  test('revive means ask here: the order is paid already', async () => {
    await desk.setPolicy('revive')
    const counter = await desk.order(2000, 2)
    await desk.pay(counter.first)
    expect(await desk.pay(counter.second)).toBe('excess')
    expect(await desk.cases(counter.second.paymentId)).toEqual(['excess_payment'])
    expect(await desk.refunds(counter.second.paymentId)).toEqual([])
    await expectSound()
  })

  test('a closed order that two attempts pay is revived once', async () => {
    await desk.setPolicy('revive')
    const counter = await desk.order(2000, 2)
    await closeAll(counter)
    const ids = await desk.store(counter.sales.map(factsOf))
    await applyNotifications(desk.db, desk.deps, desk.merchantId, ids)
    const dispositions = await Promise.all(
      counter.sales.map(async ({ paymentId }) => (await desk.payment(paymentId)).disposition),
    )
    expect(new Set(dispositions)).toEqual(new Set(['counted', 'excess']))
    expect(await desk.points(counter.orderId)).toHaveLength(1)
    await expectSound()
  })
})

describe('money rule 1: two attempts paid, in all orders of events', () => {
  const pairs = ordersOf(['callback 1', 'query 1', 'callback 2', 'query 2'])

  test(
    'side by side behind the lock: 1 grant, 1 excess refund, the order paid',
    async () => {
      await desk.setPolicy('refund')
      for (const order of pairs) {
        const counter = await desk.order(2000, 2)
        const works = await worksOf(counter)
        const ends = await lineUp(
          desk.db,
          counter.orderId,
          order.map((name) => works(name)),
        )
        expect(ends.map(({ status }) => status)).toEqual(order.map(() => 'fulfilled'))
        await expectOneOfTwo(counter, order[0]?.endsWith('1') ? counter.first : counter.second)
      }
      await expectSound()
    },
    TIMEOUT_MS,
  )

  async function worksOf({ sales }: Counter) {
    const ids = await desk.store(sales.map(factsOf))
    return (name: string) => async (): Promise<unknown> => {
      const index = Number(name.at(-1)) - 1
      const [id, sale] = [ids[index], sales[index]]
      assert(id !== undefined && sale !== undefined, 'there are two of each')
      return name.startsWith('query')
        ? desk.pay(sale)
        : applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
    }
  }

  async function expectOneOfTwo(counter: Counter, counted: Sale): Promise<void> {
    const excess = counted === counter.first ? counter.second : counter.first
    expect((await desk.payment(counted.paymentId)).disposition).toBe('counted')
    expect((await desk.payment(excess.paymentId)).disposition).toBe('excess')
    expect(await desk.orderState(counter.orderId)).toBe('paid')
    expect(await desk.points(counter.orderId)).toHaveLength(1)
    expect(await desk.refunds(counted.paymentId)).toEqual([])
    expect(await desk.refunds(excess.paymentId)).toHaveLength(1)
  }
})

describe('OR-04 nothing is ever deleted', () => {
  test('a late callback finds its closed order, and an orphan waits for a person with its row', async () => {
    const counter = await desk.order()
    await closeAll(counter)
    const orphan = { ...factsOf(counter.first), paymentNumber: 'somebody-elses-1' }
    const ids = await desk.store([factsOf(counter.first), orphan])
    await applyNotifications(desk.db, desk.deps, desk.merchantId, ids)
    expect(await desk.payment(counter.first.paymentId)).toMatchObject({ disposition: 'late' })
    expect(await desk.cases('somebody-elses-1')).toEqual(['unknown_payment'])
    const rows = await desk.db
      .selectFrom('notification')
      .select(['state', 'body'])
      .where('payment_number', '=', 'somebody-elses-1')
      .execute()
    expect(rows.map(({ state }) => state)).toEqual(['quarantined'])
    expect(rows[0]?.body.length).toBeGreaterThan(0)
  })

  test('an orphan whose payment turns up is matched when an operator lets it be applied again', async () => {
    const counter = await desk.order()
    const { paymentId } = counter.first
    const [id] = await desk.store([factsOf(counter.first)])
    assert(id !== undefined, 'one row was stored')
    // As after a restore from a backup that was older than the payment.
    await desk.hidePayment(paymentId, async () => {
      await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
      expect(await desk.cases(paymentId)).toEqual(['unknown_payment'])
    })
    await desk.db
      .updateTable('notification')
      .set({ state: 'received', quarantine_reason: null, due_at: new Date(), applied_at: null })
      .where('id', '=', id)
      .execute()
    await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
    expect(await desk.payment(paymentId)).toMatchObject({ state: 'paid', disposition: 'counted' })
  })
})
