import { describe, expect, test } from 'bun:test'
import { StoreUnavailable, receiveCallback } from '#channel/callback'
import type { RejectedReading, StoreNotification } from '#channel/callback'
import type { CallbackReading, Channel, RawCallback } from '#channel/channel'
import { newChannelAccountId } from '#domain/id'
import { mintVerified } from '#domain/notification'
import type { VendorState } from '#domain/notification'

const callback: RawCallback = {
  account: newChannelAccountId(),
  headers: {},
  body: new Uint8Array(),
}

const unused = () => {
  throw new Error('the template uses only readCallback and acknowledge')
}

/** A vendor whose answers are their own names. */
const channelOf = (reading: CallbackReading): Channel => ({
  capabilities: {
    methods: [],
    close: false,
    refund: false,
    bill: false,
    expiresInSecondsMin: 1,
    expiresInSecondsMax: 2,
    credentialSeconds: {},
    queryPaceSeconds: [],
    queriesPerMinuteMax: 1,
    closeMarginSeconds: 0,
  },
  identity: {},
  preparePayment: unused,
  createPayment: unused,
  queryPayment: unused,
  readCallback: () => Promise.resolve(reading),
  acknowledge: (answer) => new Response(answer),
})

const paymentIn = (vendorState: VendorState): CallbackReading => ({
  kind: 'verified',
  notification: mintVerified({
    eventKey: 'evt:1',
    keySerial: '1',
    facts: {
      kind: 'payment',
      paymentNumber: 'p1',
      identity: {},
      vendorState,
      vendorStateText: vendorState,
    },
  }),
})

const stores: StoreNotification = () => Promise.resolve()

const answerTo = async (reading: CallbackReading, store: StoreNotification = stores) =>
  (await receiveCallback(channelOf(reading), callback, store)).text()

describe('receiveCallback', () => {
  test.each([
    ['success', 'stored'],
    ['closed', 'stored'],
    ['money_moved', 'stored'],
    ['unknown', 'stored'],
    ['failed', 'refused'],
    ['not_yet', 'refused'],
  ] as const)('a payment that is %s is %s', async (state, answer) => {
    expect(await answerTo(paymentIn(state))).toBe(answer)
  })

  test('other and unreadable news is stored', async () => {
    for (const facts of [
      { kind: 'other', eventType: 'REFUND.SUCCESS' },
      { kind: 'unreadable', reason: 'x' },
    ] as const) {
      const notification = mintVerified({ eventKey: 'evt:1', keySerial: '1', facts })
      expect(await answerTo({ kind: 'verified', notification })).toBe('stored')
    }
  })

  test('a failed result is stored before it is refused', async () => {
    let stored = 0
    const store = () => {
      stored += 1
      return Promise.resolve()
    }
    expect(await answerTo(paymentIn('failed'), store)).toBe('refused')
    expect(stored).toBe(1)
  })

  test('a store that is away makes the vendor repeat', async () => {
    const away = () => Promise.reject(new StoreUnavailable('no connection'))
    expect(await answerTo(paymentIn('success'), away)).toBe('unavailable')
  })

  test('any other exception of the store acknowledges nothing', async () => {
    const broken = () => Promise.reject(new Error('a bug'))
    expect(answerTo(paymentIn('success'), broken)).rejects.toThrow('a bug')
  })

  test('a rejected callback is never stored and is handed over with its reason', async () => {
    const seen: [RejectedReading, RawCallback][] = []
    let stored = 0
    const reading = { kind: 'rejected', reason: 'bad_signature', explanation: 'x' } as const
    const response = await receiveCallback(
      channelOf(reading),
      callback,
      () => {
        stored += 1
        return Promise.resolve()
      },
      (...rejected) => seen.push(rejected),
    )
    expect(await response.text()).toBe('rejected')
    expect(seen).toEqual([[reading, callback]])
    expect(stored).toBe(0)
    expect(await answerTo(reading)).toBe('rejected')
  })
})
