import { afterAll, beforeAll, describe, expect, test } from 'bun:test'

import { openText } from './crypto.ts'
import type { TestMerchant } from './merchant.ts'
import { MCHID, isVendorSigned, prepayBody, startTestMerchant } from './merchant.ts'

let now = new Date('2026-03-14T09:15:00+08:00')
let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => now })
})

afterAll(async () => {
  await merchant.stop()
})

const queryTarget = (outTradeNo: string): string =>
  `/v3/pay/transactions/out-trade-no/${encodeURIComponent(outTradeNo)}?mchid=${MCHID}`

const close = (outTradeNo: string) =>
  merchant.call('POST', `/v3/pay/transactions/out-trade-no/${outTradeNo}/close`, {
    body: { mchid: MCHID },
  })

describe('authentication', () => {
  const target = '/v3/pay/transactions/native'
  const body = (): Record<string, unknown> => prepayBody('AUTH0001', merchant.notifyUrl)

  test('answers a wrong signature with an unsigned 401 that shows what was signed', async () => {
    const answer = await merchant.call('POST', target, { body: body(), signedBody: '{}' })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('wechatpay-signature')).toBeNull()
    expect(answer.headers.get('request-id')).toBeNull()
    expect(answer.json).toMatchObject({
      code: 'SIGN_ERROR',
      detail: { sign_information: { method: 'POST', url: target } },
    })
  })

  test.each([-301, 301])('refuses a clock that is %d seconds off', async (offset) => {
    const timestamp = Math.floor(now.getTime() / 1000) + offset
    const answer = await merchant.call('POST', target, { body: body(), timestamp, signedBody: '' })
    expect(answer.status).toBe(401)
    expect(answer.json).toMatchObject({ message: expect.stringContaining('5分钟') })
  })

  test.each([
    ['no scheme', 'x', '格式错误'],
    ['another scheme', 'Bearer x', '认证类型'],
    ['no parameters', 'WECHATPAY2-SHA256-RSA2048 x', '格式错误'],
  ])('refuses %s', async (_, authorization, message) => {
    const answer = await merchant.call('POST', target, { body: body(), authorization })
    expect(answer.status).toBe(401)
    expect(answer.json).toMatchObject({
      code: 'SIGN_ERROR',
      message: expect.stringContaining(message),
    })
  })

  test('has no body for an unknown path and for a wrong method', async () => {
    const unknown = await merchant.call('GET', '/v3/pay/nothing')
    const wrong = await merchant.call('GET', target)
    expect([unknown.status, unknown.text, wrong.status, wrong.text]).toEqual([404, '', 405, ''])
  })
})

describe('signature over answers', () => {
  test('uses the key that the request names', async () => {
    const { publicKeyId, certificateSerial } = merchant.keys.vendor
    for (const serial of [publicKeyId, certificateSerial]) {
      const answer = await merchant.call('GET', queryTarget('NOBODY01'), { serial })
      expect(answer.status).toBe(404)
      expect(answer.headers.get('wechatpay-serial')).toBe(serial)
      expect(isVendorSigned(merchant.keys, answer.headers, answer.text)).toBe(true)
    }
  })

  test('covers the empty body of a 204', async () => {
    await merchant.prepay('SIGN0001')
    const answer = await close('SIGN0001')
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(isVendorSigned(merchant.keys, answer.headers, '')).toBe(true)
  })

  test('fails when the panel spoils it', async () => {
    merchant.emulator.setKnobs({ badlySignedAnswers: 1, probeAnswers: 1, unsignedAnswers: 1 })
    for (let time = 0; time < 3; time += 1) {
      const answer = await merchant.call('GET', queryTarget('NOBODY01'))
      expect(isVendorSigned(merchant.keys, answer.headers, answer.text)).toBe(false)
    }
    const answer = await merchant.call('GET', queryTarget('NOBODY01'))
    expect(isVendorSigned(merchant.keys, answer.headers, answer.text)).toBe(true)
  })
})

describe('prepay', () => {
  test.each([
    ['native', {}, 'code_url'],
    ['app', {}, 'prepay_id'],
    ['jsapi', { payer: { openid: 'oUpF8uMuAJO' } }, 'prepay_id'],
    ['h5', { scene_info: { payer_client_ip: '::1', h5_info: { type: 'Wap' } } }, 'h5_url'],
  ])('makes a credential for %s', async (product, extra, field) => {
    const answer = await merchant.call('POST', `/v3/pay/transactions/${product}`, {
      body: { ...prepayBody(`PROD_${product}`, merchant.notifyUrl), ...extra },
    })
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({ [field]: expect.any(String) })
  })

  test.each([
    ['/amount/total', { amount: { total: 0 } }],
    ['/amount/total', { amount: { total: 1.5 } }],
    ['/amount/currency', { amount: { total: 1, currency: 'USD' } }],
    ['/out_trade_no', { out_trade_no: 'short' }],
    ['/notify_url', { notify_url: 'http://shop.example.com/notify' }],
    ['/notify_url', { notify_url: 'https://shop.example.com/notify?a=1' }],
    ['/description', { description: '' }],
    ['/time_expire', { time_expire: '2026-03-14 09:15:00' }],
    ['/surprise', { surprise: 1 }],
    ['/mchid', { mchid: '1900000110' }],
  ])('names the field %s when it is wrong', async (field, changes) => {
    const answer = await merchant.prepay('FIELD001', changes)
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ code: 'PARAM_ERROR', detail: { field, location: 'body' } })
  })

  test('refuses an app of another merchant', async () => {
    const answer = await merchant.prepay('APPID001', { appid: 'wx0000000000000000' })
    expect(answer.json).toMatchObject({ code: 'APPID_MCHID_NOT_MATCH' })
  })

  test('gives a new credential for an identical repeat, whatever the order of fields', async () => {
    const first = await merchant.prepay('REPEAT01')
    const body = prepayBody('REPEAT01', merchant.notifyUrl)
    const shuffled = Object.fromEntries(Object.entries(body).reverse())
    const target = '/v3/pay/transactions/native'
    const second = await merchant.call('POST', target, { body: shuffled })
    expect(second.status).toBe(200)
    expect(second.text).not.toBe(first.text)
  })

  test('refuses a repeat with another amount or product', async () => {
    await merchant.prepay('REPEAT02')
    const changed = await merchant.prepay('REPEAT02', { amount: { total: 1 } })
    const body = prepayBody('REPEAT02', merchant.notifyUrl)
    const other = await merchant.call('POST', '/v3/pay/transactions/app', { body })
    for (const answer of [changed, other]) {
      expect(answer.status).toBe(403)
      expect(answer.json).toMatchObject({ code: 'OUT_TRADE_NO_USED' })
    }
  })
})

