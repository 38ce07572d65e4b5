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
import { assert } from '#domain/assert'
import { factsOf } from '../flow/batch.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'
import { openOperator } from './operator.ts'
import { hearWrong, notificationState, paymentRow } from './operator.ts'
import type { Operator } from './operator.ts'

// What a person decides about a wrong amount (payment rules, section 4).

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

describe('a wrong amount that is accepted', () => {
  test('pays the order with what came: points for it, and it is what can be refunded', async () => {
    const { first, orderId } = await desk.order(2000)
    const notification = await hearWrong(desk, first, 1500n)
    const caseId = await operator.caseOf(first.paymentId)
    expect(await operator.decide(caseId, 'accept')).toMatchObject({
      kind: 'decided',
      effect: { payment: first.paymentId, received: '1500' },
    })
    expect(await paymentRow(desk, first.paymentId)).toMatchObject({
      state: 'paid',
      disposition: 'counted',
      amount: 2000n,
      received_amount: 1500n,
      money_in_doubt: false,
    })
    expect(await desk.orderState(orderId)).toBe('paid')
    expect(await desk.points(orderId)).toEqual([{ kind: 'grant', state: 'pending', points: 15n }])
    expect(await desk.jobs('points-award', desk.merchantId)).toBe(1)
    expect(await notificationState(desk, notification)).toBe('applied')
    expect(await operator.caseState(caseId)).toBe('resolved')
    expect(await operator.audited(caseId)).toEqual(['ann case.accept: as the customer said'])
    expect(await desk.ask(first, 1501n)).toEqual({ kind: 'not_refundable', availableMinor: 1500n })
    expect((await desk.ask(first, 1500n)).kind).toBe('requested')
    await expectSound()
  })

  test('is the right one from then on: the vendor may repeat it', async () => {
    const { first } = await desk.order(2000)
    await hearWrong(desk, first, 2500n)
    await operator.resolve(first.paymentId, 'accept')
    expect(await desk.pay(first, { amountMinor: 2500n })).toBe('already_paid')
    expect(await desk.pay(first)).toBe('quarantine')
    expect(await desk.ask(first, 2501n)).toEqual({ kind: 'not_refundable', availableMinor: 2500n })
  })

  test('is taken from the case where a query was the witness', async () => {
    const { first, orderId } = await desk.order(2000)
    await desk.pay(first, { amountMinor: 1n, walletPaymentId: 'w-1' })
    expect(await operator.resolve(first.paymentId, 'accept')).toMatchObject({ received: '1' })
    expect((await paymentRow(desk, first.paymentId)).wallet_payment_id).toBe('w-1')
    expect(await desk.orderState(orderId)).toBe('paid')
    await expectSound()
  })

  test('comes late where the order was closed meanwhile: then the policy decides about it', async () => {
    await desk.setPolicy('refund')
    const { first, orderId } = await desk.order(2000)
    await desk.pay(first, { amountMinor: 1500n })
    await desk.db
      .updateTable('customer_order')
      .set({ state: 'closed' })
      .where('id', '=', orderId)
      .execute()
    await operator.resolve(first.paymentId, 'accept')
    const [refund] = await desk.refunds(first.paymentId)
    expect(refund).toMatchObject({ amount: 1500n, origin: 'policy' })
    expect(await desk.points(orderId)).toEqual([])
  })

  test('is impossible once the payment is paid as agreed; nothing changes and the case stays', async () => {
    const { first } = await desk.order(2000)
    const notification = await hearWrong(desk, first, 1500n)
    expect(await desk.pay(first)).toBe('counted')
    const caseId = await operator.caseOf(first.paymentId)
    for (const decision of ['accept', 'refund'] as const) {
      expect(await operator.resolve(first.paymentId, decision)).toContain('is paid already')
    }
    expect(await notificationState(desk, notification)).toBe('quarantined')
    expect((await paymentRow(desk, first.paymentId)).received_amount).toBeNull()
    expect(await operator.caseState(caseId)).toBe('open')
    expect(await operator.audited(caseId)).toEqual([])
    await expectSound()
  })

  test('is impossible where the vendor number belongs to another payment', async () => {
    const one = await desk.order(2000)
    const two = await desk.order(2000)
    await desk.pay(one.first)
    const channelPaymentId = factsOf(one.first).channelPaymentId ?? ''
    await desk.pay(two.first, { amountMinor: 1500n, channelPaymentId })
    expect(await operator.resolve(two.first.paymentId, 'accept')).toContain('vendor_number_taken')
    expect(await paymentRow(desk, two.first.paymentId)).toMatchObject({
      state: 'pending',
      received_amount: null,
      money_in_doubt: true,
    })
  })

  test('is impossible where the vendor did not say the amount', async () => {
    const { first } = await desk.order(2000)
    const [id] = await desk.store([{ ...factsOf(first), amountMinor: 0n }])
    assert(id !== undefined, 'one row was stored')
    await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
    expect(await operator.resolve(first.paymentId, 'accept')).toContain('how much')
  })
})

