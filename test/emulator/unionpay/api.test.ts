import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { constants, privateDecrypt } from 'node:crypto'

import { newRogueKey } from '../core/rsa.ts'
import type { TestMerchant } from './merchant.ts'
import { MER_ID, startTestMerchant } from './merchant.ts'
import { signFields, isAppResultSigned } from './signature.ts'

let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant()
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

describe('an app order', () => {
  test('is answered with a tn, signed, with raw values', async () => {
    const answer = await merchant.createApp('APPORDER1', { changes: { reqReserved: 'store=7' } })
    expect(answer.isGenuine).toBe(true)
    expect(answer.fields).toMatchObject({
      respCode: '00',
      respMsg: '成功[0000000]',
      merId: MER_ID,
      orderId: 'APPORDER1',
      encoding: 'UTF-8',
      reqReserved: 'store=7',
    })
    expect(answer.fields['tn']).toMatch(/^\d{21}$/)
    expect(answer.text).toContain('-----BEGIN CERTIFICATE-----\r\n')
    expect(answer.text).not.toContain('%')
  })

  test('is paid by its tn, and the app is told with a signature of its own', async () => {
    const tn = (await merchant.createApp('APPORDER2')).fields['tn'] ?? ''
    expect(merchant.emulator.appResult(tn)).toBeUndefined()
    expect(merchant.emulator.pay(tn).kind).toBe('moved')
    const { sign, data } = merchant.emulator.appResult(tn) ?? { sign: '', data: '' }
    expect(data).toStartWith(`pay_result=success&tn=${tn}&cert_id=`)
    expect(isAppResultSigned(data, sign, merchant.keys.vendor.signing.certificatePem)).toBe(true)
  })
})

describe('an order by QR code', () => {
  test('is answered with the code, which pays it', async () => {
    const answer = await merchant.createQr('QRORDER01')
    expect(answer.fields['respCode']).toBe('00')
    const qrCode = answer.fields['qrCode'] ?? ''
    expect(qrCode).toStartWith('https://qr.95516.com/')
    expect(merchant.emulator.pay(qrCode)).toMatchObject({ kind: 'moved', code: '00' })
  })

  test('may leave the amount to the buyer', async () => {
    await merchant.createQr('QRORDER02', { changes: { txnAmt: '' } })
    expect(merchant.emulator.pay('QRORDER02')).toEqual({ kind: 'refused', reason: 'no_amount' })
    merchant.emulator.pay('QRORDER02', { amount: 4_200n })
    expect((await merchant.query('QRORDER02')).fields['txnAmt']).toBe('4200')
  })

  test('takes numbers of 8 to 32 characters, where an app takes 40', async () => {
    const longest = 'Q'.repeat(40)
    expect((await merchant.createQr(longest)).fields['respCode']).toBe('10')
    expect((await merchant.createApp(longest)).fields['respCode']).toBe('00')
  })
})

