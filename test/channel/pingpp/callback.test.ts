import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { StoreUnavailable, receiveCallback } from '#channel/callback'
import type { StoreNotification } from '#channel/callback'
import { judge } from '#domain/notification'
import { assert } from '#domain/assert'
import { atSecond, contentOf, paymentId, reasonOf } from '../support.ts'
import {
  app,
  buildChannel,
  callbackOf,
  eventOf,
  newerPem,
  paid,
  read,
  signedAt,
  testChannel,
  vendorHeaders,
  vendorNumber,
  vendorPayment,
} from './support.ts'

const stored: StoreNotification = () => Promise.resolve()

async function answerTo(body: string, store: StoreNotification = stored) {
  const built = buildChannel()
  const callback = callbackOf(built, body, vendorHeaders(body))
  return receiveCallback(built.channel, callback, store)
}

const event = (
  changes: Readonly<Record<string, unknown>>,
  eventChanges: Readonly<Record<string, unknown>> = {},
) => eventOf(vendorPayment({ ...paid, credential: {}, ...changes }), eventChanges)

describe('reading', () => {
  test('pingpp checklist 15: facts carry all that is compared, under the vendor number', async () => {
    expect(contentOf(await read(eventOf()))).toEqual({
      eventKey: 'evt:evt_400260314000000000000001',
      keySerial: 'first',
      facts: {
        kind: 'payment',
        paymentNumber: paymentId,
        identity: { app },
        vendorState: 'success',
        vendorStateText: 'paid=true',
        channelPaymentId: vendorNumber,
        walletPaymentId: '2026031422001',
        vendorProduct: 'alipay_qr',
        amountMinor: 12_800n,
        currency: 'CNY',
        paidAt: new Date((signedAt + 5) * 1000),
      },
    })
  })

  test.each([
    [{ paid: true }, 'success', 'success'],
    [{ paid: false }, 'not_yet', 'failed'],
    [{ paid: true, reversed: true }, 'money_moved', 'other'],
    [{ paid: false, reversed: true }, 'money_moved', 'other'],
    [{ paid: true, refunded: true }, 'success', 'success'],
    [{ paid: true, reversed: null }, 'success', 'success'],
  ] as const)('%p means %s, and is judged %s', async (changes, vendorState, judgement) => {
    const reading = await read(event(changes))
    expect(contentOf(reading).facts).toMatchObject({ kind: 'payment', vendorState })
    assert(reading.kind === 'verified', 'the event is genuine')
    expect(judge(reading.notification)).toBe(judgement)
  })

  test.each([null, undefined, '', 20260314, {}, ' 1', '1\u0000', '1'.repeat(65)])(
    'a wallet number %p is none, and the payment is paid without it',
    async (transaction_no) => {
      const { facts } = contentOf(await read(event({ transaction_no })))
      expect(facts).toMatchObject({ kind: 'payment', vendorState: 'success' })
      expect(facts).not.toHaveProperty('walletPaymentId')
    },
  )

  test.each([
    ['a failed payment', 'charge.failed', vendorPayment(), paymentId],
    ['a batch of refunds', 'batch_refund.succeeded', { object: 'batch_refund' }, undefined],
    ['a summary', 'summary.daily.available', { object: 'app_daily_summary' }, undefined],
    ['an order of the vendor', 'order.succeeded', { object: 'order', order_no: 'x' }, undefined],
    ['nothing at all', 'customs.succeeded', null, undefined],
  ])('%s is other news', async (_name, type, object, paymentNumber) => {
    const { facts } = contentOf(await read(eventOf(object, { type })))
    expect(facts).toEqual({
      kind: 'other',
      eventType: type,
      ...(paymentNumber === undefined ? {} : { paymentNumber }),
    })
  })

  test('pingpp checklist 13: an unknown type is stored and answered 2xx', async () => {
    const types: string[] = []
    const response = await answerTo(eventOf({}, { type: 'moon.landed' }), ({ facts }) => {
      if (facts.kind === 'other') types.push(facts.eventType)
      return Promise.resolve()
    })
    expect(response.status).toBe(200)
    expect(types).toEqual(['moon.landed'])
  })

  test('pingpp checklist 14: a repeat has the same identity and the same answer', async () => {
    const body = eventOf()
    const keys = [contentOf(await read(body)).eventKey, contentOf(await read(body)).eventKey]
    expect(new Set(keys).size).toBe(1)
    expect([(await answerTo(body)).status, (await answerTo(body)).status]).toEqual([200, 200])
  })

  test.each([undefined, null, '', 7, {}])(
    'pingpp checklist 14: with the id %p the raw body is the identity',
    async (id) => {
      const body = eventOf(undefined, { id })
      const digest = createHash('sha256').update(body).digest('hex')
      expect(contentOf(await read(body)).eventKey).toBe(`sha:${digest}`)
    },
  )

  test('pingpp checklist 18: an event 25 h late is read like a fresh one', async () => {
    const late = buildChannel({ at: atSecond(signedAt + 25 * 3600) })
    const body = eventOf()
    expect(contentOf(await read(body, vendorHeaders(body), late))).toEqual(
      contentOf(await read(body)),
    )
  })

  test.each([0, -1, 1.5, '12800', null, undefined, 2 ** 53, true])(
    'pingpp checklist 19: an amount of %p is no amount',
    async (amount) => {
      const { facts } = contentOf(await read(event({ amount })))
      expect(facts).toMatchObject({ kind: 'payment', vendorState: 'success' })
      expect(facts).not.toHaveProperty('amountMinor')
    },
  )

  test('the amount is what was ordered, not what is left after fees', async () => {
    const { facts } = contentOf(await read(event({ amount: 100, amount_settle: 99 })))
    expect(facts).toMatchObject({ amountMinor: 100n })
  })

  test('pingpp checklist 26: [] stands for an empty object', async () => {
    const { facts } = contentOf(await read(event({ extra: [], metadata: [], credential: [] })))
    expect(facts).toMatchObject({ kind: 'payment', vendorState: 'success' })
  })

  test('pingpp checklist 27: unknown fields, no reversed and no refunds do not matter', async () => {
    const { reversed: _, ...old } = vendorPayment({ ...paid, refunds: null, weather: ['rain'] })
    const { facts } = contentOf(await read(eventOf(old, { scope: 'x', acct_id: 'y' })))
    expect(facts).toMatchObject({ kind: 'payment', vendorState: 'success' })
  })

  test.each([
    ['no order number', { order_no: undefined }],
    ['a number for text', { order_no: 17 }],
    ['no id', { id: undefined }],
    ['text for a boolean', { paid: 'true' }],
    ['another object', { object: 'refund' }],
    ['no mode', { livemode: undefined }],
  ])('a success with %s is kept for a person', async (_name, changes) => {
    expect(contentOf(await read(event(changes))).facts.kind).toBe('unreadable')
    expect((await answerTo(event(changes))).status).toBe(200)
  })

  test.each(['[]', 'null', '7', '{}', 'text', '{"type":7}', '{"type":""}'])(
    'the genuine body %s is kept for a person, by its digest',
    async (body) => {
      const content = contentOf(await read(body))
      expect(content.facts.kind).toBe('unreadable')
      expect(content.eventKey).toStartWith('sha:')
    },
  )

  test('news without an object is still news', async () => {
    for (const data of [undefined, null, {}, { object: null }]) {
      const body = eventOf(null, { type: 'customs.succeeded', data })
      expect(contentOf(await read(body)).facts.kind).toBe('other')
    }
  })

  test('a time of payment that no calendar has is no time', async () => {
    for (const time_paid of [null, '1', -1, 0, 1.5, 1e300]) {
      expect(contentOf(await read(event({ time_paid }))).facts).not.toHaveProperty('paidAt')
    }
  })
})

