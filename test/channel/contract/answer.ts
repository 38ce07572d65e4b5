import { describe, expect, test } from 'bun:test'
import type { CreateOutcome } from '#channel/channel'
import { assert } from '#domain/assert'
import { parsePaymentFacts, storeFacts } from '#domain/facts'
import { newPaymentId } from '#domain/id'
import type { PaymentFacts } from '#domain/notification'
import { addMs } from '#domain/time'
import { BREAKAGES, SILENCE, withStatus } from './breakage.ts'
import type { Breakage } from './breakage.ts'
import { callsOf, perform } from './call.ts'
import type { Call } from './call.ts'
import { decisionOf, expectedFacts } from './callback.ts'
import type { ContractVendor, StateCase } from './vendor.ts'

const TIMEOUT_MS = 20
/** So many bytes of an answer are changed, one at a time. */
const PLACES = 60

export function describeAnswers(vendor: ContractVendor): void {
  const calls = callsOf(vendor)
  for (const call of calls) describeBrokenAnswers(vendor, call)
  const queries = calls.filter(({ good }) => good === 'found')
  for (const call of queries) describeQuery(vendor, call)
  for (const call of calls.filter(({ good }) => good === 'closed')) describeClose(vendor, call)
  for (const call of calls.filter(({ good }) => good === 'created')) describeCreate(vendor, call)
}

/** What an answer that is none must never become. */
export function describeBrokenAnswers(vendor: ContractVendor, call: Call): void {
  describe(call.name, () => {
    test(`is ${call.good} when the vendor answers well`, async () => {
      const { outcome, stage } = await perform(vendor, call)
      expect(outcome).toMatchObject({ kind: call.good })
      expect(stage.heard.length).toBeGreaterThan(0)
      expect(stage.exchanges).toHaveLength(stage.heard.length)
    })

    test.each(Object.entries(BREAKAGES))('OR-05: is unknown after %s', async (_name, breakage) => {
      await expectUnknown(vendor, call, breakage)
    })

    test('OR-05: is unknown when the vendor does not answer in time', async () => {
      await expectUnknown(vendor, call, SILENCE, TIMEOUT_MS)
    })

    test('RF-13: is unknown when a stranger signed the answer', async () => {
      const { outcome } = await perform(vendor, call, { speaks: 'stranger' })
      expect(outcome.kind).toBe('unknown')
      const credulous = await perform(vendor, call, { speaks: 'stranger', trusts: 'stranger' })
      expect(credulous.outcome.kind).toBe(call.good)
    })

    test('says the same or unknown when a byte of the answer is changed', async () => {
      const { good, changed } = await sweep(vendor, call)
      expect(good.kind).toBe(call.good)
      for (const outcome of changed) {
        if (outcome.kind !== 'unknown') expect(comparable(outcome)).toEqual(comparable(good))
      }
    })
  })
}

/** Breaks the first request of a call and all after it, then all from the second, and so on. */
async function expectUnknown(
  vendor: ContractVendor,
  call: Call,
  breakage: Breakage,
  timeoutMs?: number,
): Promise<void> {
  const requests = (await perform(vendor, call)).stage.heard.length
  for (let first = 0; first < requests; first += 1) {
    const { outcome } = await perform(vendor, call, {
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      change: (answer, index) => (index < first ? answer() : breakage(answer())),
    })
    expect(outcome.kind).toBe('unknown')
  }
}

/** The good outcome of a call, and its outcomes with a byte of every answer changed, here and there. */
async function sweep(vendor: ContractVendor, call: Call) {
  const changed: { readonly kind: string }[] = []
  let place: number | undefined
  let bytes = 0
  const swept: Call = {
    ...call,
    run: async (stage, prepared, told) => {
      const good = await call.run(stage, prepared, told)
      const step = Math.max(1, Math.floor(bytes / PLACES))
      for (place = 0; place < bytes; place += step) {
        changed.push(await call.run(stage, prepared, told))
      }
      return good
    },
  }
  const { outcome: good } = await perform(vendor, swept, {
    change: async (answer) => {
      const body = new Uint8Array(await answer().clone().arrayBuffer())
      bytes = Math.max(bytes, body.length)
      return place === undefined ? answer() : changeByte(answer(), place)
    },
  })
  return { good, changed }
}

async function changeByte(good: Response, at: number): Promise<Response> {
  const body = new Uint8Array(await good.arrayBuffer())
  const byte = body[at]
  // An answer without a body stays as it is: a 204 is signed in its headers.
  if (byte !== undefined) body[at] = byte ^ 1
  return new Response(body.length === 0 ? null : body, good)
}

/** What a client signs anew each time is no part of what the vendor said. */
function comparable(outcome: { readonly kind: string }): unknown {
  const action = 'nextAction' in outcome ? outcome.nextAction : undefined
  return isSdk(action) ? { ...outcome, nextAction: Object.keys(action.params) } : outcome
}

const isSdk = (action: unknown): action is { readonly params: object } =>
  typeof action === 'object' && action !== null && 'params' in action

function factsIn(outcome: { readonly kind: string; readonly facts?: PaymentFacts }): PaymentFacts {
  assert(outcome.facts !== undefined, `expected facts, found ${Bun.inspect(outcome)}`)
  return outcome.facts
}

