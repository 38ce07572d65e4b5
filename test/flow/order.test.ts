import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { buyAt, payAt } from '../support/counter.ts'
import { grantsOf, openOrderDesk, order, paymentsOf, queriesOf, queryNow } from './order-desk.ts'
import type { OrderDesk } from './order-desk.ts'

// What others got wrong about orders, for every vendor.
const TIMEOUT_MS = 60_000
const ALWAYS = 1_000_000

interface Vendor {
  /** Another method that the same account has, for a second attempt. */
  readonly otherMethod: string
  /** What a good query says of a payment that is not paid. */
  readonly unpaid: RegExp
}

const VENDORS: Readonly<Record<string, Vendor>> = {
  'wechat-pay': { otherMethod: 'h5', unpaid: /"NOTPAY"/ },
  alipay: { otherMethod: 'page', unpaid: /"WAIT_BUYER_PAY"/ },
  unionpay: { otherMethod: 'page', unpaid: /origRespCode=66(?=&)/ },
  pingpp: { otherMethod: 'wap', unpaid: /"paid":false/ },
}

let desk: OrderDesk

beforeAll(async () => {
  desk = await openOrderDesk()
}, TIMEOUT_MS)

afterAll(() => desk.stop(), TIMEOUT_MS)

// A test that failed half-way leaves no fault behind for the next one.
afterEach(() => {
  for (const name of Object.keys(VENDORS)) desk.counterOf(name).till.vendor.resetKnobs()
})

describe.each(Object.entries(VENDORS))('orders at %s', (name, vendor) => {
  test(
    'OR-07: a query that succeeds says nothing while the payment in it does not',
    async () => {
      const counter = desk.counterOf(name)
      const userId = `or-07-inner-${name}`
      const id = await buyAt(counter, { userId, amount: 1999 })
      counter.till.begin?.(id)
      await queryNow(desk, id)
      await queryNow(desk, id)
      for (const answer of await queriesOf(desk, id)) expect(answer).toMatch(vendor.unpaid)
      const view = await counter.shop.read(id)
      expect([view.state, view.order.state]).toEqual(['pending', 'unpaid'])
      expect(await grantsOf(desk, userId)).toEqual([])
      await payAt(counter, id)
      expect((await counter.shop.waitForState(id, 'paid')).order.state).toBe('paid')
    },
    TIMEOUT_MS,
  )

  test(
    'OR-07: a query that is refused does not pay, whatever happened; the next good one does, to the fen',
    async () => {
      const counter = desk.counterOf(name)
      const { till, shop } = counter
      const [userId, orderNumber] = [`or-07-outer-${name}`, crypto.randomUUID()]
      const id = await buyAt(counter, { userId, orderNumber, amount: 1999 })
      till.vendor.setKnobs({ dropCallbacks: ALWAYS, dropForever: true })
      expect(till.pay(id).kind).not.toBe('refused')
      if (till.refuseQueries === undefined) till.vendor.setKnobs({ status500: ALWAYS })
      till.refuseQueries?.()
      await queryNow(desk, id)
      // The second query is asked after the result of the first is in.
      await queryNow(desk, id)
      expect((await shop.read(id)).state).toBe('pending')
      till.vendor.resetKnobs()
      await queryNow(desk, id)
      await shop.waitForState(id, 'paid')
      expect(await paymentsOf(desk, orderNumber)).toMatchObject([
        { id, amount: 1999n, order_amount: 1999n, order_state: 'paid', paid_payment_id: id },
      ])
      expect(await grantsOf(desk, userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )

  // Payment rules, section 4: an order's amount never changes, so there is no second price for an old code.
  test(
    'OR-11: another price for the same order number is refused, and the old code pays the old price',
    async () => {
      const counter = desk.counterOf(name)
      const [userId, orderNumber] = [`or-11-${name}`, crypto.randomUUID()]
      const id = await buyAt(counter, { userId, orderNumber, amount: 1999 })
      const heard = counter.till.vendor.requests().length
      for (const amount of [1998, 2000, 199_900]) {
        for (const method of ['qr', vendor.otherMethod]) {
          const answer = await order(counter, { userId, orderNumber, amount, method })
          expect([answer.status, answer.code]).toEqual([409, 'order_amount_differs'])
        }
      }
      expect(counter.till.vendor.requests().length).toBe(heard)
      const [only, ...others] = await paymentsOf(desk, orderNumber)
      expect(others).toEqual([])
      expect(only).toMatchObject({ id, amount: 1999n, order_amount: 1999n, state: 'pending' })
      await payAt(counter, id)
      await counter.shop.waitForState(id, 'paid')
      expect(await paymentsOf(desk, orderNumber)).toMatchObject([
        { id, amount: 1999n, disposition: 'counted', order_amount: 1999n, paid_payment_id: id },
      ])
      expect(await grantsOf(desk, userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )

  test(
    'OR-11: the new price under a new order number is a new attempt; each code pays its own order',
    async () => {
      const counter = desk.counterOf(name)
      const [userId, first, second] = [
        `or-11-new-${name}`,
        crypto.randomUUID(),
        crypto.randomUUID(),
      ]
      const old = await buyAt(counter, { userId, orderNumber: first, amount: 1999 })
      const fresh = await buyAt(counter, { userId, orderNumber: second, amount: 2999 })
      expect(fresh).not.toBe(old)
      await payAt(counter, old)
      await counter.shop.waitForState(old, 'paid')
      expect(await paymentsOf(desk, first)).toMatchObject([
        { id: old, amount: 1999n, order_state: 'paid', paid_payment_id: old },
      ])
      expect(await paymentsOf(desk, second)).toMatchObject([
        {
          id: fresh,
          amount: 2999n,
          state: 'pending',
          order_state: 'unpaid',
          paid_payment_id: null,
        },
      ])
      expect(await grantsOf(desk, userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )
})