describe('keys', () => {
  test('any key that has not ended verifies, and is named', async () => {
    const body = eventOf()
    expect(contentOf(await read(body, vendorHeaders(body, newerPem))).keySerial).toBe('second')
  })
})

describe('modes', () => {
  const testEvent = event({ livemode: false }, { livemode: false })

  test('pingpp checklist 16: a test event cannot pay a live order, nor the reverse', async () => {
    expect(reasonOf(await read(testEvent))).toBe('wrong_mode')
    expect(reasonOf(await read(eventOf(), vendorHeaders(eventOf()), testChannel()))).toBe(
      'wrong_mode',
    )
    for (const mixed of [event({ livemode: false }), event({}, { livemode: false })]) {
      expect(reasonOf(await read(mixed))).toBe('wrong_mode')
    }
  })

  test('other news of the other mode is refused, too', async () => {
    const news = eventOf({}, { livemode: false, type: 'refund.succeeded' })
    expect(reasonOf(await read(news))).toBe('wrong_mode')
  })

  test('pingpp checklist 40: in test mode a payment is read the same way', async () => {
    const inTest = contentOf(await read(testEvent, vendorHeaders(testEvent), testChannel()))
    expect(inTest.facts).toEqual(contentOf(await read(eventOf())).facts)
  })
})

describe('answers', () => {
  test('a stored success is 200, and a payment that is not paid is refused', async () => {
    expect((await answerTo(eventOf())).status).toBe(200)
    expect((await answerTo(event({ paid: false }))).status).toBe(500)
    expect((await answerTo(event({ reversed: true }))).status).toBe(200)
  })

  test('pingpp checklist 17: what is not stored is answered 5xx, so that it comes again', async () => {
    const response = await answerTo(eventOf(), () => Promise.reject(new StoreUnavailable('away')))
    expect(response.status).toBe(503)
  })

  test('pingpp checklist 10: what does not verify is answered 4xx and never stored', async () => {
    const built = buildChannel()
    const body = eventOf()
    const response = await receiveCallback(
      built.channel,
      callbackOf(built, `${body} `, vendorHeaders(body)),
      () => Promise.reject(new Error('must not be stored')),
    )
    expect(response.status).toBe(401)
  })
})
