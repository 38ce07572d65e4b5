import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { decideConfirmation } from '#domain/confirm'
import { assert } from '#domain/assert'
import type { PaymentFacts, RefundFacts } from '#domain/notification'
import { pointsFor, pointsToTakeBack } from '#domain/points'
import { decideRefund } from '#domain/refund'
import { orderMoves, paymentMoves } from '#domain/state'
import type { Disposition, OrderState, PaymentState, RefundState } from '#domain/state'

// The decisions of `domain/` alone, without a database: in whatever order they are made, an order with two
// attempts ends in the same state. The rows that follow them are in test/db/permutation.test.ts.

const identity = { mchid: '1', appid: 'wx' }
const AMOUNT = 2000n
const POINTS = pointsFor(AMOUNT, { pointsPerYuan: 1n })

interface Attempt {
  readonly state: PaymentState
  readonly number?: string
  readonly disposition?: Disposition
  readonly reserved: bigint
  readonly refunded: bigint
}

interface Refund {
  readonly attempt: string
  readonly state: RefundState
  readonly amountMinor: bigint
}

interface World {
  readonly order: OrderState
  readonly attempts: Readonly<Record<string, Attempt>>
  readonly refunds: Readonly<Record<string, Refund>>
  readonly grants: number
  readonly takenBack: bigint
  readonly waiting: readonly RefundFacts[]
}

const attempt: Attempt = { state: 'pending', reserved: 0n, refunded: 0n }
const START: World = {
  order: 'unpaid',
  attempts: { A: attempt, B: attempt },
  refunds: {},
  grants: 0,
  takenBack: 0n,
  waiting: [],
}

type Event =
  PaymentFacts | RefundFacts | { readonly kind: 'closed'; readonly paymentNumber: string }

const paid = (paymentNumber: string, vendorState: PaymentFacts['vendorState'] = 'success') => ({
  kind: 'payment' as const,
  paymentNumber,
  identity,
  vendorState,
  vendorStateText: vendorState,
  channelPaymentId: `4200${paymentNumber}`,
  amountMinor: AMOUNT,
  currency: 'CNY',
})

const refunded = (
  paymentNumber: string,
  number: string,
  amountMinor: bigint,
  refundState: RefundFacts['refundState'] = 'succeeded',
): RefundFacts => ({
  kind: 'refund',
  paymentNumber,
  identity,
  refundState,
  refundStateText: refundState,
  channelRefundId: number,
  amountMinor,
})

const EVENTS: readonly Event[] = [
  paid('A'),
  paid('A', 'not_yet'),
  paid('A', 'closed'),
  paid('B'),
  paid('B', 'unknown'),
  { kind: 'closed', paymentNumber: 'A' },
  { kind: 'closed', paymentNumber: 'B' },
  refunded('A', 'a1', 500n, 'accepted'),
  refunded('A', 'a1', 500n),
  refunded('A', 'a2', 700n),
  refunded('B', 'b1', 300n),
  refunded('B', 'b1', 300n, 'refused'),
  refunded('A', 'a2', 700n, 'abnormal'),
]

function step(world: World, event: Event): World {
  switch (event.kind) {
    case 'payment':
      return confirm(world, event)
    case 'refund':
      return refund(world, event)
    case 'closed':
      return close(world, event.paymentNumber)
  }
}

function find(world: World, name: string): Attempt {
  const found = world.attempts[name]
  assert(found !== undefined, `expected an attempt: ${name}`)
  return found
}

const withAttempt = (world: World, name: string, changes: Partial<Attempt>): World => ({
  ...world,
  attempts: { ...world.attempts, [name]: { ...find(world, name), ...changes } },
})

