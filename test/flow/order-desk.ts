import { assert } from '#domain/assert'
import type { PaymentId } from '#domain/id'
import { bodyAt, openCounter } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { Purchase } from '../support/shop.ts'
import { TILLS } from '../support/till.ts'
import { waitFor } from '../support/wait.ts'

/** One platform with an account at every vendor. */
export interface OrderDesk {
  readonly platform: Platform
  counterOf(strategy: string): Counter
  stop(): Promise<void>
}

export async function openOrderDesk(): Promise<OrderDesk> {
  const database = await cloneDatabase()
  const opened = await Promise.all(
    Object.entries(TILLS).map(async ([name, open]) => [name, await open([1])] as const),
  )
  const tills = opened.map(([name, [till]]) => {
    assert(till !== undefined, `expected a till of ${name}`)
    return [name, till] as const
  })
  const localHosts = tills.map(([, { vendor }]) => new URL(vendor.url).host)
  const platform = await startPlatform({ databaseUrl: database.url, localHosts })
  const counters = new Map<string, Counter>()
  for (const [name, till] of tills) {
    counters.set(name, await openCounter(platform, platform, till))
  }
  return {
    platform,
    counterOf(strategy) {
      const counter = counters.get(strategy)
      assert(counter !== undefined, `expected a counter of ${strategy}`)
      return counter
    },
    async stop() {
      await platform.stop()
      await Promise.all(tills.map(([, { vendor }]) => vendor.stop()))
      await database.drop()
    },
  }
}

/** What the merchant API answered. */
export interface Answered {
  readonly status: number
  readonly id: PaymentId | undefined
  readonly code: unknown
  readonly body: unknown
}

/** Orders a payment under a key of its own. */
export async function order(
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

/** The attempts of an order with what it has come to, the oldest first. */
export const paymentsOf = ({ platform }: OrderDesk, orderNumber: string) =>
  platform.db
    .selectFrom('payment as p')
    .innerJoin('customer_order as o', 'o.id', 'p.order_id')
    .select(['p.id', 'p.amount', 'p.state', 'p.disposition', 'p.vendor_request', 'p.refusal_code'])
    .select(['o.amount as order_amount', 'o.state as order_state', 'o.paid_payment_id'])
    .where('o.order_number', '=', orderNumber)
    .orderBy('p.created_at')
    .execute()

/** The vendor's answers to our queries, as they are in the transaction log. */
export const queriesOf = async (
  { platform }: OrderDesk,
  paymentId: PaymentId,
): Promise<readonly string[]> => {
  const rows = await platform.db
    .selectFrom('transaction_log')
    .select('content')
    .where('payment_id', '=', paymentId)
    .where('kind', '=', 'query')
    .orderBy('at')
    .execute()
  return rows.map(({ content }) => String(Object(content).responseBody))
}

/** After this the job of an earlier query has surely planned the next one, over what we had wished for. */
const NUDGE_MS = 2000

/** Makes the next query due, and waits until it has been asked and its result is in. */
export async function queryNow(desk: OrderDesk, paymentId: PaymentId): Promise<void> {
  const before = (await queriesOf(desk, paymentId)).length
  let nudgedAt = -Infinity
  await waitFor(`a query of ${paymentId}`, async () => {
    if ((await queriesOf(desk, paymentId)).length > before) return true
    if (performance.now() - nudgedAt < NUDGE_MS) return undefined
    nudgedAt = performance.now()
    await desk.platform.db
      .updateTable('payment')
      .set({ next_query_at: new Date(0) })
      .where('id', '=', paymentId)
      .where('state', '!=', 'paid')
      .execute()
    return undefined
  })
}

export const grantsOf = ({ platform }: OrderDesk, userId: string) =>
  platform.db.selectFrom('points_grant').select('points').where('user_id', '=', userId).execute()
