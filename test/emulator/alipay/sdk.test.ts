import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { AlipaySdk } from 'alipay-sdk'

import { readForm, submitForm } from './buyer.ts'
import type { TestMerchant } from './merchant.ts'
import { APP_ID, CERTIFICATE_APP_ID, sale, startTestMerchant } from './merchant.ts'

// The vendor's own client: it signs, verifies and checks notices without any code of ours.

const CHINA_OFFSET_MINUTES = 8 * 60
const MS_PER_MINUTE = 60_000

/** The client writes its own zone's time into `timestamp`; the emulator reads it as China's. */
const clock = (): Date => {
  const zoneMinutes = -new Date().getTimezoneOffset()
  return new Date(Date.now() + (zoneMinutes - CHINA_OFFSET_MINUTES) * MS_PER_MINUTE)
}

let merchant: TestMerchant
let byKey: AlipaySdk
let byCertificate: AlipaySdk

beforeAll(async () => {
  merchant = await startTestMerchant({ clock })
  const { app, vendor } = merchant.keys
  // The client takes no line feed behind the armour.
  const base = { privateKey: app.privateKeyPem.trim(), keyType: 'PKCS8' } as const
  const gateway = merchant.emulator.gatewayUrl
  byKey = new AlipaySdk({
    ...base,
    gateway,
    appId: APP_ID,
    alipayPublicKey: vendor.publicKeyPem.trim(),
  })
  byCertificate = new AlipaySdk({
    ...base,
    gateway,
    appId: CERTIFICATE_APP_ID,
    appCertContent: app.certificatePem,
    alipayPublicCertContent: vendor.certificate.certificatePem,
    alipayRootCertContent: vendor.rootPem,
  })
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

const clients = [
  ['public key', () => byKey],
  ['certificate', () => byCertificate],
] as const

describe.each(clients)('the official client in %s mode', (mode, client) => {
  const prefix = mode.replace(' ', '_')
  const strict = { validateSign: true } as const

  const receivedOf = (number: string) =>
    merchant.received.filter(({ fields }) => fields['out_trade_no'] === number)

  test('creates, queries, refunds and closes, and believes every signature', async () => {
    const number = `${prefix}_1`
    const bizContent = sale(number, { buyer_open_id: 'open' })
    const notifyUrl = merchant.notifyUrl
    const made = await client().exec('alipay.trade.create', { bizContent, notifyUrl }, strict)
    expect(made).toMatchObject({ code: '10000', outTradeNo: number })
    merchant.emulator.pay(number)
    await merchant.emulator.idle()
    const named = { bizContent: { outTradeNo: number } }
    const found = await client().exec('alipay.trade.query', named, strict)
    expect(found).toMatchObject({ tradeStatus: 'TRADE_SUCCESS', totalAmount: '88.80' })
    const refund = { outTradeNo: number, refundAmount: '0.80', outRequestNo: 'R1' }
    const back = await client().exec('alipay.trade.refund', { bizContent: refund }, strict)
    expect(back).toMatchObject({ fundChange: 'Y', refundFee: '0.80' })
    const closed = await client().exec('alipay.trade.close', named, strict)
    expect(closed).toMatchObject({ code: '40004', subCode: 'ACQ.REASON_TRADE_STATUS_INVALID' })
    const [notice] = receivedOf(number)
    expect(client().checkNotifySign(notice?.fields)).toBe(true)
    expect(client().checkNotifySignV2({ ...notice?.fields, total_amount: '0.01' })).toBe(false)
  })

  test('refuses an answer signed with a key nobody knows', async () => {
    merchant.emulator.setKnobs({ badlySignedAnswers: 1 })
    const wish = { bizContent: { outTradeNo: 'NOBODY' } }
    const call = client().exec('alipay.trade.query', wish, strict)
    expect(await call.catch((error: unknown) => String(error))).toContain('验签失败')
  })

  test('makes codes', async () => {
    const bizContent = sale(`${prefix}_2`)
    const made = await client().exec('alipay.trade.precreate', { bizContent }, strict)
    expect(merchant.emulator.scan(String(made['qrCode'])).kind).toBe('moved')
  })

  test('makes page forms and wap addresses', async () => {
    const page = sale(`${prefix}_3`, { product_code: 'FAST_INSTANT_TRADE_PAY' })
    const html = client().pageExecute('alipay.trade.page.pay', 'POST', { bizContent: page })
    const cashier = await submitForm(readForm(html))
    expect(await cashier.text()).toContain('cashier')
    expect(merchant.emulator.pay(`${prefix}_3`).kind).toBe('paid')
    const wap = sale(`${prefix}_4`, { product_code: 'QUICK_WAP_WAY' })
    await fetch(client().pageExecute('alipay.trade.wap.pay', 'GET', { bizContent: wap }))
    expect(merchant.emulator.trade(`${prefix}_4`)?.state).toBe('WAIT_BUYER_PAY')
  })

  test('makes order strings', () => {
    const bizContent = sale(`${prefix}_5`)
    const orderString = client().sdkExecute('alipay.trade.app.pay', { bizContent })
    const taken = merchant.emulator.takeOrderString(orderString)
    expect(taken).toEqual({ kind: 'taken', outTradeNo: `${prefix}_5` })
  })
})