function confirm(world: World, facts: PaymentFacts): World {
  const name = facts.paymentNumber
  const own = find(world, name)
  const decision = decideConfirmation({
    facts,
    channelAccountId: 'a',
    identity,
    payment: {
      id: name,
      channelAccountId: 'a',
      amountMinor: AMOUNT,
      currency: 'CNY',
      state: own.state,
      channelPaymentId: own.number,
      vendorTime: undefined,
      vendorProduct: undefined,
      orderState: world.order,
    },
    vendorNumberOwner: Object.keys(world.attempts).find(
      (other) => world.attempts[other]?.number === facts.channelPaymentId,
    ),
  })
  if (decision.kind !== 'pay') return world
  expect(paymentMoves[own.state]).toContain('paid')
  const { disposition } = decision
  const changes = { state: 'paid' as const, disposition, number: `4200${name}` }
  const next = withAttempt(world, name, changes)
  if (disposition !== 'counted') return next
  expect(orderMoves[world.order]).toContain('paid')
  return { ...next, order: 'paid', grants: world.grants + 1 }
}

function close(world: World, name: string): World {
  const { state } = find(world, name)
  return paymentMoves[state].includes('closed')
    ? withAttempt(world, name, { state: 'closed' })
    : world
}

function refund(world: World, facts: RefundFacts): World {
  const name = facts.paymentNumber
  const number = facts.channelRefundId ?? ''
  const own = world.refunds[number]
  const decision = decideRefund({
    facts,
    channelAccountId: 'a',
    identity,
    payment: { channelAccountId: 'a', state: find(world, name).state, currency: 'CNY' },
    refund: own && { state: own.state, amountMinor: own.amountMinor, channelRefundId: number },
    isNumberTaken: false,
  })
  if (decision.kind === 'payment_first') return { ...world, waiting: [...world.waiting, facts] }
  if (decision.kind !== 'foreign') return world
  return record(world, { name, number, amountMinor: decision.amountMinor })
}

interface Recorded {
  readonly name: string
  readonly number: string
  readonly amountMinor: bigint
}

function record(world: World, { name, number, amountMinor }: Recorded): World {
  const own = find(world, name)
  const reserved = own.reserved + amountMinor
  expect(reserved).toBeLessThanOrEqual(AMOUNT)
  const made = { attempt: name, state: 'succeeded' as const, amountMinor }
  const next = {
    ...withAttempt(world, name, { reserved, refunded: own.refunded + amountMinor }),
    refunds: { ...world.refunds, [number]: made },
  }
  if (own.disposition !== 'counted') return next
  const refundedMinor = own.refunded + amountMinor
  const taken = pointsToTakeBack({
    points: POINTS,
    amountMinor: AMOUNT,
    refundedMinor,
    takenBack: world.takenBack,
  })
  expect(taken).toBeGreaterThanOrEqual(0n)
  const order = refundedMinor === AMOUNT ? 'refunded' : 'partly_refunded'
  return { ...next, order, takenBack: world.takenBack + taken }
}

/** What overtook its payment is heard again until nothing is left. */
function play(events: readonly Event[]): World {
  let world = events.reduce(step, START)
  for (let round = 0; world.waiting.length > 0; round += 1) {
    expect(round).toBeLessThan(5)
    world = world.waiting.reduce(step, { ...world, waiting: [] })
  }
  return world
}

const permutation = fc.array(fc.constantFrom(...EVENTS), { maxLength: 20 }).chain((extra) => {
  const all = [...EVENTS, ...extra]
  return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })
})

test('any permutation with repetition of the events of one order ends in the same state', () => {
  fc.assert(
    fc.property(permutation, (events) => {
      const first = events.find(
        (event) => event.kind === 'payment' && event.vendorState === 'success',
      )
      const isA = first?.paymentNumber === 'A'
      const a = { state: 'paid', number: '4200A', reserved: 1200n, refunded: 1200n } as const
      const b = { state: 'paid', number: '4200B', reserved: 300n, refunded: 300n } as const
      expect(play(events)).toEqual({
        order: 'partly_refunded',
        attempts: {
          A: { ...a, disposition: isA ? 'counted' : 'excess' },
          B: { ...b, disposition: isA ? 'excess' : 'counted' },
        },
        refunds: {
          a1: { attempt: 'A', state: 'succeeded', amountMinor: 500n },
          a2: { attempt: 'A', state: 'succeeded', amountMinor: 700n },
          b1: { attempt: 'B', state: 'succeeded', amountMinor: 300n },
        },
        grants: 1,
        takenBack: isA ? 12n : 3n,
        waiting: [],
      })
    }),
    { numRuns: 500 },
  )
})
