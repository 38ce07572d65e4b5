import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import type { PaymentId } from '#domain/id'
import { bodyAt, buyAt, openCounter, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import type { Purchase } from '../support/shop.ts'
import { TILLS } from '../support/till.ts'
import { waitFor } from '../support/wait.ts'

// What others got wrong about orders and their numbers, for every vendor.
const TIMEOUT_MS = 60_000
const ALWAYS = 1_000_000

interface Vendor {
  /** Another method that the same account has, for a second attempt. */
  readonly otherMethod: string
  /** Whether a repeated create gets the lost credential. Where not, the money is found all the same. */
  readonly givesCredentialAgain: boolean
  /** What a good query says of a payment that is not paid. */
  readonly unpaid: RegExp
}

const VENDORS: Readonly<Record<string, Vendor>> = {
  'wechat-pay': { otherMethod: 'h5', givesCredentialAgain: true, unpaid: /"NOTPAY"/ },
  alipay: { otherMethod: 'page', givesCredentialAgain: true, unpaid: /"WAIT_BUYER_PAY"/ },
  unionpay: { otherMethod: 'page', givesCredentialAgain: false, unpaid: /origRespCode=66(?=&)/ },
  pingpp: { otherMethod: 'wap', givesCredentialAgain: false, unpaid: /"paid":false/ },
}

let database: TestDatabase
let platform: Platform
const counters = new Map<string, Counter>()

beforeAll(async () => {
  database = await cloneDatabase()
  const opened = await Promise.all(
    Object.entries(TILLS).map(async ([name, open]) => [name, await open([1])] as const),
  )
  const tills = opened.map(([name, [till]]) => {
    assert(till !== undefined, `expected a till of ${name}`)
    return [name, till] as const
  })
  const localHosts = tills.map(([, { vendor }]) => new URL(vendor.url).host)
  platform = await startPlatform({ databaseUrl: database.url, localHosts })
  for (const [name, till] of tills) {
    counters.set(name, await openCounter(platform, platform, till))
  }
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await Promise.all([...counters.values()].map(({ till }) => till.vendor.stop()))
  await database.drop()
}, TIMEOUT_MS)

// A test that failed half-way leaves no fault behind for the next one.
afterEach(() => {
  for (const { till } of counters.values()) till.vendor.resetKnobs()
})

function counterOf(name: string): Counter {
  const counter = counters.get(name)
  assert(counter !== undefined, `expected a counter of ${name}`)
  return counter
}

interface Answered {
  readonly status: number
  readonly id: PaymentId | undefined
  readonly code: unknown
  readonly body: unknown
}

async function order(
  counter: Counter,
  purchase: Purchase,
  changes: object = {},
): Promise<Answered> {
  const response = await counter.shop.post(
    { ...bodyAt(counter, purchase), ...changes },
    crypto.randomUUID(),
  )
  const body: unknown = await response.json()
  const { id, code } = Object(body)
  return { status: response.status, id, code, body }
}

const paymentsOf = (orderNumber: string) =>
  platform.db
    .selectFrom('payment as p')
    .innerJoin('customer_order as o', 'o.id', 'p.order_id')
    .select(['p.id', 'p.amount', 'p.state', 'p.disposition', 'p.vendor_request', 'p.refusal_code'])
    .select(['o.amount as order_amount', 'o.state as order_state', 'o.paid_payment_id'])
    .where('o.order_number', '=', orderNumber)
    .orderBy('p.created_at')
    .execute()

/** The vendor's answers to our queries, as they are in the transaction log. */
const queriesOf = async (paymentId: PaymentId): Promise<readonly string[]> => {
  const rows = await platform.db
    .selectFrom('transaction_log')
    .select('content')
    .where('payment_id', '=', paymentId)
    .where('kind', '=', 'query')
    .orderBy('at')
    .execute()
  return rows.map(({ content }) => String(Object(content).responseBody))
}

/** Makes the next query due, and waits until it has been asked and its result is in. */
async function queryNow(paymentId: PaymentId): Promise<void> {
  const before = (await queriesOf(paymentId)).length
  await platform.db
    .updateTable('payment')
    .set({ next_query_at: new Date(0) })
    .where('id', '=', paymentId)
    .where('state', '!=', 'paid')
    .execute()
  await waitFor(`a query of ${paymentId}`, async () =>
    (await queriesOf(paymentId)).length > before ? true : undefined,
  )
}

const grantsOf = (userId: string) =>
  platform.db.selectFrom('points_grant').select('points').where('user_id', '=', userId).execute()

describe.each(Object.entries(VENDORS))('orders at %s', (name, vendor) => {
  test(
    'OR-07: a query that succeeds says nothing while the payment in it does not',
    async () => {
      const counter = counterOf(name)
      const userId = `or-07-inner-${name}`
      const id = await buyAt(counter, { userId, amount: 1999 })
      counter.till.begin?.(id)
      await queryNow(id)
      await queryNow(id)
      for (const answer of await queriesOf(id)) expect(answer).toMatch(vendor.unpaid)
      const view = await counter.shop.read(id)
      expect([view.state, view.order.state]).toEqual(['pending', 'unpaid'])
      expect(await grantsOf(userId)).toEqual([])
      await payAt(counter, id)
      expect((await counter.shop.waitForState(id, 'paid')).order.state).toBe('paid')
    },
    TIMEOUT_MS,
  )

  test(
    'OR-07: a query that is refused does not pay, whatever happened; the next good one does, to the fen',
    async () => {
      const counter = counterOf(name)
      const { till, shop } = counter
      const [userId, orderNumber] = [`or-07-outer-${name}`, crypto.randomUUID()]
      const id = await buyAt(counter, { userId, orderNumber, amount: 1999 })
      till.vendor.setKnobs({ dropCallbacks: ALWAYS, dropForever: true })
      expect(till.pay(id).kind).not.toBe('refused')
      if (till.refuseQueries === undefined) till.vendor.setKnobs({ status500: ALWAYS })
      till.refuseQueries?.()
      await queryNow(id)
      // The second query is asked after the result of the first is in.
      await queryNow(id)
      expect((await shop.read(id)).state).toBe('pending')
      till.vendor.resetKnobs()
      await queryNow(id)
      await shop.waitForState(id, 'paid')
      expect(await paymentsOf(orderNumber)).toMatchObject([
        { id, amount: 1999n, order_amount: 1999n, order_state: 'paid', paid_payment_id: id },
      ])
      expect(await grantsOf(userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )

  // Payment rules, section 4: an order's amount never changes, so there is no second price for an old code.
  test(
    'OR-11: another price for the same order number is refused, and the old code pays the old price',
    async () => {
      const counter = counterOf(name)
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
      const [only, ...others] = await paymentsOf(orderNumber)
      expect(others).toEqual([])
      expect(only).toMatchObject({ id, amount: 1999n, order_amount: 1999n, state: 'pending' })
      await payAt(counter, id)
      await counter.shop.waitForState(id, 'paid')
      expect(await paymentsOf(orderNumber)).toMatchObject([
        { id, amount: 1999n, disposition: 'counted', order_amount: 1999n, paid_payment_id: id },
      ])
      expect(await grantsOf(userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )

  test(
    'OR-11: the new price under a new order number is a new attempt; each code pays its own order',
    async () => {
      const counter = counterOf(name)
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
      expect(await paymentsOf(first)).toMatchObject([
        { id: old, amount: 1999n, order_state: 'paid', paid_payment_id: old },
      ])
      expect(await paymentsOf(second)).toMatchObject([
        {
          id: fresh,
          amount: 2999n,
          state: 'pending',
          order_state: 'unpaid',
          paid_payment_id: null,
        },
      ])
      expect(await grantsOf(userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )

  test(
    'OR-12: the same order with other words is the same number with the same bytes',
    async () => {
      const counter = counterOf(name)
      const orderNumber = crypto.randomUUID()
      const first = await order(counter, { orderNumber }, { subject: 'Green tea' })
      expect(first.status).toBe(201)
      const changes = { subject: 'Black tea', client_ip: '198.51.100.9', expires_in_s: 1200 }
      const again = await order(counter, { orderNumber }, changes)
      expect([again.status, again.id]).toEqual([200, first.id])
      expect(again.body).toEqual(first.body)
      const [only, ...others] = await paymentsOf(orderNumber)
      expect(others).toEqual([])
      expect(only?.vendor_request).not.toContain('Black')
      expect(only?.refusal_code).toBeNull()
    },
    TIMEOUT_MS,
  )

  test(
    'OR-12: another way to pay the same order has a number of its own at the vendor',
    async () => {
      const counter = counterOf(name)
      const orderNumber = crypto.randomUUID()
      const first = await order(counter, { orderNumber })
      const other = await order(counter, { orderNumber, method: vendor.otherMethod })
      expect([first.status, other.status]).toEqual([201, 201])
      expect(other.id).not.toBe(first.id)
      const rows = await paymentsOf(orderNumber)
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
    'OR-12: a create whose answer was lost is repeated with the same number, and no refusal is shown',
    async () => {
      const counter = counterOf(name)
      const [userId, orderNumber] = [`or-12-lost-${name}`, crypto.randomUUID()]
      counter.till.vendor.setKnobs({ failAfterCommit: 1 })
      const lost = await order(counter, { userId, orderNumber }, { subject: 'Green tea' })
      counter.till.vendor.resetKnobs()
      expect(lost).toMatchObject({ status: 202, body: { state: 'created', next_action: null } })
      const again = await order(counter, { userId, orderNumber }, { subject: 'Black tea' })
      expect(again.id).toBe(lost.id)
      expect([again.status, Object(again.body).refusal_code]).toEqual([
        vendor.givesCredentialAgain ? 200 : 202,
        null,
      ])
      const rows = await paymentsOf(orderNumber)
      expect(rows).toHaveLength(1)
      assert(lost.id !== undefined, 'the payment has an id')
      await payAt(counter, lost.id)
      await counter.shop.waitForState(lost.id, 'paid')
      expect(await grantsOf(userId)).toEqual([{ points: 19n }])
    },
    TIMEOUT_MS,
  )
})