function describeQuery(vendor: ContractVendor, call: Call): void {
  describe(call.name, () => {
    test('finds the facts that a callback would bring', async () => {
      const { outcome, stage, told } = await perform(vendor, call)
      const facts = factsIn(outcome)
      expect(facts).toMatchObject(expectedFacts(stage, told))
      expect(facts.identity).toEqual(stage.channel.identity)
      expect(decisionOf(stage, told, facts)).toBe('pay')
      expect(parsePaymentFacts(storeFacts(facts))).toEqual(facts)
    })

    const states = vendor.states.filter(({ only }) => only !== 'callback')
    test.each(states.map((item) => [item.state, item.means, item] as const))(
      'in the state %s means %s',
      async (_state, _means, item) => expectState(vendor, call, item),
    )

    test('in a state that nobody knows leaves the payment pending', async () => {
      if (vendor.unknownState === undefined) return
      await expectState(vendor, call, { state: vendor.unknownState, means: 'unknown' })
    })

    test('is absent when the vendor knows no such payment, and unknown when a stranger says so', async () => {
      const absent = async (speaks: 'vendor' | 'stranger') =>
        perform(vendor, call, {
          change: (_answer, _index, heard) => vendor.voice(speaks).absent(heard),
        })
      expect((await absent('vendor')).outcome).toMatchObject({ kind: 'absent' })
      expect((await absent('stranger')).outcome).toMatchObject({ kind: 'unknown' })
    })

    test.each([500, 502, 503])('is unknown after "no such payment" under %i', async (status) => {
      const { outcome } = await perform(vendor, call, {
        change: (_answer, _index, heard) =>
          withStatus(vendor.voice('vendor').absent(heard), status),
      })
      expect(outcome.kind).toBe('unknown')
    })

    test('is unknown when the answer is about another payment', async () => {
      const other: Call = {
        ...call,
        answer: (voice, heard, told) => voice.found(heard, { ...told, paymentId: newPaymentId() }),
      }
      // In a list other payments are normal, and none of them is ours.
      const isListed = vendor.queriesByList === true && call.name === 'query'
      expect((await perform(vendor, other)).outcome.kind).toBe(isListed ? 'absent' : 'unknown')
    })
  })
}

async function expectState(
  vendor: ContractVendor,
  call: Call,
  { state, means }: StateCase,
): Promise<void> {
  const { outcome, stage, told } = await perform(vendor, call, { told: { state } })
  const facts = factsIn(outcome)
  expect(facts.vendorState).toBe(means)
  expect(facts.vendorStateText).not.toBe('')
  expect(decisionOf(stage, told, facts)).toBe(means === 'success' ? 'pay' : 'ask_vendor')
}

function describeClose(vendor: ContractVendor, call: Call): void {
  describe('close', () => {
    test('OR-02: of a payment that has just been paid is paid, with its facts', async () => {
      const voice = vendor.voice('vendor')
      const { outcome, stage, told } = await perform(
        vendor,
        {
          ...call,
          answer: (_voice, heard, paid) => voice.found(heard, paid),
        },
        {
          change: (answer, index, heard) =>
            index === 0 ? (voice.closeRefused?.(heard) ?? answer()) : answer(),
        },
      )
      expect(outcome.kind).toBe('paid')
      expect(factsIn(outcome)).toMatchObject(expectedFacts(stage, told))
    })

    test('of a payment that the vendor does not know proves nothing', async () => {
      const { outcome } = await perform(vendor, call, {
        change: (_answer, _index, heard) => vendor.voice('vendor').absent(heard),
      })
      expect(['absent', 'unknown']).toContain(outcome.kind)
    })
  })
}

function describeCreate(vendor: ContractVendor, call: Call): void {
  describe(call.name, () => {
    test('is refused when the vendor says so, and unknown when a stranger does', async () => {
      const refused = async (speaks: 'vendor' | 'stranger') =>
        perform(vendor, call, {
          change: (_answer, _index, heard) => vendor.voice(speaks).refused(heard),
        })
      expect((await refused('vendor')).outcome.kind).toBe('refused')
      expect((await refused('stranger')).outcome.kind).toBe('unknown')
    })

    test.each([500, 502, 503])('is unknown after a refusal under %i', async (status) => {
      const { outcome } = await perform(vendor, call, {
        change: (_answer, _index, heard) =>
          withStatus(vendor.voice('vendor').refused(heard), status),
      })
      expect(outcome.kind).toBe('unknown')
    })

    test('repeats the stored order to the letter, also a minute later', async () => {
      const outcomes: CreateOutcome[] = []
      const repeated: Call = {
        ...call,
        run: async (stage, prepared) => {
          outcomes.push(await stage.channel.createPayment(prepared, stage.record))
          stage.now = addMs(stage.now, 60_000)
          outcomes.push(await stage.channel.createPayment(prepared, stage.record))
          return { kind: 'done' }
        },
      }
      // The answers keep the time of the first call: the minute is within every vendor's window.
      const { stage } = await perform(vendor, repeated)
      expect(outcomes.map(({ kind }) => kind)).toEqual(['created', 'created'])
      const orders = stage.heard.map((heard) => vendor.orderIn(heard))
      expect(new Set(orders).size).toBe(1)
      expect(orders[0]).not.toBe('')
    })
  })
}
