import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test'
import { applyNotifications } from '#db/notification/apply-notification'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { findPayment } from '#db/payment/payment'
import { beginGrant, refuseGrant } from '#db/points/points'
import { assert } from '#domain/assert'
import { decisionsFor } from '#domain/case'
import type { CaseDecision } from '#domain/case'
import { factsOf } from '../flow/batch.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { lineUp, ordersOf } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'
import { openOperator } from './operator.ts'
import { hearWrong, notificationState, paymentRow } from './operator.ts'
import type { Operator } from './operator.ts'
import { bodyOf, eventsOf } from './told.ts'

// What a person decides about money (payment rules, section 4), by the functions behind `case resolve`.

const TIMEOUT_MS = 30_000
setDefaultTimeout(TIMEOUT_MS)

let database: TestDatabase
let desk: Desk
let operator: Operator

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)
beforeEach(async () => {
  await desk?.stop()
  desk = await openDesk(database.url)
  operator = openOperator(desk)
}, TIMEOUT_MS)
afterAll(async () => {
  await desk.stop()
  await database.drop()
})

async function expectSound(): Promise<void> {
  expect(await desk.violations()).toEqual([])
  expect(await findBrokenAudit(desk.db)).toEqual([])
}

async function closeAll({ sales, orderId }: Counter): Promise<void> {
  await wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, orderId)
  for (const { paymentId } of sales) {
    const found = await findPayment(desk.db, desk.merchantId, paymentId)
    assert(found !== undefined, 'the payment is there')
    await closeAttempt(desk.db, found.payment, 'test', new Date())
  }
  expect(await desk.orderState(orderId)).toBe('closed')
}

/** Money for a closed order, with its case. */
async function lateMoney(attempts = 1): Promise<Counter> {
  const counter = await desk.order(2000, attempts)
  await closeAll(counter)
  expect(await desk.pay(counter.first)).toBe('late')
  return counter
}

describe('late money', () => {
  test('revives its order: it counts, with points, and the second consumer looks after it', async () => {
    const { first, orderId } = await lateMoney()
    expect(await operator.resolve(first.paymentId, 'revive')).toEqual({ payment: first.paymentId })
    expect((await desk.payment(first.paymentId)).disposition).toBe('counted')
    expect(await desk.orderState(orderId)).toBe('paid')
    expect(await desk.points(orderId)).toEqual([{ kind: 'grant', state: 'pending', points: 20n }])
    expect(await desk.jobs('compensation', first.paymentId)).toBe(2)
    // The merchant hears of both: money for a closed order, then that the order is paid.
    const told = (await eventsOf(desk, orderId)).map(bodyOf)
    expect(told.map(({ type, data }) => [type, data['payment']?.['disposition']])).toEqual([
      ['payment.closed', null],
      ['payment.paid', 'late'],
      ['payment.paid', 'counted'],
    ])
    expect(told.at(-1)?.data['order']?.['state']).toBe('paid')
    await expectSound()
  })

  test('goes back, less what went back before', async () => {
    const { first, orderId } = await lateMoney()
    await desk.refund(first, 500n)
    expect(await operator.resolve(first.paymentId, 'refund')).toMatchObject({ amount: '1500' })
    expect(await desk.payment(first.paymentId)).toMatchObject({ reserved: 2000n })
    expect(await desk.orderState(orderId)).toBe('closed')
    await expectSound()
  })

  test('that is on its way back revives nothing', async () => {
    const { first, orderId } = await lateMoney()
    await desk.refund(first, 1n)
    expect(await operator.resolve(first.paymentId, 'revive')).toContain('is being refunded')
    expect(await desk.orderState(orderId)).toBe('closed')
    await expectSound()
  })

  test('revives an order once: the other attempt cannot pay it again', async () => {
    const { first, second, orderId } = await lateMoney(2)
    expect(await desk.pay(second)).toBe('late')
    await operator.resolve(first.paymentId, 'revive')
    expect(await operator.resolve(second.paymentId, 'revive')).toContain('is paid by now')
    expect((await desk.payment(second.paymentId)).disposition).toBe('late')
    expect((await desk.points(orderId)).length).toBe(1)
    expect(await operator.resolve(second.paymentId, 'refund')).toMatchObject({ amount: '2000' })
    await expectSound()
  })

  test('a second payment of a paid order goes back, and cannot revive', async () => {
    const { first, second, orderId } = await desk.order(2000, 2)
    await desk.pay(first)
    expect(await desk.pay(second)).toBe('excess')
    expect(await operator.resolve(second.paymentId, 'revive')).toBe('not_allowed')
    await operator.resolve(second.paymentId, 'refund')
    const [refund] = await desk.refunds(second.paymentId)
    expect(refund).toMatchObject({ amount: 2000n, origin: 'operator' })
    expect(await desk.orderState(orderId)).toBe('paid')
    await expectSound()
  })

  test('nothing left is nothing to send back', async () => {
    const { first } = await lateMoney()
    await desk.refund(first, 2000n)
    expect(await operator.resolve(first.paymentId, 'refund')).toContain('nothing')
  })
})

