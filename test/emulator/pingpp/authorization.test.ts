import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import type { TestMerchant } from './merchant.ts'
import { APP, chargeBody, isVendorSigned, startTestMerchant } from './merchant.ts'

const NOW = new Date('2026-03-14T10:15:30+08:00')
const NOW_SECONDS = NOW.getTime() / 1000
const LIST = `/v1/charges?app%5Bid%5D=${APP}&limit=1`

let merchant: TestMerchant
let lenient: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => NOW })
  lenient = await startTestMerchant({ clock: () => NOW, acceptsUnsigned: true })
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await Promise.all([merchant.stop(), lenient.stop()])
})

describe('the API key', () => {
  test.each([
    ['no header', ''],
    ['a key that is none', `Basic ${Buffer.from('sk_live_nobody:').toString('base64')}`],
    ['another scheme', 'Digest x'],
  ])('is refused: %s', async (_, authorization) => {
    const { status, json } = await merchant.call('GET', LIST, { authorization })
    expect(status).toBe(401)
    expect(json).toEqual({
      error: { type: 'invalid_request_error', message: '提供了无效的 API KEY' },
    })
  })

  test('must be the user name of Basic with an empty password', async () => {
    const { liveKey } = merchant.keys.merchant
    for (const text of [liveKey, `${liveKey}:x`, `:${liveKey}`]) {
      const authorization = `Basic ${Buffer.from(text).toString('base64')}`
      expect((await merchant.call('GET', LIST, { authorization })).status).toBe(401)
    }
  })

  test('may come as Bearer', async () => {
    const authorization = `Bearer ${merchant.keys.merchant.liveKey}`
    expect((await merchant.call('GET', LIST, { authorization })).status).toBe(200)
  })
})

describe('the signature of a request', () => {
  test.each([
    ['a signature over the body alone', { signedBody: '' }],
    ['no base64', { signature: '%%%' }],
    ['the signature of another request', { signature: 'AAAA' }],
  ])('is refused: %s', async (_, how) => {
    const body = chargeBody('SIGNED01')
    const { status, json } = await merchant.call('POST', '/v1/charges', { body, ...how })
    expect(status).toBe(400)
    expect(json).toMatchObject({
      error: { type: 'invalid_request_error', message: '提供了无效的签名' },
    })
    expect(merchant.emulator.order('SIGNED01')).toBeUndefined()
  })

  test('covers the query', async () => {
    const other = await merchant.call('GET', `${LIST}1`)
    expect(other.status).toBe(200)
    const { status } = await merchant.call('GET', LIST, { signedBody: 'x' })
    expect(status).toBe(400)
  })

  test('is asked for where the account says so, and only there', async () => {
    const refused = await merchant.call('GET', LIST, { signature: '' })
    expect(refused.json).toMatchObject({
      error: { message: expect.stringContaining('没有提供签名串') },
    })
    expect((await lenient.call('GET', LIST, { signature: '' })).status).toBe(200)
    expect((await lenient.call('GET', LIST, { signature: 'AAAA' })).status).toBe(400)
  })

  test.each(['', '1773454530000', 'now', '1773454530.5'])(
    'is refused with the time "%s"',
    async (timestamp) => {
      expect((await merchant.call('GET', LIST, { timestamp })).status).toBe(400)
    },
  )

  test('may not be older than the panel says', async () => {
    const timestamp = String(NOW_SECONDS - 61)
    expect((await merchant.call('GET', LIST, { timestamp })).status).toBe(200)
    merchant.emulator.setKnobs({ clockSkewSecondsMax: 60 })
    expect((await merchant.call('GET', LIST, { timestamp })).status).toBe(400)
  })
})

describe('the signature of an answer', () => {
  test('covers the raw body', async () => {
    const { headers, text } = await merchant.call('GET', LIST)
    const { publicKeyPem } = merchant.emulator.vendorKeys()
    expect(isVendorSigned(publicKeyPem, headers, text)).toBe(true)
    expect(isVendorSigned(publicKeyPem, headers, `${text} `)).toBe(false)
  })

  test('fails when the panel spoils it', async () => {
    merchant.emulator.setKnobs({ unsignedAnswers: 1, badlySignedAnswers: 1 })
    const { publicKeyPem } = merchant.emulator.vendorKeys()
    for (const isRight of [false, false, true]) {
      const { headers, text } = await merchant.call('GET', LIST)
      expect(isVendorSigned(publicKeyPem, headers, text)).toBe(isRight)
    }
  })
})
