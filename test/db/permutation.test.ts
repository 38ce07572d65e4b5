import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { applyNotifications } from '#db/notification/apply-notification'
import { applyRefundNotification } from '#db/refund/apply-refund-notification'
import { closeAttempt, wantOrderClosed } from '#db/payment/close-payment'
import { findPayment } from '#db/payment/payment'
import { assert } from '#domain/assert'
import type { NotificationId } from '#domain/id'
import type { NotificationFacts } from '#domain/notification'
import { factsOf } from '../flow/batch.ts'
import type { Sale } from '../flow/crash/sale.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// Whatever comes in whatever order, how often it likes: an order with two attempts ends in the same state.

const TIMEOUT_MS = 60_000
const RUNS = 20
const EXTRA_MAX = 8
const ROUNDS_MAX = 5

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  // Of the three policies the one that leads a closed order back to where an open one ends.
  await desk.setPolicy('revive')
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

const EVENTS = [
  'A paid, callback',
  'A paid, query',
  'A not yet',
  'A closed',
  'B paid, callback',
  'B paid, query',
  'B closed',
  'order not wanted',
  'A refund 1 accepted',
  'A refund 1 succeeded',
  'A refund 2 succeeded',
  'B refund 1 succeeded',
  'A refund 1 refused',
] as const

type EventName = (typeof EVENTS)[number]

/** Every event at least once, some more often, in any order. */
const permutation = fc
  .array(fc.constantFrom(...EVENTS), { maxLength: EXTRA_MAX })
  .chain((extra) => {
    const all: EventName[] = [...EVENTS, ...extra]
    return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })
  })

const AMOUNTS: Readonly<Record<string, bigint>> = { 'A 1': 500n, 'A 2': 700n, 'B 1': 300n }

test(
  'any permutation with repetition of the events of one order ends in the same state',
  async () => {
    await fc.assert(
      fc.asyncProperty(permutation, async (events) => {
        const counter = await desk.order(2000, 2)
        for (const event of events) await play(counter, event)
        await drain()
        const winner = events.find((event) => /^. paid/.test(event))?.at(0)
        expect(await endOf(counter)).toEqual(winner === 'A' ? A_COUNTS : B_COUNTS)
      }),
      { numRuns: RUNS, seed: seedOf(process.env['PINGZHANG_SEED']) },
    )
    expect(await desk.violations()).toEqual([])
  },
  TIMEOUT_MS,
)

/** Which attempt counts depends on whose money came first, and nothing else depends on any order. */
const A_COUNTS = {
  order: 'partly_refunded',
  A: { state: 'paid', disposition: 'counted', reserved: 1200n, refunded: 1200n },
  B: { state: 'paid', disposition: 'excess', reserved: 300n, refunded: 300n },
  refunds: ['A 500 succeeded', 'A 700 succeeded', 'B 300 succeeded'],
  // 20 points; 8.00 of 20.00 yuan left keep 8.
  points: { given: 20n, takenBack: 12n, grants: 1 },
  cases: ['excess_payment B'],
}
const B_COUNTS = {
  ...A_COUNTS,
  A: { ...A_COUNTS.A, disposition: 'excess' },
  B: { ...A_COUNTS.B, disposition: 'counted' },
  points: { given: 20n, takenBack: 3n, grants: 1 },
  cases: ['excess_payment A'],
}

async function play(counter: Counter, event: EventName): Promise<void> {
  const sale = event.startsWith('B') ? counter.second : counter.first
  const [, what = ''] = /^. (paid, callback|paid, query|not yet|closed|refund)/.exec(event) ?? []
  switch (what) {
    case 'paid, callback':
      return hear(factsOf(sale))
    case 'paid, query':
      await desk.pay(sale)
      return
    case 'not yet':
      await desk.pay(sale, { vendorState: 'not_yet', vendorStateText: 'NOTPAY' })
      return
    case 'closed':
      return close(sale)
    case 'refund':
      return hear(refundNews(sale, event))
    default:
      await wantOrderClosed(desk.db, desk.deps.jobs, desk.merchantId, counter.orderId)
  }
}

/** A refund at the vendor's console: its number is the vendor's, its word comes late, early or twice. */
function refundNews(sale: Sale, event: EventName): NotificationFacts {
  const [attempt = '', , number = '', word = ''] = event.split(' ')
  const amount = AMOUNTS[`${attempt} ${number}`]
  const state = (['accepted', 'succeeded', 'refused'] as const).find((name) => name === word)
  assert(amount !== undefined && state !== undefined, `expected a refund, got ${event}`)
  return refundFactsOf(sale, { id: `console-${sale.paymentId}-${number}`, amount }, state)
}

async function hear(facts: NotificationFacts): Promise<void> {
  const [id] = await desk.store([facts])
  assert(id !== undefined, 'one row was stored')
  await apply(id)
}

async function apply(id: NotificationId): Promise<void> {
  await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
  await applyRefundNotification(desk.db, desk.deps, desk.merchantId, id)
}

async function close(sale: Sale): Promise<void> {
  const found = await findPayment(desk.db, desk.merchantId, sale.paymentId)
  assert(found !== undefined, 'the payment is there')
  await closeAttempt(desk.db, found.payment, 'test', new Date())
}

/** News that overtook its payment waits, and the sweeper brings it back. */
async function drain(): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const ids = await desk.receivedIds()
    if (ids.length === 0) return
    for (const id of ids) await apply(id)
  }
  throw new Error('some news is never applied')
}

async function endOf(counter: Counter) {
  const named = [
    { name: 'A', sale: counter.first },
    { name: 'B', sale: counter.second },
  ]
  const refunds: string[] = []
  const cases: string[] = []
  for (const { name, sale } of named) {
    for (const { amount, state } of await desk.refunds(sale.paymentId)) {
      refunds.push(`${name} ${amount} ${state}`)
    }
    for (const kind of await desk.cases(sale.paymentId)) cases.push(`${kind} ${name}`)
  }
  const lines = await desk.points(counter.orderId)
  const sum = (kind: string): bigint =>
    lines.filter((line) => line.kind === kind).reduce((total, { points }) => total + points, 0n)
  return {
    order: await desk.orderState(counter.orderId),
    A: await desk.payment(counter.first.paymentId),
    B: await desk.payment(counter.second.paymentId),
    refunds: refunds.toSorted(),
    points: {
      given: sum('grant'),
      takenBack: sum('revoke'),
      grants: lines.filter(({ kind }) => kind === 'grant').length,
    },
    cases: cases.toSorted(),
  }
}

/** A run that failed is repeated with the seed that it printed. */
const seedOf = (text: string | undefined): number =>
  text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : Date.now() % 1_000_000_000
