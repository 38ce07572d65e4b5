import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import type { TestMerchant } from './merchant.ts'
import { APP, chargeBody, startTestMerchant } from './merchant.ts'

let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ retryDelaysMs: [1] })
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

const LIST = `/v1/charges?app%5Bid%5D=${APP}&limit=1`
const list = (signal?: AbortSignal) =>
  merchant.call('GET', LIST, signal === undefined ? {} : { signal })

async function pay(number: string): Promise<void> {
  const result = merchant.emulator.pay(number)
  if (result.kind !== 'paid') throw new Error(`expected paid, got ${result.reason}`)
  await result.done
}

const eventsFor = (number: string) =>
  merchant.received.filter(({ body }) => body.includes(`"order_no":"${number}"`))

describe('the fault panel of the API', () => {
  test.each([
    [{ status401: 1 }, 401],
    [{ status403: 1 }, 403],
    [{ status404: 1 }, 404],
    [{ status429: 1 }, 429],
    [{ status500: 1 }, 500],
    [{ status502: 1 }, 502],
  ])('answers %j once', async (knobs, status) => {
    merchant.emulator.setKnobs(knobs)
    expect((await list()).status).toBe(status)
    expect((await list()).status).toBe(200)
  })

  test('lets the channel behind Ping++ fail, and nothing is made', async () => {
    merchant.emulator.setKnobs({ status402: 1 })
    const { status, json } = await merchant.create('FAULT001')
    expect(status).toBe(402)
    expect(json).toMatchObject({ error: { type: 'channel_error' } })
    expect(merchant.emulator.order('FAULT001')).toBeUndefined()
  })

  test.each([
    [{ failAfterCommit: 1 }, 500],
    [{ badGatewayAfterCommit: 1 }, 502],
  ])('commits and answers %j: a repeat meets its own number', async (knobs, status) => {
    const number = `COMMIT${status}`
    merchant.emulator.setKnobs(knobs)
    expect((await list()).status).toBe(200)
    expect((await merchant.create(number)).status).toBe(status)
    const repeat = await merchant.create(number)
    expect(repeat.json).toMatchObject({ error: { code: 'charge_order_no_used' } })
    expect(merchant.emulator.order(number)).toBeDefined()
  })

  test('commits and never answers', async () => {
    merchant.emulator.setKnobs({ silenceAfterCommit: 1 })
    const patience = new AbortController()
    const call = { body: chargeBody('SILENT01'), signal: patience.signal }
    const lost = merchant.call('POST', '/v1/charges', call).catch(() => 'hung up')
    while (merchant.emulator.order('SILENT01') === undefined) await list()
    patience.abort()
    expect(await lost).toBe('hung up')
  })

  test('is silent until it is released', async () => {
    merchant.emulator.setKnobs({ silence: true })
    const kept = merchant.create('SILENT02')
    await fetch(`${merchant.emulator.url}/_control/health`)
    expect(merchant.emulator.order('SILENT02')).toBeUndefined()
    merchant.emulator.setKnobs({ silence: false })
    expect((await kept).status).toBe(200)
  })

  test('hangs without acting', async () => {
    merchant.emulator.setKnobs({ hangRequests: 1 })
    const patience = new AbortController()
    const call = { body: chargeBody('HANGING1'), signal: patience.signal }
    const lost = merchant.call('POST', '/v1/charges', call).catch(() => 'hung up')
    const isWaiting = (): boolean => merchant.emulator.setKnobs({}).hangRequests > 0
    while (isWaiting()) await fetch(`${merchant.emulator.url}/_control/health`)
    patience.abort()
    expect(await lost).toBe('hung up')
    expect(merchant.emulator.order('HANGING1')).toBeUndefined()
  })

  test('cuts answers and speaks HTML', async () => {
    merchant.emulator.setKnobs({ cutAnswers: 1 })
    expect(await list().catch(() => 'cut')).toBe('cut')
    merchant.emulator.setKnobs({ htmlAnswers: 1 })
    expect((await list()).text).toStartWith('<!doctype html>')
  })

  test('reports states that nobody knows', async () => {
    await merchant.create('STRANGE1')
    merchant.emulator.setKnobs({ unknownTradeState: 'LEVITATING' })
    const id = merchant.emulator.order('STRANGE1')?.id ?? ''
    const { json } = await merchant.call('GET', `/v1/charges/${id}`)
    expect(json).toMatchObject({ paid: 'LEVITATING' })
  })

  test('shows the credential again in reads when the panel says so', async () => {
    const made = await merchant.create('READAGAIN')
    const id = merchant.emulator.order('READAGAIN')?.id ?? ''
    const read = () => merchant.call('GET', `/v1/charges/${id}`)
    expect((await read()).json).toMatchObject({ credential: {} })
    merchant.emulator.setKnobs({ credentialInReads: true })
    expect((await read()).json).toEqual(made.json)
  })

  test('lets the event overtake the answer of the create', async () => {
    merchant.emulator.setKnobs({ callbackBeforeAnswer: true })
    expect((await merchant.create('OVERTAKE')).status).toBe(200)
    expect(eventsFor('OVERTAKE').length).toBe(1)
  })

  test('spares the pages of the buyer', async () => {
    await merchant.create('SPARED01')
    merchant.emulator.setKnobs({ silence: true, status401: true })
    const id = merchant.emulator.order('SPARED01')?.id ?? ''
    expect((await fetch(`${merchant.emulator.url}/buyer/${id}`)).status).toBe(200)
  })
})

