import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { assert } from '#domain/assert'
import type { PaymentId } from '#domain/id'
import { payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import type { Purchase } from '../support/shop.ts'
import { grantsOf, openOrderDesk, order, paymentsOf, queryNow } from './order-desk.ts'
import type { OrderDesk } from './order-desk.ts'

// What others got wrong about the number that a vendor sees, for every vendor.
const TIMEOUT_MS = 60_000
const ALWAYS = 1_000_000
/** What vendors say of a number that they have already. */
const REFUSALS = /重复|2010002|order_no_used|OUT_TRADE_NO|"code"/

interface Vendor {
  /** Another method that the same account has, for a second attempt. */
  readonly otherMethod: string
  /** Whether a repeated create gets the lost credential. Where not, it leads to a new number. */
  readonly givesCredentialAgain: boolean
}

const VENDORS: Readonly<Record<string, Vendor>> = {
  'wechat-pay': { otherMethod: 'h5', givesCredentialAgain: true },
  alipay: { otherMethod: 'page', givesCredentialAgain: true },
  unionpay: { otherMethod: 'page', givesCredentialAgain: false },
  pingpp: { otherMethod: 'wap', givesCredentialAgain: false },
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

/** An order whose vendor has made the payment and whose answer we have never seen. */
async function loseAnswer(counter: Counter, purchase: Purchase): Promise<PaymentId> {
  counter.till.vendor.setKnobs({ failAfterCommit: 1 })
  const lost = await order(counter, purchase, { subject: 'Green tea' })
  counter.till.vendor.resetKnobs()
  expect(lost).toMatchObject({ status: 202, body: { state: 'created', next_action: null } })
  assert(lost.id !== undefined, 'the payment has an id')
  return lost.id
}

/** A call that creates it at the vendor is under way, or was. */
const sendUntil = (paymentId: PaymentId, from: string) =>
  sql`UPDATE payment SET sending_until = now() + ${from}::interval WHERE id = ${paymentId}`.execute(
    desk.platform.db,
  )

describe.each(Object.entries(VENDORS))('numbers at %s', (name, vendor) => {
  test(
    'OR-12: the same order with other words is the same number with the same bytes',
    async () => {
      const counter = desk.counterOf(name)
      const orderNumber = crypto.randomUUID()
      const first = await order(counter, { orderNumber }, { subject: 'Green tea' })
      expect(first.status).toBe(201)
      const changes = { subject: 'Black tea', client_ip: '198.51.100.9', expires_in_s: 1200 }
      const again = await order(counter, { orderNumber }, changes)
      expect([again.status, again.id]).toEqual([200, first.id])
      expect(again.body).toEqual(first.body)
      const [only, ...others] = await paymentsOf(desk, orderNumber)
      expect(others).toEqual([])
      expect(only?.vendor_request).not.toContain('Black')
      expect(only?.refusal_code).toBeNull()
    },
    TIMEOUT_MS,
  )

  test(
    'OR-12: another way to pay the same order has a number of its own at the vendor',
    async () => {
      const counter = desk.counterOf(name)
      const orderNumber = crypto.randomUUID()
      const first = await order(counter, { orderNumber })
      const other = await order(counter, { orderNumber, method: vendor.otherMethod })
      expect([first.status, other.status]).toEqual([201, 201])
      expect(other.id).not.toBe(first.id)
      const rows = await paymentsOf(desk, orderNumber)
      expect(rows.map(({ id }) => String(id))).toEqual([String(first.id), String(other.id)])
      for (const { id, vendor_request: sent, refusal_code: refusal } of rows) {
        expect(id).toMatch(/^p[0-9a-z]{25}$/)
        expect(sent).toContain(id)
        expect(refusal).toBeNull()
      }
      expect(Object(other.body).next_action).not.toBeNull()
    },
    TIMEOUT_MS,
  )

  test(
    'OR-12: a create whose answer was lost ends in something to pay, under a new number where that one is used up',
    async () => {
      const counter = desk.counterOf(name)
      const [userId, orderNumber] = [`or-12-lost-${name}`, crypto.randomUUID()]
      const lost = await loseAnswer(counter, { userId, orderNumber })
      const again = await order(counter, { userId, orderNumber }, { subject: 'Black tea' })
      const isKept = vendor.givesCredentialAgain
      expect([again.status, again.id === lost]).toEqual(isKept ? [200, true] : [201, false])
      assert(again.id !== undefined, 'the payment has an id')
      expect(again.body).toMatchObject({ state: 'pending', refusal_code: null })
      expect(Object(again.body).next_action).not.toBeNull()
      expect(JSON.stringify(again.body)).not.toMatch(REFUSALS)
      // From now on the vendor is not asked: what can be paid is given again.
      const heard = counter.till.vendor.requests().length
      const third = await order(counter, { userId, orderNumber })
      expect([third.status, third.id]).toEqual([200, again.id])
      expect(counter.till.vendor.requests().length).toBe(heard)
      const rows = await paymentsOf(desk, orderNumber)
      expect(rows.map(({ id, state }) => `${id} ${state}`)).toEqual([
        ...(isKept ? [] : [`${lost} created`]),
        `${again.id} pending`,
      ])
      for (const { id, vendor_request: sent, refusal_code: refusal } of rows) {
        expect([sent.includes(id), refusal]).toEqual([true, null])
      }
      // Whoever holds the old page is led to the new one, and cannot pay twice.
      const page = await fetch(`${desk.platform.gateway.url}/pay/${lost}`)
      expect((await page.text()).includes(`href="${again.id}"`)).toBe(!isKept)
      await payAt(counter, again.id)
      await counter.shop.waitForState(again.id, 'paid')
      expect(await grantsOf(desk, userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )

  test(
    'OR-12: nothing is replaced while another call for it may bring the credential',
    async () => {
      const counter = desk.counterOf(name)
      const orderNumber = crypto.randomUUID()
      const lost = await loseAnswer(counter, { orderNumber })
      await sendUntil(lost, '10 s')
      const beside = await order(counter, { orderNumber })
      expect([beside.status, beside.id]).toEqual([vendor.givesCredentialAgain ? 200 : 202, lost])
      expect(JSON.stringify(beside.body)).not.toMatch(REFUSALS)
      expect(await paymentsOf(desk, orderNumber)).toHaveLength(1)
      // The other one has died.
      await sendUntil(lost, '-1 s')
      const after = await Promise.all([1, 2, 3].map(() => order(counter, { orderNumber })))
      const rows = await paymentsOf(desk, orderNumber)
      expect(rows).toHaveLength(vendor.givesCredentialAgain ? 1 : 2)
      expect(rows.map(({ id }) => String(id))).toEqual(
        expect.arrayContaining(after.map(({ id }) => String(id))),
      )
    },
    TIMEOUT_MS,
  )
})

const replacing = Object.keys(VENDORS).filter(
  (name) => VENDORS[name]?.givesCredentialAgain === false,
)

describe.each(replacing)('a number that %s replaces', (name) => {
  test(
    'OR-12: money that is paid to the number that was replaced is found, and counts once',
    async () => {
      const counter = desk.counterOf(name)
      const [userId, orderNumber] = [`or-12-old-${name}`, crypto.randomUUID()]
      const lost = await loseAnswer(counter, { userId, orderNumber })
      const { id } = await order(counter, { userId, orderNumber })
      assert(id !== undefined, 'the payment has an id')
      // No callback: only a query can find it.
      counter.till.vendor.setKnobs({ dropCallbacks: ALWAYS, dropForever: true })
      expect(counter.till.pay(lost).kind).not.toBe('refused')
      await queryNow(desk, lost)
      await counter.shop.waitForState(lost, 'paid')
      counter.till.vendor.resetKnobs()
      await payAt(counter, id)
      await counter.shop.waitForState(id, 'paid')
      expect(await paymentsOf(desk, orderNumber)).toMatchObject([
        { id: lost, disposition: 'counted', order_state: 'paid', paid_payment_id: lost },
        { id, disposition: 'excess', order_state: 'paid', paid_payment_id: lost },
      ])
      expect(await grantsOf(desk, userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )
})