describe('a message that is refused', () => {
  test.each([
    ['version', '', '13'],
    ['version', '5.0.0', '10'],
    ['signMethod', '11', '10'],
    ['merId', '777290058110049', '31'],
    ['certId', '', '13'],
    ['certId', '69903319369', '11'],
    ['accessType', '1', '10'],
    ['orderId', '', '13'],
    ['orderId', 'SHORT', '10'],
    ['orderId', 'WITH_UNDERSCORE', '10'],
    ['txnAmt', '', '13'],
    ['txnAmt', '0', '10'],
    ['txnAmt', '-1', '10'],
    ['txnAmt', '1.00', '10'],
    ['txnAmt', '1000000000000', '10'],
    ['currencyCode', '840', '10'],
    ['backUrl', 'ftp://127.0.0.1/', '10'],
    ['backUrl', 'http://127.0.0.1/~me', '10'],
    ['bizType', '000000', '10'],
    ['channelType', '07', '10'],
    ['txnTime', '20260230101530', '10'],
    ['txnTime', '20200101000000', '10'],
    ['txnType', '02', '32'],
    ['txnSubType', '07', '32'],
    ['orderDesc', 'x'.repeat(33), '10'],
    ['payTimeout', '20200101000000', '10'],
    ['payTimeout', 'tomorrow', '10'],
  ])('%s=%p → %s', async (field, value, code) => {
    const answer = await merchant.createApp('REFUSED01', { changes: { [field]: value } })
    expect(answer.fields['respCode']).toBe(code)
    expect(merchant.emulator.order('REFUSED01')).toBeUndefined()
  })

  test('is one that was changed after its signature', async () => {
    const answer = await merchant.createApp('REFUSED02', { tampered: { txnAmt: '1' } })
    expect(answer.fields).toMatchObject({
      respCode: '11',
      respMsg: 'Signature verification fail[9100004]',
    })
    expect(answer.isGenuine).toBe(true)
  })

  test('is one without a signature, or of a foreign key', async () => {
    const fields = merchant.sign({ orderId: 'REFUSED03' })
    const signature = signFields(fields, await newRogueKey())
    for (const tampered of [{ signature: '' }, { signature }]) {
      const answer = await merchant.createApp('REFUSED03', { tampered })
      expect(answer.fields['respCode']).toBe('11')
    }
  })

  test('is one with an order number of today, whoever had it', async () => {
    await merchant.createApp('TWICE0001')
    const again = await merchant.createQr('TWICE0001')
    expect(again.fields).toMatchObject({ respCode: '12', respMsg: '重复交易[2010002]' })
    expect(again.fields['qrCode']).toBeUndefined()
  })

  test('is one for a life of more than a month, if it is a QR code', async () => {
    const changes = { payTimeout: '29991231235959' }
    expect((await merchant.createQr('QRLONG001', { changes })).fields['respCode']).toBe('10')
  })
})

describe('the gateway', () => {
  const post = (path: string, body: string, type = 'application/x-www-form-urlencoded') =>
    fetch(merchant.emulator.url + path, { method: 'POST', headers: { 'Content-Type': type }, body })

  test('fails over percent escapes in small letters', async () => {
    expect((await post('/gateway/api/appTransReq.do', 'a=%3d')).status).toBe(500)
  })

  test('has no other addresses, and takes no GET', async () => {
    expect((await post('/gateway/api/cardTransReq.do', 'a=1')).status).toBe(404)
    expect((await fetch(`${merchant.emulator.url}/gateway/api/appTransReq.do`)).status).toBe(405)
  })

  test('answers 10 to what it cannot read', async () => {
    const answers = await Promise.all([
      post('/gateway/api/appTransReq.do', 'encoding=UTF-8&encoding=UTF-8'),
      post('/gateway/api/appTransReq.do', '{}', 'application/json'),
    ])
    for (const answer of answers) expect(await answer.text()).toContain('respCode=10')
  })

  test('writes a request down with its operation and code', async () => {
    await merchant.createApp('LOGGED001')
    expect(merchant.emulator.requests().at(-1)).toMatchObject({
      method: 'POST',
      target: '/gateway/api/appTransReq.do',
      operation: 'app',
      status: 200,
      code: '00',
    })
  })

  test('speaks GBK to whoever speaks GBK', async () => {
    const changes = { encoding: 'GBK', orderDesc: '茶' }
    const answer = await merchant.createApp('GBKORDER1', { changes })
    expect(answer.fields).toMatchObject({ encoding: 'GBK', respMsg: '成功[0000000]' })
    expect(answer.isGenuine).toBe(true)
    expect(Buffer.from(answer.bytes).includes(Buffer.from('成功'))).toBe(false)
  })

  test('encrypts the card number for the merchant alone', async () => {
    await merchant.createApp('CARDS0001')
    merchant.emulator.pay('CARDS0001')
    const { accNo = '' } = (await merchant.query('CARDS0001')).fields
    const plain = privateDecrypt(
      { key: merchant.keys.merchant.privatePem, padding: constants.RSA_NO_PADDING },
      Buffer.from(accNo, 'base64'),
    )
    expect(plain.toString('latin1')).toEndWith('\0' + '6216***********0018')
  })
})
