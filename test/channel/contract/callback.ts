import { describe, expect, test } from 'bun:test'
import type { CallbackReading } from '#channel/channel'
import { assert } from '#domain/assert'
import { decideConfirmation } from '#domain/confirm'
import { judge } from '#domain/notification'
import type { NotificationContent, PaymentFacts } from '#domain/notification'
import { addMs } from '#domain/time'
import fc from 'fast-check'
import { DEFAULT_MINOR, callbackTo, openStage, toldPayment } from './stage.ts'
import type { Stage } from './stage.ts'
import type { ContractVendor, SignedCallback, StateCase, Told } from './vendor.ts'

const DAY_SECONDS = 86_400

export const read = (stage: Stage, message: SignedCallback): Promise<CallbackReading> =>
  stage.channel.readCallback(callbackTo(stage, message))

export function contentOf(reading: CallbackReading): NotificationContent {
  const found = reading.kind === 'rejected' ? `${reading.reason}: ${reading.explanation}` : ''
  assert(reading.kind === 'verified', `expected verified, found ${found}`)
  return reading.notification
}

export function factsOf(reading: CallbackReading): PaymentFacts {
  const { facts } = contentOf(reading)
  assert(facts.kind === 'payment', `expected payment facts, found ${Bun.inspect(facts)}`)
  return facts
}

/** What is compared with our own row, for a payment as it was told. */
export const expectedFacts = (stage: Stage, told: Told): Partial<PaymentFacts> => ({
  kind: 'payment',
  paymentNumber: told.paymentId,
  identity: stage.channel.identity,
  channelPaymentId: told.channelPaymentId,
  amountMinor: DEFAULT_MINOR,
  currency: 'CNY',
  ...(told.vendorTime === undefined ? {} : { vendorTime: told.vendorTime }),
  ...(told.vendorProduct === undefined ? {} : { vendorProduct: told.vendorProduct }),
})

/** What these facts do to a pending payment of ours: `pay` for success, and nothing for all else. */
export const decisionOf = (stage: Stage, told: Told, facts: PaymentFacts): string =>
  decideConfirmation({
    facts,
    channelAccountId: stage.account.id,
    identity: stage.channel.identity,
    payment: {
      id: told.paymentId,
      channelAccountId: stage.account.id,
      amountMinor: DEFAULT_MINOR,
      currency: 'CNY',
      state: 'pending',
      channelPaymentId: undefined,
      vendorTime: told.vendorTime,
      vendorProduct: told.vendorProduct,
      orderState: 'unpaid',
    },
    vendorNumberOwner: undefined,
  }).kind

export function describeCallback(vendor: ContractVendor): void {
  describeReading(vendor)
  describeRefusal(vendor)
}

export function genuine(vendor: ContractVendor) {
  const stage = openStage(vendor)
  const told = toldPayment(stage, vendor)
  return { stage, told, message: vendor.voice('vendor').callback(told) }
}

function describeReading(vendor: ContractVendor): void {
  describe('a genuine callback', () => {
    test('is verified, and its facts are all that is compared with our row', async () => {
      const { stage, told, message } = genuine(vendor)
      const facts = factsOf(await read(stage, message))
      expect(facts).toMatchObject(expectedFacts(stage, told))
      expect(facts.identity).toEqual(stage.channel.identity)
      expect(facts.vendorState).toBe('success')
      expect(decisionOf(stage, told, facts)).toBe('pay')
      expect(judge(mustVerify(await read(stage, message)))).toBe('success')
      expect(stage.heard).toEqual([])
    })

    test('has the same identity when it is repeated, and another payment has another', async () => {
      const { stage, message } = genuine(vendor)
      const other = vendor.voice('vendor').callback(toldPayment(stage, vendor))
      const first = contentOf(await read(stage, message))
      expect(contentOf(await read(stage, message))).toEqual(first)
      expect(contentOf(await read(stage, other)).eventKey).not.toBe(first.eventKey)
    })

    test.each(vendor.sameMessage.map(({ name, rewrite }) => [name, rewrite] as const))(
      'stays the same with %s',
      async (_name, rewrite) => {
        const { stage, message } = genuine(vendor)
        const rewritten = rewrite(message)
        expect(Buffer.from(rewritten.body).equals(Buffer.from(message.body))).toBe(false)
        expect(await read(stage, rewritten)).toEqual(await read(stage, message))
      },
    )

    const states = vendor.states.filter(({ only }) => only !== 'query')
    test.each(states.map((item) => [item.state, item.means, item] as const))(
      'in the state %s means %s',
      async (_state, _means, item) => expectState(vendor, item),
    )

    test('in a state that nobody knows is other news, and the payment stays pending', async () => {
      if (vendor.unknownState === undefined) return
      await expectState(vendor, { state: vendor.unknownState, means: 'unknown' })
    })
  })
}

function mustVerify(reading: CallbackReading) {
  assert(reading.kind === 'verified', 'expected verified')
  return reading.notification
}

async function expectState(vendor: ContractVendor, { state, means }: StateCase): Promise<void> {
  const stage = openStage(vendor)
  const told = toldPayment(stage, vendor, { state })
  const reading = await read(stage, vendor.voice('vendor').callback(told))
  const facts = factsOf(reading)
  expect(facts.vendorState).toBe(means)
  expect(facts.vendorStateText).not.toBe('')
  expect(decisionOf(stage, told, facts)).toBe(means === 'success' ? 'pay' : 'ask_vendor')
  if (means === 'unknown') expect(judge(mustVerify(reading))).toBe('other')
}