describe('the fault panel of deliveries', () => {
  test('loses, repeats, changes the amount and signs with a key nobody knows', async () => {
    await merchant.create('DELIVERY')
    merchant.emulator.setKnobs({ wrongAmount: -1, wrongKey: 1, duplicate: 2 })
    await pay('DELIVERY')
    const events = eventsFor('DELIVERY')
    expect(new Set(events.map(({ isGenuine }) => isGenuine))).toEqual(new Set([false, true]))
    expect(events.length).toBe(2)
    for (const { event } of events) {
      expect(event).toMatchObject({ data: { object: { amount: 12_799 } } })
    }
    await merchant.create('LOSTONCE')
    merchant.emulator.setKnobs({ dropCallbacks: 1, duplicate: 1 })
    await pay('LOSTONCE')
    const outcomes = merchant.emulator.deliveriesFor('LOSTONCE').map(({ outcome }) => outcome)
    expect(outcomes).toEqual(['dropped', 'acknowledged'])
  })

  test('sends the last event first when it reorders', async () => {
    merchant.emulator.setKnobs({ reorder: 2 })
    for (const number of ['REORDER1', 'REORDER2']) {
      await merchant.create(number)
      merchant.emulator.pay(number)
    }
    await merchant.emulator.idle()
    const order = merchant.emulator
      .deliveries()
      .map(({ orderNumber }) => orderNumber)
      .filter((number) => number.startsWith('REORDER'))
    expect(order).toEqual(['REORDER2', 'REORDER1'])
  })
})

describe('the shape of objects', () => {
  test('has [] in place of {} when the panel says so', async () => {
    merchant.emulator.setKnobs({ emptyArrays: true })
    const { json } = await merchant.create('ARRAYS01')
    expect(json).toMatchObject({ extra: [], metadata: [], credential: { object: 'credential' } })
    await pay('ARRAYS01')
    expect(eventsFor('ARRAYS01')[0]?.event).toMatchObject({
      data: { object: { metadata: [], credential: [] } },
    })
  })

  test('has no `reversed`, no list of refunds and no event id in old payloads', async () => {
    await merchant.create('OLDSHAPE')
    merchant.emulator.setKnobs({ oldPayloads: true, eventWithoutId: true })
    await pay('OLDSHAPE')
    const [callback] = eventsFor('OLDSHAPE')
    expect(callback?.event).not.toHaveProperty('id')
    expect(callback?.event).toMatchObject({ data: { object: { refunds: null } } })
    expect(callback?.body).not.toContain('"reversed"')
    expect(callback?.isGenuine).toBe(true)
  })
})

describe('the control panel over HTTP', () => {
  const control = async (name: string, body?: unknown) => {
    const response = await fetch(`${merchant.emulator.url}/_control/${name}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const value: unknown = await response.json()
    return { status: response.status, value }
  }

  test('pays, shows orders, events and the log', async () => {
    await merchant.create('CONTROL1')
    const paid = await control('pay', { orderNumber: 'CONTROL1' })
    expect(paid).toMatchObject({ status: 200, value: { kind: 'paid' } })
    expect((await control('pay', { orderNumber: 'CONTROL1' })).status).toBe(409)
    await merchant.emulator.idle()
    expect((await control('orders')).value).toMatchObject({
      orders: expect.arrayContaining([
        expect.objectContaining({ order_no: 'CONTROL1', paid: true }),
      ]),
    })
    expect((await control('events')).value).toMatchObject({ events: expect.any(Array) })
    expect((await control('log')).value).toMatchObject({ deliveries: expect.any(Array) })
  })

  test('forges, sends what it is told, adds webhooks and changes keys', async () => {
    await merchant.create('CONTROL2')
    const forged = await control('forge', { forgery: 'unsigned', orderNumber: 'CONTROL2' })
    expect(forged.value).toMatchObject({ kind: 'forged' })
    const url = merchant.callbackUrl
    const sent = await control('callback', { url, body: { type: 'new.kind' }, eventId: 'evt_1' })
    expect(sent.value).toMatchObject({ kind: 'genuine', eventId: 'evt_1', acknowledged: true })
    expect(merchant.received.at(-1)).toMatchObject({ isGenuine: true, event: { type: 'new.kind' } })
    expect((await control('webhook', { app: 'app_2', livemode: true, url })).status).toBe(200)
    const { value } = await control('rotate-key', {})
    expect(value).toEqual({ publicKeyPem: merchant.emulator.vendorKeys().publicKeyPem })
  })

  test('ends refunds and sends the summary of a day', async () => {
    merchant.emulator.setKnobs({ refundEnding: 'held' })
    await merchant.create('CONTROL3')
    await pay('CONTROL3')
    const id = merchant.emulator.order('CONTROL3')?.id ?? ''
    await merchant.call('POST', `/v1/charges/${id}/refunds`, { body: { description: '退货' } })
    const [refund] = merchant.emulator.refunds('CONTROL3')
    const body = { refundId: refund?.id, ending: 'succeeded' }
    expect((await control('refund', body)).status).toBe(200)
    expect((await control('refund', body)).status).toBe(404)
    expect((await control('summary', { app: APP, day: '2026-03-14' })).status).toBe(200)
    expect((await control('summary', { app: APP, day: '2026-02-30' })).status).toBe(400)
  })
})
