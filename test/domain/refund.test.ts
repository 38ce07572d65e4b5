import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { RefundFacts } from '#domain/notification'
import { decideRefund, refundPath } from '#domain/refund'
import type { RefundDecision, RefundDoubt, RefundInput } from '#domain/refund'
import { refundMoves } from '#domain/state'
import type { RefundState } from '#domain/state'

const identity = { mchid: '1900000109', appid: 'wx1' }

const facts: RefundFacts = {
  kind: 'refund',
  paymentNumber: 'p1',
  refundNumber: 'r1',
  identity: { mchid: identity.mchid },
  refundState: 'succeeded',
  refundStateText: 'SUCCESS',
  channelRefundId: '503',
  amountMinor: 100n,
}

const input: RefundInput = {
  facts,
  channelAccountId: 'a1',
  identity,
  payment: { channelAccountId: 'a1', state: 'paid', currency: 'CNY' },
  refund: { state: 'sent', amountMinor: 100n, channelRefundId: null },
  isNumberTaken: false,
}

const STATES: readonly RefundState[] = [
  'requested',
  'sent',
  'accepted',
  'succeeded',
  'refused',
  'abnormal',
]

const withFacts = (changes: Partial<RefundFacts>): RefundInput => ({
  ...input,
  facts: { ...facts, ...changes },
})

const withStored = (channelRefundId: string): RefundInput => ({
  ...input,
  refund: { state: 'sent', amountMinor: 100n, channelRefundId },
})

describe('decideRefund', () => {
  test.each<[RefundDoubt, RefundInput]>([
    ['refund_identity_differs', withFacts({ identity: { mchid: '1' } })],
    ['refund_identity_differs', withFacts({ identity: { ...identity, app: 'x' } })],
    ['unknown_payment', { ...input, payment: undefined }],
    ['other_account', { ...input, channelAccountId: 'a2' }],
    ['refund_currency_differs', withFacts({ currency: 'USD' })],
    ['refund_number_taken', { ...input, isNumberTaken: true }],
    ['refund_amount_differs', withFacts({ amountMinor: 99n })],
    ['refund_number_differs', withStored('504')],
  ])('%s is for a person', (reason, changed) => {
    expect(decideRefund(changed)).toEqual({ kind: 'quarantine', reason })
  })

  // The vendor paid twice under our one number: no state makes that old news.
  test.each([...STATES])(
    'a second number of the vendor for a %s refund is for a person',
    (state) => {
      const refund = { state, amountMinor: 100n, channelRefundId: '504' }
      const reason = 'refund_number_differs'
      expect(decideRefund({ ...input, refund })).toEqual({ kind: 'quarantine', reason })
    },
  )

  test('the number that is stored, or none in the message, moves the refund', () => {
    const { channelRefundId: _, ...nameless } = facts
    expect(decideRefund(withStored('503')).kind).toBe('move')
    expect(decideRefund({ ...withStored('504'), facts: nameless }).kind).toBe('move')
  })

  test('an answer that lacks amount and currency is about the refund that it names', () => {
    const { amountMinor: _, ...rest } = facts
    expect(decideRefund({ ...input, facts: rest })).toEqual({ kind: 'move', to: 'succeeded' })
  })

  test.each(['created', 'pending', 'closed'] as const)(
    'news about a %s payment waits for the payment',
    (state) => {
      const payment = { channelAccountId: 'a1', state, currency: 'CNY' }
      expect(decideRefund({ ...input, payment })).toEqual({ kind: 'payment_first' })
      expect(decideRefund({ ...input, payment, canWait: false })).toEqual({
        kind: 'quarantine',
        reason: 'payment_not_paid',
      })
    },
  )

  // What a vendor says, by the state that we have. A dash: nothing moves.
  test.each<[RefundState, string]>([
    ['requested', 'accepted succeeded refused abnormal'],
    ['sent', 'accepted succeeded refused abnormal'],
    ['accepted', '- succeeded refused abnormal'],
    ['abnormal', '- succeeded refused -'],
    ['refused', '- succeeded - -'],
    ['succeeded', '- - - -'],
  ])('%s, told of accepted, succeeded, refused, abnormal: %s', (state, expected) => {
    const told = (['accepted', 'succeeded', 'refused', 'abnormal'] as const).map((refundState) => {
      const refund = { state, amountMinor: 100n, channelRefundId: null }
      const decision = decideRefund({ ...withFacts({ refundState }), refund })
      return decision.kind === 'move' ? decision.to : '-'
    })
    expect(told.join(' ')).toBe(expected)
  })

  test.each([...STATES])('an unknown word moves nothing: %s', (state) => {
    const refund = { state, amountMinor: 100n, channelRefundId: null }
    expect(decideRefund({ ...withFacts({ refundState: 'unknown' }), refund })).toEqual({
      kind: 'nothing',
    })
  })

  test.each<[RefundFacts['refundState'], RefundDecision['kind']]>([
    ['succeeded', 'foreign'],
    ['accepted', 'nothing'],
    ['refused', 'nothing'],
    ['abnormal', 'nothing'],
    ['unknown', 'nothing'],
  ])('a refund that is not ours and is %s: %s', (refundState, kind) => {
    expect(decideRefund({ ...withFacts({ refundState }), refund: undefined }).kind).toBe(kind)
  })

  test('a refund that is not ours and lacks its amount is asked about by its number, as long as one can', () => {
    const { amountMinor: _, refundNumber: __, ...nameless } = facts
    const named = { ...nameless, refundNumber: 'HZ01' }
    const foreign = { ...input, facts: named, refund: undefined }
    expect(decideRefund({ ...foreign, canAsk: true })).toEqual({
      kind: 'ask_refund',
      paymentNumber: 'p1',
      refundNumber: 'HZ01',
    })
    const missing = { kind: 'quarantine', reason: 'refund_amount_missing' } as const
    expect(decideRefund(foreign)).toEqual(missing)
    expect(decideRefund({ ...foreign, facts: nameless, canAsk: true })).toEqual(missing)
    // Ours needs no amount in the message, and one with an amount no question.
    expect(decideRefund({ ...input, facts: named, canAsk: true }).kind).toBe('move')
    expect(decideRefund({ ...foreign, facts, canAsk: true }).kind).toBe('foreign')
  })
})

