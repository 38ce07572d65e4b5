import { describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { parseRefundFacts, storeFacts } from '#domain/facts'
import { newRefundId } from '#domain/id'
import { judge } from '#domain/notification'
import type { RefundFacts } from '#domain/notification'
import { decideRefund } from '#domain/refund'
import { addMs } from '#domain/time'
import { describeBrokenAnswers } from './answer.ts'
import { BREAKAGES } from './breakage.ts'
import { perform } from './call.ts'
import type { Call } from './call.ts'
import { read } from './callback.ts'
import { edgesOf } from './money.ts'
import {
  partOf,
  refundCallsOf,
  refundIdOf,
  refundOf,
  refundQueryCall,
  refundVoiceOf,
  submitCall,
  tellRefund,
} from './refund-call.ts'
import type { RefundSetup } from './refund-call.ts'
import { openStage, toldPayment } from './stage.ts'
import type { Stage } from './stage.ts'
import type { ContractVendor, RefundMessage, RefundVoice, Signer, Told } from './vendor.ts'

type Queried = (vendor: ContractVendor, setup?: RefundSetup) => Call

const numberedQuery: Queried = (vendor, setup = {}) =>
  refundQueryCall(vendor, { ...setup, isNumbered: true })

/** The calls, as a refund in a certain state needs them. */
const CALLS: readonly (readonly [RefundMessage, Queried])[] = [
  ['answered', submitCall],
  ['found', refundQueryCall],
  ['found', numberedQuery],
]

export function describeRefunds(vendor: ContractVendor): void {
  if (vendor.refund === undefined) return
  describe('refunds', () => {
    for (const call of refundCallsOf(vendor)) describeBrokenAnswers(vendor, call)
    describeSubmit(vendor)
    for (const query of [refundQueryCall, numberedQuery]) describeQuery(vendor, query)
    for (const [message, call] of CALLS) describeStates(vendor, message, call)
    describeNotice(vendor)
    describeRepeat(vendor)
  })
}

function factsIn(outcome: { readonly kind: string; readonly facts?: RefundFacts }): RefundFacts {
  assert(outcome.facts !== undefined, `expected facts, found ${Bun.inspect(outcome)}`)
  return outcome.facts
}

/** What is compared with our own rows; and what the facts do to a refund that was sent. */
function expectFacts(
  vendor: ContractVendor,
  { stage, told }: { readonly stage: Stage; readonly told: Told },
  { facts, message, minor }: { facts: RefundFacts; message: RefundMessage; minor: bigint },
): void {
  const refundState = goodStateIn(vendor, message)
  expect(facts).toMatchObject({
    kind: 'refund',
    paymentNumber: told.paymentId,
    refundNumber: refundIdOf(told.paymentId),
    refundState,
  })
  expect(stage.channel.identity).toMatchObject(facts.identity)
  if (refundOf(vendor).amountToldIn.includes(message)) expect(facts.amountMinor).toBe(minor)
  else expect(facts.amountMinor ?? minor).toBe(minor)
  expect(parseRefundFacts(storeFacts(facts))).toEqual(facts)
  expect(decisionOf(stage, facts, minor)).toMatchObject({ kind: 'move', to: refundState })
}

const goodStateIn = (vendor: ContractVendor, message: RefundMessage) =>
  (message === 'answered' ? refundOf(vendor).answerMeans : undefined) ?? 'succeeded'

const decisionOf = (stage: Stage, facts: RefundFacts, minor: bigint) =>
  decideRefund({
    facts,
    channelAccountId: stage.account.id,
    identity: stage.channel.identity,
    payment: { channelAccountId: stage.account.id, state: 'paid', currency: 'CNY' },
    refund: { state: 'sent', amountMinor: minor, channelRefundId: null },
    isNumberTaken: false,
  })

/** A call that is answered with something else than good news. */
const said = async (
  vendor: ContractVendor,
  call: Call,
  speaks: Signer,
  say: (voice: RefundVoice, ...heard: Parameters<RefundVoice['refused']>) => Response,
) => {
  const voice = refundVoiceOf(vendor.voice(speaks))
  const { outcome } = await perform(vendor, call, {
    change: (_answer, _index, heard) => say(voice, heard),
  })
  return outcome.kind
}

function describeSubmit(vendor: ContractVendor): void {
  const submit = submitCall(vendor)
  describe('a refund that is refused', () => {
    test('is refused by a definite word of the vendor, and unknown by that of a stranger', async () => {
      const refused = (signer: Signer) =>
        said(vendor, submit, signer, (voice, heard) => voice.refused(heard))
      expect(await refused('vendor')).toBe('refused')
      expect(await refused('stranger')).toBe('unknown')
    })

    test('OR-05: with a code that nobody knows is unknown', async () => {
      expect(await said(vendor, submit, 'vendor', (voice, heard) => voice.unknownCode(heard))).toBe(
        'unknown',
      )
    })

    test('for now keeps its number, where the vendor says so', async () => {
      if (refundVoiceOf(vendor.voice('vendor')).notExecuted === undefined) return
      const held = (signer: Signer) =>
        said(vendor, submit, signer, (voice, heard) => {
          assert(voice.notExecuted !== undefined, 'every signer says the same')
          return voice.notExecuted(heard)
        })
      expect(await held('vendor')).toBe('not_executed')
      expect(await held('stranger')).toBe('unknown')
    })
  })

  test('RF-03: what is asked for is the amount of this refund, to the fen', async () => {
    const { amountIn } = refundOf(vendor)
    for (const minor of edgesOf(vendor)) {
      const { stage } = await perform(vendor, submitCall(vendor, { minor }))
      const [heard] = stage.heard
      assert(heard !== undefined, 'the vendor was asked')
      expect(amountIn(heard)).toBe(vendor.writeAmount(minor))
    }
  })
}

function describeQuery(vendor: ContractVendor, query: Queried): void {
  const call = query(vendor)
  describe(call.name, () => {
    test('is absent when the vendor knows no such refund, and unknown when a stranger says so', async () => {
      const absent = (signer: Signer) =>
        said(vendor, call, signer, (voice, heard) => voice.absent(heard))
      expect(await absent('vendor')).toBe('absent')
      expect(await absent('stranger')).toBe('unknown')
    })

    test('is never believed about another refund', async () => {
      const other: Call = {
        ...call,
        answer: (voice, heard, told) =>
          refundVoiceOf(voice).found(
            heard,
            tellRefund(vendor, told, { told: { refundId: newRefundId() } }),
          ),
      }
      const isListed = refundOf(vendor).queriesByList === true && query === refundQueryCall
      expect((await perform(vendor, other)).outcome.kind).toBe(isListed ? 'absent' : 'unknown')
    })
  })
}

function describeStates(vendor: ContractVendor, message: RefundMessage, build: Queried): void {
  const { states, unknownState, answerMeans } = refundOf(vendor)
  const { name } = build(vendor)
  describe(`${name}, which is answered well`, () => {
    test('brings the facts that are compared with our rows, to the fen', async () => {
      for (const minor of edgesOf(vendor)) {
        const performed = await perform(vendor, build(vendor, { minor }))
        const facts = factsIn(performed.outcome)
        expectFacts(vendor, performed, { facts, message, minor })
      }
    })

    if (message === 'answered' && answerMeans !== undefined) return
    const own = states.filter(({ only = [message] }) => only.includes(message))
    test.each([
      ...own.map(({ state, means }) => [state, means] as const),
      [unknownState, 'unknown'] as const,
    ])('RF-09: in the state %s is %s', async (state, means) => {
      const { outcome } = await perform(vendor, build(vendor, { told: { state } }))
      const facts = factsIn(outcome)
      expect(facts.refundState).toBe(means)
      expect(facts.refundStateText).not.toBe('')
    })
  })
}

function describeNotice(vendor: ContractVendor): void {
  const { states, unknownState } = refundOf(vendor)
  const notice = (signer: Signer = 'vendor', setup: RefundSetup = {}) => {
    const stage = openStage(vendor)
    const told = toldPayment(stage, vendor)
    const message = refundVoiceOf(vendor.voice(signer)).callback?.(tellRefund(vendor, told, setup))
    assert(message !== undefined, 'expected a vendor that sends notices')
    return { stage, told, message }
  }
  const factsOf = async (setup: RefundSetup) => {
    const told = notice('vendor', setup)
    const reading = await read(told.stage, told.message)
    assert(reading.kind === 'verified', `expected verified, found ${Bun.inspect(reading)}`)
    const { notification } = reading
    assert(notification.facts.kind === 'refund', `found ${Bun.inspect(notification.facts)}`)
    return { ...told, notification, facts: notification.facts }
  }
  if (refundVoiceOf(vendor.voice('vendor')).callback === undefined) return

  describe('a notice of a refund', () => {
    test('brings the same facts, to the fen, and is acknowledged', async () => {
      for (const minor of edgesOf(vendor)) {
        const { facts, notification, ...place } = await factsOf({ minor })
        expectFacts(vendor, place, { facts, message: 'callback', minor })
        expect(judge(notification)).toBe('other')
      }
    })

    const own = states.filter(({ only = ['callback'] }) => only.includes('callback'))
    test.each([
      ...own.map(({ state, means }) => [state, means] as const),
      [unknownState, 'unknown'] as const,
    ])('RF-09: in the state %s is %s, and is acknowledged', async (state, means) => {
      const { facts, notification } = await factsOf({ told: { state } })
      expect(facts.refundState).toBe(means)
      expect(judge(notification)).toBe('other')
    })

    test('of another refund is another event', async () => {
      const [one, other] = [await factsOf({}), await factsOf({})]
      expect(one.notification.eventKey).not.toBe(other.notification.eventKey)
    })

    test('from a stranger is refused', async () => {
      const { stage, message } = notice('stranger')
      expect((await read(stage, message)).kind).toBe('rejected')
    })
  })
}

function describeRepeat(vendor: ContractVendor): void {
  const submit = submitCall(vendor)
  test('RF-05: a repeat is the same to the letter, also a minute later; or there is none', async () => {
    const twice: Call = {
      ...submit,
      run: async (stage, prepared, told) => {
        await submit.run(stage, prepared, told)
        stage.now = addMs(stage.now, 60_000)
        return partOf(stage).isRepeatable ? submit.run(stage, prepared, told) : { kind: 'none' }
      },
    }
    const { stage } = await perform(vendor, twice)
    const orders = stage.heard.map((heard) => vendor.orderIn(heard))
    expect(orders).toHaveLength(partOf(stage).isRepeatable ? 2 : 1)
    expect(new Set(orders).size).toBe(1)
    expect(orders[0]).not.toBe('')
  })

  test.each(Object.entries(BREAKAGES))(
    'RF-04: after %s what cannot be repeated was sent once',
    async (_name, breakage) => {
      const { stage } = await perform(vendor, submit, { change: (answer) => breakage(answer()) })
      if (!partOf(stage).isRepeatable) expect(stage.heard).toHaveLength(1)
      expect(stage.heard.length).toBeGreaterThan(0)
    },
  )
}
