import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { CHANNELS, RULES } from './channel-rule.ts'
import type { TestMerchant } from './merchant.ts'
import { APP, chargeBody, isVendorSigned, startTestMerchant } from './merchant.ts'

const NOW = new Date('2026-03-14T10:15:30+08:00')
const NOW_SECONDS = NOW.getTime() / 1000
const BACK = 'https://shop.example.com/back'

let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => NOW })
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

let numbers = 0
/** Ten characters: every channel takes them. */
const newNumber = (): string => `T${String((numbers += 1)).padStart(9, '0')}`

const QUICK_EXTRA: Readonly<Record<string, unknown>> = {
  success_url: BACK,
  fail_url: BACK,
  result_url: BACK,
  open_id: 'oUpF8uMuAJO',
  product_id: 'P1',
  pay_channel: 'wx',
  device: 'ios',
}

/** Everything that a channel asks for. */
const extraFor = (channel: keyof typeof RULES): Record<string, unknown> =>
  Object.fromEntries(RULES[channel].required.map((key) => [key, QUICK_EXTRA[key] ?? '1']))

const createOn = (channel: keyof typeof RULES, changes: Record<string, unknown> = {}) =>
  merchant.create(newNumber(), {
    channel,
    subject: 'Tea',
    extra: extraFor(channel),
    ...changes,
  })

describe('creating', () => {
  test('answers the object with its credential', async () => {
    const number = newNumber()
    const { status, json } = await merchant.create(number, { metadata: { kind: 'tea' } })
    expect(status).toBe(200)
    expect(json).toMatchObject({
      id: expect.stringMatching(/^ch_\d{24}$/),
      object: 'charge',
      created: NOW_SECONDS,
      livemode: true,
      paid: false,
      refunded: false,
      reversed: false,
      app: APP,
      channel: 'alipay_qr',
      order_no: number,
      amount: 12_800,
      time_paid: null,
      time_expire: NOW_SECONDS + 24 * 3600,
      transaction_no: null,
      metadata: { kind: 'tea' },
      credential: { object: 'credential', alipay_qr: expect.stringContaining('https://qr.alipay') },
    })
  })

  test.each([...CHANNELS])('takes a request for %s', async (channel) => {
    expect((await createOn(channel)).status).toBe(200)
  })

  const needing = CHANNELS.flatMap((channel) =>
    RULES[channel].required.map((key) => [channel, key] as const),
  )
  test.each(needing)('refuses %s without extra[%s]', async (channel, key) => {
    const { [key]: _, ...extra } = extraFor(channel)
    const { status, json } = await createOn(channel, { extra })
    expect(status).toBe(400)
    expect(json).toMatchObject({
      error: { type: 'invalid_request_error', param: `extra[${key}]` },
    })
  })

  test.each<[param: string, changes: Record<string, unknown>]>([
    ['amount', { amount: 0 }],
    ['amount', { amount: 1.5 }],
    ['amount', { amount: '100' }],
    ['order_no', { order_no: 'with-dash' }],
    ['order_no', { order_no: 'x'.repeat(65) }],
    ['order_no', { order_no: 'x', channel: 'wx' }],
    ['order_no', { order_no: 'x'.repeat(33), channel: 'wx' }],
    ['order_no', { order_no: 'x'.repeat(7), channel: 'upacp' }],
    ['order_no', { order_no: 'x'.repeat(41), channel: 'upacp' }],
    ['app[id]', { app: { id: 'app_other' } }],
    ['app', { app: APP }],
    ['channel', { channel: 'barter' }],
    ['currency', { currency: 'usd' }],
    ['client_ip', { client_ip: '::1' }],
    ['subject', { subject: '' }],
    ['subject', { subject: '茶'.repeat(33) }],
    ['subject', { subject: '茶'.repeat(11), channel: 'upacp' }],
    ['body', { body: '茶'.repeat(129) }],
    ['metadata', { metadata: Object.fromEntries(Array.from({ length: 21 }, (_, at) => [at, 1])) }],
    ['metadata', { metadata: { text: 'x'.repeat(997) } }],
    ['description', { description: 'x'.repeat(256) }],
    ['time_expire', { time_expire: NOW_SECONDS + 59 }],
    ['time_expire', { time_expire: NOW_SECONDS + 15 * 86_400 + 1 }],
    ['time_expire', { time_expire: NOW_SECONDS + 7 * 86_400 + 1, channel: 'wx' }],
    ['time_expire', { time_expire: NOW_SECONDS + 3601, channel: 'upacp' }],
    ['surprise', { surprise: 1 }],
    ['extra[success_url]', { extra: { success_url: `${BACK}?a=1` }, channel: 'alipay_wap' }],
    ['extra[success_url]', { extra: { success_url: 'http://localhost/a' }, channel: 'alipay_wap' }],
    ['extra[success_url]', { extra: { success_url: 'back' }, channel: 'alipay_wap' }],
    ['extra[product_id]', { extra: { product_id: 'x'.repeat(33) }, channel: 'wx_pub_qr' }],
    ['extra[device]', { extra: { device: 'fridge' }, channel: 'qpay' }],
  ])('names %s when it is wrong: %j', async (param, changes) => {
    const { status, json } = await merchant.create(newNumber(), changes)
    expect(status).toBe(400)
    expect(json).toMatchObject({ error: { type: 'invalid_request_error', param } })
  })

  test.each<Record<string, unknown>>([
    { order_no: 'x'.repeat(64) },
    { subject: '🍵'.repeat(32) },
    { subject: `${'茶'.repeat(10)}ab`, channel: 'upacp' },
    { body: '茶'.repeat(128) },
    { time_expire: NOW_SECONDS + 60 },
    { time_expire: NOW_SECONDS + 15 * 86_400 },
    { time_expire: NOW_SECONDS + 3600, channel: 'upacp' },
    { channel: 'alipay_wap', extra: { success_url: 'http://127.0.0.1:80/back' } },
  ])('takes what just fits: %j', async (changes) => {
    expect((await merchant.create(newNumber(), changes)).status).toBe(200)
  })
})