describe('refundPath', () => {
  const state = fc.constantFrom(...STATES)

  test('is made of allowed moves and ends where it is asked to', () => {
    fc.assert(
      fc.property(state, state, (from, to) => {
        const path = refundPath(from, to)
        if (path === undefined) return
        expect(path.at(-1)).toBe(to)
        const steps = [from, ...path]
        for (const [index, step] of path.entries()) {
          expect(refundMoves[steps[index] ?? from]).toContain(step)
        }
        // What passes through a refusal would give the reservation free on the way.
        expect(path.slice(0, -1)).not.toContain('refused')
      }),
    )
  })

  test('any words in any order, as often as they like: success is final, and one refusal can be taken back', () => {
    const word = fc.constantFrom('accepted', 'succeeded', 'refused', 'abnormal', 'unknown')
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const walk = (from: RefundState, heard: readonly string[]): RefundState =>
          heard.reduce<RefundState>((current, said) => {
            const refundState = STATES.find((name) => name === said)
            const refund = { state: current, amountMinor: 100n, channelRefundId: null }
            const told =
              refundState === 'requested' || refundState === 'sent' ? undefined : refundState
            const decision = decideRefund({
              ...withFacts({ refundState: told ?? 'unknown' }),
              refund,
            })
            return decision.kind === 'move' ? decision.to : current
          }, from)
        const end = walk('sent', words)
        if (words.includes('succeeded')) expect(end).toBe('succeeded')
        // Repeats change nothing.
        expect(
          walk(
            'sent',
            words.flatMap((said) => [said, said]),
          ),
        ).toBe(end)
      }),
    )
  })
})