describe('a decision is made once', () => {
  test('however many say it at the same time', async () => {
    const { first } = await lateMoney()
    const caseId = await operator.caseOf(first.paymentId)
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => operator.decide(caseId, 'refund')),
    )
    const kinds = outcomes.map(({ kind }): string => kind).toSorted()
    expect(kinds).toEqual([...Array<string>(7).fill('already_resolved'), 'decided'])
    expect((await desk.refunds(first.paymentId)).length).toBe(1)
    expect((await operator.audited(caseId)).length).toBe(1)
    await expectSound()
  })

  test.each(ordersOf<CaseDecision>(['revive', 'refund', 'write_off']))(
    'whoever comes first of %s, %s and %s',
    async (...decisions) => {
      const { first, orderId } = await lateMoney()
      const caseId = await operator.caseOf(first.paymentId)
      const results = await lineUp(
        desk.db,
        orderId,
        decisions.map((decision) => () => operator.decide(caseId, decision)),
      )
      const kinds = results.map((result) =>
        result.status === 'fulfilled' ? result.value.kind : String(result.reason),
      )
      expect(kinds).toEqual(['decided', 'already_resolved', 'already_resolved'])
      const isRevived = decisions[0] === 'revive'
      expect(await desk.orderState(orderId)).toBe(isRevived ? 'paid' : 'closed')
      expect((await desk.refunds(first.paymentId)).length).toBe(decisions[0] === 'refund' ? 1 : 0)
      expect(await operator.audited(caseId)).toEqual([
        `ann case.${decisions[0]}: as the customer said`,
      ])
      await expectSound()
    },
  )

  test.each(ordersOf(['accept', 'callback']))(
    'beside a callback with the right amount: %s, then %s',
    async (...works) => {
      const { first, orderId } = await desk.order(2000)
      await hearWrong(desk, first, 1500n)
      const caseId = await operator.caseOf(first.paymentId)
      const [id] = await desk.store([factsOf(first)])
      assert(id !== undefined, 'one row was stored')
      const named: Readonly<Record<string, () => Promise<unknown>>> = {
        accept: () => operator.decide(caseId, 'accept'),
        callback: () => applyNotifications(desk.db, desk.deps, desk.merchantId, [id]),
      }
      const results = await lineUp(
        desk.db,
        orderId,
        works.map((work) => named[work] ?? (() => Promise.reject(new Error(work)))),
      )
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      const isAccepted = works[0] === 'accept'
      expect((await paymentRow(desk, first.paymentId)).received_amount).toBe(
        isAccepted ? 1500n : null,
      )
      expect(await notificationState(desk, id)).toBe(isAccepted ? 'quarantined' : 'applied')
      expect(await operator.caseState(caseId)).toBe(isAccepted ? 'resolved' : 'open')
      expect((await desk.points(orderId)).length).toBe(1)
      await expectSound()
    },
  )

  test.each(ordersOf(['accept', 'callback']))(
    'beside the same wrong word once more, which opens no case and waits for none: %s, then %s',
    async (...works) => {
      const { first, orderId } = await desk.order(2000)
      await hearWrong(desk, first, 1500n)
      const caseId = await operator.caseOf(first.paymentId)
      const [id] = await desk.store([{ ...factsOf(first), amountMinor: 1500n }])
      assert(id !== undefined, 'one row was stored')
      const named: Readonly<Record<string, () => Promise<unknown>>> = {
        accept: () => operator.decide(caseId, 'accept'),
        callback: () => applyNotifications(desk.db, desk.deps, desk.merchantId, [id]),
      }
      const results = await lineUp(
        desk.db,
        orderId,
        works.map((work) => named[work] ?? (() => Promise.reject(new Error(work)))),
      )
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      expect(await desk.orderState(orderId)).toBe('paid')
      expect(await desk.cases(first.paymentId)).toEqual(['amount_differs'])
      expect(await operator.caseState(caseId)).toBe('resolved')
      await expectSound()
    },
  )

  test('and only as its kind allows; every kind can be kept open or written off', async () => {
    const { first } = await lateMoney()
    const caseId = await operator.caseOf(first.paymentId)
    expect(await operator.decide(caseId, 'accept')).toEqual({
      kind: 'not_allowed',
      caseKind: 'late_payment',
      allowed: ['keep_open', 'write_off', 'revive', 'refund'],
    })
    expect(decisionsFor('constructor')).toEqual(['keep_open', 'write_off'])
    expect(decisionsFor('refund_exceeds')).toEqual(['keep_open', 'write_off'])
  })
})

test('OR-04 news of an unknown payment is judged anew when its payment has turned up', async () => {
  const { first, orderId } = await desk.order(2000)
  const [id] = await desk.store([factsOf(first)])
  assert(id !== undefined, 'one row was stored')
  // As after a restore from a backup that was older than the payment.
  await desk.hidePayment(first.paymentId, async () => {
    await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
  })
  await operator.resolve(first.paymentId, 'retry')
  expect(await desk.jobs('order-status', id)).toBe(2)
  await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
  expect(await desk.orderState(orderId)).toBe('paid')
  await expectSound()
})

test('points that were refused are asked for again under the same key', async () => {
  const counter = await desk.order(2000)
  await desk.pay(counter.first)
  const { id } = await desk.db
    .selectFrom('points_grant')
    .select('id')
    .where('order_id', '=', counter.orderId)
    .executeTakeFirstOrThrow()
  const grant = await beginGrant(desk.db, desk.merchantId, id, new Date())
  assert(grant !== undefined, 'the grant is to be sent')
  await refuseGrant(desk.db, grant, 'other values are stored')
  expect(await operator.resolve(grant.id, 'retry')).toEqual({ grant: grant.id, points: '20' })
  expect(await desk.points(counter.orderId)).toEqual([
    { kind: 'grant', state: 'pending', points: 20n },
  ])
  expect(await desk.jobs('points-award', grant.id)).toBe(2)
  await expectSound()
})