describe('a number', () => {
  test('is used up by the first object, even for an identical request', async () => {
    const number = newNumber()
    await merchant.create(number)
    for (const changes of [{}, { amount: 1 }, { channel: 'wx' }]) {
      const { status, json } = await merchant.create(number, changes)
      expect(status).toBe(402)
      expect(json).toMatchObject({
        error: { type: 'channel_error', code: 'charge_order_no_used' },
      })
    }
    expect(merchant.emulator.orders().filter(({ body }) => body.order_no === number).length).toBe(1)
  })

  test('gets the same object for an identical request where the channel repeats', async () => {
    const number = newNumber()
    merchant.emulator.setKnobs({ repeatsAnswerAlike: true })
    const first = await merchant.create(number)
    expect((await merchant.create(number)).text).toBe(first.text)
    expect((await merchant.create(number, { amount: 1 })).status).toBe(402)
  })

  test('may be used in test and in live mode', async () => {
    const number = newNumber()
    const body = chargeBody(number)
    const apiKey = merchant.keys.merchant.testKey
    expect((await merchant.create(number)).json).toMatchObject({ livemode: true })
    const test = await merchant.call('POST', '/v1/charges', { body, apiKey })
    expect(test.json).toMatchObject({ livemode: false })
  })

  test('stays free after a refusal', async () => {
    const number = newNumber()
    expect((await merchant.create(number, { amount: 0 })).status).toBe(400)
    expect((await merchant.create(number)).status).toBe(200)
  })
})

describe('retrieving and paying', () => {
  const pathOf = (number: string): string =>
    `/v1/charges/${merchant.emulator.order(number)?.id ?? ''}`

  test('shows it unpaid, then paid, without a credential', async () => {
    const number = newNumber()
    await merchant.create(number)
    const open = await merchant.call('GET', pathOf(number))
    expect(open.json).toMatchObject({ paid: false, credential: {} })
    const paid = merchant.emulator.pay(number)
    if (paid.kind !== 'paid') throw new Error(`expected paid, got ${paid.reason}`)
    const { json } = await merchant.call('GET', pathOf(number))
    expect(json).toMatchObject({
      paid: true,
      time_paid: NOW_SECONDS,
      transaction_no: paid.transactionNumber,
      amount: 12_800,
      amount_settle: 12_723,
      extra: { buyer_user_id: expect.any(String) },
    })
    expect(merchant.emulator.pay(number)).toEqual({ kind: 'refused', reason: 'paid' })
    await paid.done
  })

  test('knows nothing of the other mode, and nothing that was never made', async () => {
    const number = newNumber()
    await merchant.create(number)
    const apiKey = merchant.keys.merchant.testKey
    const answers = [
      await merchant.call('GET', pathOf(number), { apiKey }),
      await merchant.call('GET', '/v1/charges/ch_nothing'),
    ]
    for (const { status, json, headers, text } of answers) {
      expect(status).toBe(404)
      expect(json).toEqual({
        error: { type: 'invalid_request_error', message: '未找到 charge', param: 'id' },
      })
      const { publicKeyPem } = merchant.emulator.vendorKeys()
      expect(isVendorSigned(publicKeyPem, headers, text)).toBe(true)
    }
  })

  test('is not payable by anybody when it does not exist', () => {
    expect(merchant.emulator.pay('NOBODY')).toEqual({ kind: 'refused', reason: 'missing' })
  })
})

describe('reversing', () => {
  const reverse = (number: string) =>
    merchant.call('POST', `/v1/charges/${merchant.emulator.order(number)?.id ?? ''}/reverse`)

  test('closes an unpaid one and gives the money of a paid one back', async () => {
    const [open, paid] = [newNumber(), newNumber()]
    for (const number of [open, paid]) {
      await merchant.create(number, { channel: 'isv_wap', extra: extraFor('isv_wap') })
    }
    merchant.emulator.pay(paid)
    expect((await reverse(open)).json).toMatchObject({ paid: false, reversed: true })
    expect((await reverse(paid)).json).toMatchObject({ paid: true, reversed: true })
    expect(merchant.emulator.pay(open)).toEqual({ kind: 'refused', reason: 'closed' })
  })

  test('is refused for other channels', async () => {
    const number = newNumber()
    await merchant.create(number)
    const { status, json } = await reverse(number)
    expect(status).toBe(400)
    expect(json).toMatchObject({ error: { type: 'invalid_request_error' } })
    expect(merchant.emulator.order(number)?.isReversed).toBe(false)
  })
})