describe('a wrong amount that goes back', () => {
  test('pays nothing: no points, the order waits, and all of it is refunded', async () => {
    const { first, second, orderId } = await desk.order(2000, 2)
    const notification = await hearWrong(desk, first, 1500n)
    const caseId = await operator.caseOf(first.paymentId)
    await operator.resolve(first.paymentId, 'refund')
    const [refund] = await desk.refunds(first.paymentId)
    expect(refund).toMatchObject({ amount: 1500n, origin: 'operator', state: 'requested' })
    expect(await desk.jobs('refund-submit', refund?.id ?? '')).toBe(1)
    expect(await desk.payment(first.paymentId)).toEqual({
      state: 'paid',
      disposition: 'excess',
      reserved: 1500n,
      refunded: 0n,
    })
    expect(await desk.orderState(orderId)).toBe('unpaid')
    expect(await desk.points(orderId)).toEqual([])
    expect(await notificationState(desk, notification)).toBe('applied')
    expect(await operator.caseState(caseId)).toBe('resolved')
    // Another attempt pays the order as if nothing had been.
    expect(await desk.pay(second)).toBe('counted')
    expect(await desk.orderState(orderId)).toBe('paid')
    await expectSound()
  })

  test('asks nobody again, whatever the policy of the merchant is', async () => {
    for (const policy of ['ask', 'refund', 'revive'] as const) {
      await desk.setPolicy(policy)
      const { first } = await desk.order(2000)
      await hearWrong(desk, first, 1500n)
      await operator.resolve(first.paymentId, 'refund')
      expect((await desk.refunds(first.paymentId)).length).toBe(1)
      expect(await desk.cases(first.paymentId)).toEqual(['amount_differs'])
    }
  })

  test('keeps no order open that the merchant wants closed', async () => {
    const { first, orderId } = await desk.order(2000)
    await hearWrong(desk, first, 1500n)
    await operator.resolve(first.paymentId, 'refund')
    const order = await wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, orderId)
    expect(order?.state).toBe('closed')
  })
})

describe('a doubt', () => {
  test('that is written off ends: the order can be paid or closed, and the vendor is not asked again', async () => {
    const { first, orderId } = await desk.order(2000)
    await hearWrong(desk, first, 1500n)
    await wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, orderId)
    const found = await findPayment(desk.db, desk.merchantId, first.paymentId)
    assert(found !== undefined, 'the payment is there')
    expect(await closeAttempt(desk.db, found.payment, 'test', new Date())).toBe(false)
    await operator.resolve(first.paymentId, 'write_off')
    expect(await paymentRow(desk, first.paymentId)).toMatchObject({
      money_in_doubt: false,
      next_query_at: null,
      state: 'closed',
    })
    // Nobody else has to come for it.
    expect(await desk.orderState(orderId)).toBe('closed')
    await expectSound()
  })

  test('stays while another case is open about the same payment', async () => {
    const { first } = await desk.order(2000)
    await desk.pay(first, { amountMinor: 1500n })
    const [amount] = [await operator.caseOf(first.paymentId)]
    await desk.pay(first, { identity: { mchid: 'another', appid: 'another' } })
    expect(await desk.cases(first.paymentId)).toEqual(['amount_differs', 'identity_differs'])
    await operator.decide(amount, 'write_off')
    expect((await paymentRow(desk, first.paymentId)).money_in_doubt).toBe(true)
    expect(await operator.resolve(first.paymentId, 'write_off')).toMatchObject({})
    expect((await paymentRow(desk, first.paymentId)).money_in_doubt).toBe(false)
  })

  test('that is kept open stays as it is, is audited each time, and can be decided later', async () => {
    const { first } = await desk.order(2000)
    await hearWrong(desk, first, 1500n)
    const caseId = await operator.caseOf(first.paymentId)
    await operator.decide(caseId, 'keep_open')
    await operator.decide(caseId, 'keep_open')
    expect(await operator.caseState(caseId)).toBe('open')
    expect((await paymentRow(desk, first.paymentId)).money_in_doubt).toBe(true)
    expect((await operator.decide(caseId, 'accept')).kind).toBe('decided')
    expect((await operator.audited(caseId)).length).toBe(3)
    expect((await operator.decide(caseId, 'keep_open')).kind).toBe('already_resolved')
  })
})