function describeRefusal(vendor: ContractVendor): void {
  describe('a callback is refused', () => {
    test('signed by a stranger, whom an account that trusts it believes', async () => {
      const { stage, told, message } = genuine(vendor)
      const forged = vendor.voice('stranger').callback(told)
      const credulous = openStage(vendor, { trusts: 'stranger' })
      expect((await read(stage, forged)).kind).toBe('rejected')
      expect((await read(credulous, message)).kind).toBe('rejected')
      expect((await read(credulous, forged)).kind).toBe('verified')
    })

    test('CB-12: signed by a stranger, wherever it says that it comes from', async () => {
      const { stage, told } = genuine(vendor)
      const { headers, body } = vendor.voice('stranger').callback(told)
      const origin = { host: 'localhost', 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '10.0.0.1' }
      expect((await read(stage, { headers: { ...headers, ...origin }, body })).kind).toBe(
        'rejected',
      )
    })

    test('with any byte of the body changed', async () => {
      const { stage, message } = genuine(vendor)
      for (let at = 0; at < message.body.length; at += 1) {
        await expectRefusedOrSame(vendor, stage, message, changedAt(message, at, 1))
      }
      const change = fc.tuple(fc.nat(message.body.length - 1), fc.integer({ min: 2, max: 255 }))
      await fc.assert(
        fc.asyncProperty(change, async ([at, mask]) =>
          expectRefusedOrSame(vendor, stage, message, changedAt(message, at, mask)),
        ),
        { numRuns: 200 },
      )
    })

    test('with bytes before or behind the body', async () => {
      const { stage, message } = genuine(vendor)
      const additions = [
        ['\ufeff', ''],
        [' ', ''],
        ['', '\n'],
        ['', ' '],
        ['', '&extra=1'],
        ['a=1&', ''],
      ]
      for (const [before = '', after = ''] of additions) {
        const body = Buffer.concat([Buffer.from(before), message.body, Buffer.from(after)])
        await expectRefusedOrSame(vendor, stage, message, { headers: message.headers, body })
      }
    })

    test('with a signed header gone, empty or changed', async () => {
      const { stage, message } = genuine(vendor)
      for (const name of vendor.signedHeaders) {
        const { [name]: value = '', ...others } = message.headers
        expect(value).not.toBe('')
        for (const headers of [others, ...changedHeader(others, name, value)]) {
          expect((await read(stage, { headers, body: message.body })).kind).toBe('rejected')
        }
      }
    })

    test.each(['application/xml', 'text/plain', ''])('with the content type "%s"', async (type) => {
      const { stage, message } = genuine(vendor)
      const headers = { ...message.headers, 'content-type': type }
      expect((await read(stage, { headers, body: message.body })).kind).toBe('rejected')
    })

    test('after the window of its signature; without one, a repeat of tomorrow is read', async () => {
      const { stage, message } = genuine(vendor)
      const { windowSeconds } = vendor
      stage.now = addMs(vendor.now, ((windowSeconds ?? DAY_SECONDS) - 1) * 1000)
      expect((await read(stage, message)).kind).toBe('verified')
      stage.now = addMs(vendor.now, (windowSeconds ?? DAY_SECONDS) * 1000)
      expect(await read(stage, message)).toMatchObject(
        windowSeconds === undefined ? { kind: 'verified' } : { kind: 'rejected', reason: 'stale' },
      )
    })

    test('with an explanation that says nothing of the payer and shows no signature', async () => {
      const { stage, told } = genuine(vendor)
      const reading = await read(stage, vendor.voice('stranger').callback(told))
      const shown = JSON.stringify(reading)
      for (const mark of vendor.payerMarks) expect(shown).not.toContain(mark)
      expect(shown).not.toMatch(SIGNATURE)
    })
  })
}

/** An RSA signature in base64, or percent-encoded. */
export const SIGNATURE = /(?:[A-Za-z0-9+/]|%2[BFbf]){150,}/

function changedAt({ headers, body }: SignedCallback, at: number, mask: number): SignedCallback {
  const changed = Uint8Array.from(body)
  changed[at] = (changed[at] ?? 0) ^ mask
  return { headers, body: changed }
}

/** Every character of a header counts, at its start, its end and between. */
function changedHeader(
  others: Readonly<Record<string, string>>,
  name: string,
  value: string,
): Record<string, string>[] {
  const places = [0, Math.floor(value.length / 2), value.length - 1]
  const changed = places.map(
    (at) => value.slice(0, at) + (value[at] === '7' ? '8' : '7') + value.slice(at + 1),
  )
  return ['', `${value}7`, ...changed].map((text) => ({ ...others, [name]: text }))
}

/** Where the scheme normalises, a changed byte may say the same; it must never say something else. */
export async function expectRefusedOrSame(
  vendor: ContractVendor,
  stage: Stage,
  message: SignedCallback,
  changed: SignedCallback,
): Promise<void> {
  const reading = await read(stage, changed)
  if (reading.kind === 'rejected') return
  expect(vendor.sameMessage.length).toBeGreaterThan(0)
  expect<unknown>(reading).toEqual(await read(stage, message))
}