describe('states', () => {
  test('goes from NOTPAY to SUCCESS to REFUND', async () => {
    await merchant.prepay('STATE_01', { attach: 'tea' })
    const open = await merchant.call('GET', queryTarget('STATE_01'))
    expect(open.json).toMatchObject({ trade_state: 'NOTPAY', amount: { total: 10_000 } })
    expect(open.json).not.toHaveProperty('transaction_id')
    const paid = merchant.emulator.pay('STATE_01')
    if (paid.kind !== 'paid') throw new Error(`expected paid, got ${paid.kind}`)
    expect(paid.transactionId).toMatch(/^4200\d{24}$/)
    const answer = await merchant.call('GET', queryTarget('STATE_01'))
    expect(answer.json).toMatchObject({
      trade_state: 'SUCCESS',
      trade_type: 'NATIVE',
      attach: 'tea',
      success_time: '2026-03-14T09:15:00+08:00',
      amount: { total: 10_000, payer_total: 10_000 },
    })
    const byId = `/v3/pay/transactions/id/${paid.transactionId}?mchid=${MCHID}`
    expect((await merchant.call('GET', byId)).json).toEqual(answer.json)
    expect(merchant.emulator.markRefunded('STATE_01')).toBe(true)
    const refunded = await merchant.call('GET', queryTarget('STATE_01'))
    expect(refunded.json).toMatchObject({ trade_state: 'REFUND' })
  })

  test('does not close a paid order, and does not sell it again', async () => {
    await merchant.prepay('STATE_02')
    merchant.emulator.pay('STATE_02')
    const closed = await close('STATE_02')
    expect(closed.status).toBe(400)
    expect(closed.headers.get('request-id')).toEndWith('-268449538')
    expect((await merchant.prepay('STATE_02')).status).toBe(403)
    expect(merchant.emulator.pay('STATE_02')).toEqual({ kind: 'refused', reason: 'paid' })
  })

  test('closes twice and burns the number', async () => {
    await merchant.prepay('STATE_03')
    expect([(await close('STATE_03')).status, (await close('STATE_03')).status]).toEqual([204, 204])
    expect((await merchant.prepay('STATE_03')).json).toMatchObject({ code: 'ORDER_CLOSED' })
    expect(merchant.emulator.pay('STATE_03')).toEqual({ kind: 'refused', reason: 'closed' })
  })

  test('knows no order that was never made', async () => {
    expect((await close('STATE_04')).json).toMatchObject({ code: 'ORDER_NOT_EXIST' })
    const answer = await merchant.call('GET', '/v3/pay/transactions/out-trade-no/STATE_04')
    expect(answer.json).toMatchObject({ code: 'PARAM_ERROR', detail: { location: 'query' } })
  })

  test('takes an escaped order number', async () => {
    await merchant.prepay('A|B*C-01')
    expect((await merchant.call('GET', queryTarget('A|B*C-01'))).status).toBe(200)
  })

  test('takes no money after time_expire, and closes by itself after seven days', async () => {
    await merchant.prepay('STATE_05', { time_expire: '2026-03-14T09:45:00+08:00' })
    const start = now
    now = new Date('2026-03-14T09:45:00+08:00')
    expect(merchant.emulator.pay('STATE_05')).toEqual({ kind: 'refused', reason: 'expired' })
    const late = await merchant.call('GET', queryTarget('STATE_05'))
    expect(late.json).toMatchObject({ trade_state: 'NOTPAY' })
    now = new Date('2026-03-21T09:15:00+08:00')
    const closed = await merchant.call('GET', queryTarget('STATE_05'))
    expect(closed.json).toMatchObject({ trade_state: 'CLOSED' })
    now = start
  })
})

describe('certificates', () => {
  test('are sealed with the APIv3 key', async () => {
    const answer = await merchant.call('GET', '/v3/certificates')
    const { vendor, merchant: mine } = merchant.keys
    const sealed = /"nonce":"(.{12})".*"ciphertext":"([^"]+)"/.exec(answer.text)
    const [, nonce = '', ciphertext = ''] = sealed ?? []
    const how = { apiV3Key: mine.apiV3Key, nonce, associatedData: 'certificate' }
    expect(openText(how, ciphertext)).toBe(vendor.certificatePem)
    expect(answer.json).toMatchObject({ data: [{ serial_no: vendor.certificateSerial }] })
  })
})
