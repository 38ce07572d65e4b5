import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { deliveriesFor, sendForgery } from './by-number.ts'
import type { TestMerchant } from './merchant.ts'
import { APP, chargeBody, isVendorSigned, startTestMerchant } from './merchant.ts'
import { RETRY_SCHEDULE_SECONDS } from './vendor.ts'

let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ retryDelaysMs: [1, 1, 1, 1] })
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

async function payNew(number: string, livemode = true): Promise<string> {
  const { liveKey, testKey } = merchant.keys.merchant
  const apiKey = livemode ? liveKey : testKey
  await merchant.call('POST', '/v1/charges', { body: chargeBody(number), apiKey })
  const result = merchant.emulator.pay(number)
  if (result.kind !== 'paid') throw new Error(`expected paid, got ${result.reason}`)
  await result.done
  return result.eventId
}

const receivedFor = (number: string) =>
  merchant.received.filter(({ body }) => body.includes(`"order_no":"${number}"`))

describe('delivery', () => {
  test('sends a signed event with the charge', async () => {
    const eventId = await payNew('DELIVER1')
    const [callback, ...others] = receivedFor('DELIVER1')
    expect(others).toEqual([])
    expect(callback?.isGenuine).toBe(true)
    expect(callback?.headers.get('content-type')).toContain('application/json')
    expect(callback?.event).toMatchObject({
      id: eventId,
      object: 'event',
      type: 'charge.succeeded',
      livemode: true,
      pending_webhooks: 0,
      request: expect.stringMatching(/^iar_/),
      data: { object: { object: 'charge', paid: true, order_no: 'DELIVER1', credential: {} } },
    })
  })

  test('repeats the same bytes until a 2xx', async () => {
    merchant.answerWith(500, 302, 404, 299)
    await payNew('DELIVER2')
    const log = deliveriesFor(merchant.emulator, 'DELIVER2')
    expect(log.map(({ status }) => status)).toEqual([500, 302, 404, 299])
    expect(log.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
    expect(log.map(({ acknowledged }) => acknowledged)).toEqual([false, false, false, true])
    const callbacks = receivedFor('DELIVER2')
    expect(new Set(callbacks.map(({ body }) => body)).size).toBe(1)
    expect(callbacks.every(({ isGenuine }) => isGenuine)).toBe(true)
  })

  test('gives up at the end of the schedule', async () => {
    merchant.answerWith(500, 500, 500, 500, 500)
    await payNew('DELIVER3')
    expect(deliveriesFor(merchant.emulator, 'DELIVER3').length).toBe(5)
  })

  test('takes ten re-sends within a day and 47 minutes', () => {
    expect(RETRY_SCHEDULE_SECONDS.length).toBe(10)
    const sum = RETRY_SCHEDULE_SECONDS.reduce((total, gap) => total + gap, 0)
    expect(sum).toBe(24 * 3600 + 47 * 60 + 15)
  })

  test('tells every address that asks for the type', async () => {
    const url = `${merchant.callbackUrl}/second`
    merchant.emulator.addWebhook({ app: APP, livemode: true, url, types: ['refund.succeeded'] })
    await payNew('DELIVER4')
    expect(deliveriesFor(merchant.emulator, 'DELIVER4').length).toBe(1)
    const id = merchant.emulator.order('DELIVER4')?.id ?? ''
    const body = { description: '退货' }
    await merchant.call('POST', `/v1/charges/${id}/refunds`, { body })
    await merchant.emulator.idle()
    const [, ...refunds] = deliveriesFor(merchant.emulator, 'DELIVER4')
    expect(refunds.map((delivery) => delivery.url).toSorted()).toEqual([merchant.callbackUrl, url])
    expect(receivedFor('DELIVER4').length).toBe(1)
  })

  test('sends an event again when asked, and shows it to its account', async () => {
    const eventId = await payNew('DELIVER5')
    await merchant.emulator.resend('DELIVER5')
    const [first, second] = receivedFor('DELIVER5')
    expect(second?.body).toBe(first?.body)
    const target = `/v1/events/${eventId}`
    expect((await merchant.call('GET', target)).json).toEqual(first?.event)
    const { testKey } = merchant.keys.merchant
    expect((await merchant.call('GET', target, { apiKey: testKey })).status).toBe(404)
  })
})

describe('keys', () => {
  test('change from one event to the next', async () => {
    const old = merchant.emulator.vendorKeys()
    const fresh = await merchant.emulator.rotateKey()
    await payNew('ROTATE01')
    const [callback] = receivedFor('ROTATE01')
    const { headers = new Headers(), body = '' } = callback ?? {}
    expect(isVendorSigned(fresh.publicKeyPem, headers, body)).toBe(true)
    expect(isVendorSigned(old.publicKeyPem, headers, body)).toBe(false)
  })

  test('take turns while a merchant changes them', async () => {
    await merchant.emulator.rotateKey()
    merchant.emulator.setKnobs({ eventKey: 'mixed' })
    merchant.answerWith(500, 500, 500)
    await payNew('ROTATE02')
    const signers = receivedFor('ROTATE02').map(({ isGenuine }) => isGenuine)
    expect(signers.filter(Boolean).length).toBe(2)
    const serials = deliveriesFor(merchant.emulator, 'ROTATE02').map(({ keySerial }) => keySerial)
    expect(new Set(serials).size).toBe(2)
  })
})

describe('test mode (dossier 7)', () => {
  test('tells test webhooks of test payments', async () => {
    await payNew('TESTMOD1', false)
    const [callback] = receivedFor('TESTMOD1')
    expect(callback?.event).toMatchObject({
      livemode: false,
      data: { object: { livemode: false } },
    })
  })

  test('sends twice, or later, when the metadata ask for it', async () => {
    const apiKey = merchant.keys.merchant.testKey
    for (const wish of ['001', '002']) {
      const number = `TESTMOD${wish}`
      const body = { ...chargeBody(number), metadata: { pingpp_tc: wish } }
      await merchant.call('POST', '/v1/charges', { body, apiKey })
      merchant.emulator.pay(number)
    }
    expect(receivedFor('TESTMOD002')).toEqual([])
    await merchant.emulator.idle()
    expect(receivedFor('TESTMOD001').length).toBe(2)
    expect(receivedFor('TESTMOD002').length).toBe(1)
  })
})

describe('a forgery', () => {
  test.each([
    ['rogue_key', false],
    ['tampered', false],
    ['unsigned', false],
    ['empty_signature', false],
    ['bad_base64', false],
    ['reserialised', false],
    ['test_mode', true],
    ['other_app', true],
    ['not_paid', true],
  ] as const)('%s has a genuine signature: %p', async (forgery, isGenuine) => {
    const number = `FORGE${forgery.replace('_', '')}`
    await merchant.create(number)
    const delivery = await sendForgery(merchant.emulator, forgery, number)
    expect(delivery).toMatchObject({ kind: 'forged', orderNumber: number, attempt: 1 })
    expect(merchant.received.at(-1)?.isGenuine).toBe(isGenuine)
    expect(merchant.emulator.order(number)?.payment).toBeUndefined()
    expect(deliveriesFor(merchant.emulator, number).length).toBe(1)
  })

  test('may lie about mode, app, payment and amount under the right key', async () => {
    await merchant.create('FORGELIE')
    const lastCharge = (): unknown => merchant.received.at(-1)?.event
    const forge = (how: { forgery: 'test_mode' | 'other_app' | 'not_paid'; amount?: number }) =>
      merchant.emulator.forge({ orderNumber: 'FORGELIE', ...how })
    await forge({ forgery: 'test_mode', amount: 1 })
    expect(lastCharge()).toMatchObject({
      livemode: false,
      data: { object: { livemode: false, amount: 1, paid: true } },
    })
    await forge({ forgery: 'other_app' })
    expect(lastCharge()).not.toMatchObject({ data: { object: { app: APP } } })
    await forge({ forgery: 'not_paid' })
    expect(lastCharge()).toMatchObject({ livemode: true, data: { object: { paid: false } } })
  })

  test('needs a payment', () => {
    expect(sendForgery(merchant.emulator, 'unsigned', 'NOBODY')).rejects.toThrow('NOBODY')
  })
})
