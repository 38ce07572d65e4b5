import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { openCashier } from './buyer.ts'
import type { TestMerchant } from './merchant.ts'
import { startTestMerchant } from './merchant.ts'

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

describe('the fault panel of the API', () => {
  test('keeps silent until it is released', async () => {
    merchant.emulator.setKnobs({ silence: true })
    const patience = new AbortController()
    const lost = merchant
      .createApp('SILENT001', { signal: patience.signal })
      .catch(() => 'hung up' as const)
    const kept = merchant.createApp('SILENT002')
    patience.abort()
    expect(await lost).toBe('hung up')
    await merchant.emulator.waitForRequests((all) => all.some(({ status }) => status === null))
    merchant.emulator.setKnobs({ silence: false })
    expect((await kept).fields['respCode']).toBe('00')
    expect(merchant.emulator.order('SILENT001')).toBeUndefined()
  })

  test('hangs, and has done nothing', async () => {
    merchant.emulator.setKnobs({ hangRequests: 1 })
    const patience = new AbortController()
    const lost = merchant
      .createApp('HANGING01', { signal: patience.signal })
      .catch(() => 'hung up' as const)
    expect((await merchant.createApp('HANGING02')).fields['respCode']).toBe('00')
    patience.abort()
    expect(await lost).toBe('hung up')
    expect(merchant.emulator.order('HANGING01')).toBeUndefined()
  })

  test.each([
    ['status500', 500, ''],
    ['htmlAnswers', 200, '<!doctype html>'],
  ] as const)('has a gateway in front that says %s', async (knob, status, start) => {
    merchant.emulator.setKnobs({ [knob]: 1 })
    const answer = await merchant.createQr(`FRONT${knob}`)
    expect(answer.status).toBe(status)
    expect(answer.text).toStartWith(start)
    expect(answer.isGenuine).toBe(false)
    expect(merchant.emulator.order(`FRONT${knob}`)).toBeUndefined()
  })

  test('commits and answers 500', async () => {
    merchant.emulator.setKnobs({ failAfterCommit: 1 })
    expect((await merchant.createApp('COMMIT001')).status).toBe(500)
    expect(merchant.emulator.order('COMMIT001')).toBeDefined()
  })

  test('refunds and never answers', async () => {
    await merchant.createApp('COMMIT002')
    const paid = merchant.emulator.pay('COMMIT002')
    const origQryId = paid.kind === 'moved' ? paid.queryId : ''
    merchant.emulator.setKnobs({ silenceAfterCommit: 1 })
    const patience = new AbortController()
    const lost = merchant
      .refund('COMMIT003', { origQryId }, { signal: patience.signal })
      .catch(() => 'hung up' as const)
    await merchant.emulator.waitForDeliveries((all) =>
      all.some(({ orderNumber }) => orderNumber === 'COMMIT003'),
    )
    patience.abort()
    expect(await lost).toBe('hung up')
    expect((await merchant.query('COMMIT003')).fields['origRespCode']).toBe('00')
  })

  test('cuts an answer in the middle, after the commit', async () => {
    merchant.emulator.setKnobs({ cutAnswers: 1 })
    const broken = await merchant.createApp('CUTTING01').catch(() => undefined)
    expect(broken?.isGenuine ?? false).toBe(false)
    expect(merchant.emulator.order('CUTTING01')).toBeDefined()
  })

  test('does not sign, or signs with a key that nobody knows', async () => {
    merchant.emulator.setKnobs({ unsignedAnswers: 1 })
    const unsigned = await merchant.createApp('UNSIGNED1')
    expect(unsigned.fields['respCode']).toBe('00')
    expect(unsigned.fields['signature']).toBeUndefined()
    merchant.emulator.setKnobs({ badlySignedAnswers: 1 })
    const rogue = await merchant.createApp('UNSIGNED2')
    expect(rogue.fields['signature']).toBeDefined()
    expect(rogue.isGenuine).toBe(false)
    expect((await merchant.createApp('UNSIGNED3')).isGenuine).toBe(true)
  })

  test('lets the callback overtake the answer', async () => {
    merchant.emulator.setKnobs({ callbackBeforeAnswer: true })
    await merchant.createQr('OVERTAKE1')
    expect(merchant.received.at(-1)?.fields['orderId']).toBe('OVERTAKE1')
    const { queryId: origQryId = '' } = (await merchant.query('OVERTAKE1')).fields
    await merchant.refund('OVERTAKE2', { origQryId })
    expect(merchant.received.at(-1)?.fields['orderId']).toBe('OVERTAKE2')
  })

  test.each(['03', '04', '05', '06'])('says %s of an order that exists', async (answerCode) => {
    merchant.emulator.setKnobs({ answerCode })
    const answer = await merchant.createApp(`ANSWER0${answerCode}`)
    expect(answer.fields['respCode']).toBe(answerCode)
    expect(answer.fields['tn']).toBeUndefined()
    expect(merchant.emulator.order(`ANSWER0${answerCode}`)).toBeDefined()
  })

  test('says 02 of an order that does not', async () => {
    merchant.emulator.setKnobs({ answerCode: '02' })
    expect((await merchant.createApp('ANSWER002')).fields['respCode']).toBe('02')
    expect(merchant.emulator.order('ANSWER002')).toBeUndefined()
  })
})

describe('the control panel over HTTP', () => {
  const control = async (method: string, name: string, body?: unknown) => {
    const response = await fetch(`${merchant.emulator.url}/_control/${name}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const json: unknown = await response.json()
    return { status: response.status, json }
  }

  test('plays the buyer', async () => {
    const { qrCode = '' } = (await merchant.createQr('CONTROL01', { changes: { txnAmt: '' } }))
      .fields
    expect((await control('POST', 'begin', { target: 'CONTROL01' })).status).toBe(409)
    expect(await control('POST', 'begin', { target: qrCode, amount: 5 })).toMatchObject({
      status: 200,
      json: { kind: 'moved', code: '05', eventId: null },
    })
    expect(await control('POST', 'fail', { target: qrCode, code: '64' })).toMatchObject({
      json: { code: '64' },
    })
    expect(await control('POST', 'pay', { target: qrCode, amount: 5 })).toMatchObject({
      json: { code: '00' },
    })
    expect(await control('POST', 'pay', { target: qrCode })).toEqual({
      status: 409,
      json: { kind: 'refused', reason: 'paid' },
    })
    expect((await control('GET', 'orders')).json).toMatchObject({ orders: expect.any(Array) })
  })

  test('gives the front return and the result of an app', async () => {
    await openCashier(merchant.frontForm('CONTROL02'))
    expect((await control('POST', 'return-form', { target: 'CONTROL02' })).status).toBe(404)
    await control('POST', 'pay', { target: 'CONTROL02' })
    expect((await control('POST', 'return-form', { target: 'CONTROL02' })).json).toMatchObject({
      fields: { orderId: 'CONTROL02' },
    })
    const { tn = '' } = (await merchant.createApp('CONTROL03')).fields
    await control('POST', 'pay', { target: tn })
    expect((await control('POST', 'app-result', { target: tn })).status).toBe(200)
  })

  test('ends a refund, forges, calls and rotates', async () => {
    await merchant.createApp('CONTROL04')
    const paid = merchant.emulator.pay('CONTROL04')
    await control('POST', 'knobs', { holdRefunds: true })
    await merchant.refund('CONTROL05', { origQryId: paid.kind === 'moved' ? paid.queryId : '' })
    expect((await control('POST', 'refund', { orderNumber: 'CONTROL05' })).status).toBe(200)
    expect((await control('POST', 'refund', { orderNumber: 'CONTROL05' })).status).toBe(404)
    expect((await control('GET', 'refunds')).json).toMatchObject({
      refunds: [{ code: '00' }, { code: '00' }, { code: '00' }],
    })
    const forgery = { forgery: 'rogue_key', orderNumber: 'CONTROL04' }
    expect((await control('POST', 'forge', forgery)).json).toMatchObject({ kind: 'forged' })
    const fields = { version: '5.1.0', encoding: 'UTF-8', orderId: 'CONTROL06' }
    const callback = { url: merchant.backUrl, fields, charset: 'GBK' }
    expect((await control('POST', 'callback', callback)).json).toMatchObject({ kind: 'genuine' })
    expect((await control('POST', 'rotate')).json).toMatchObject({
      certificatePem: expect.stringContaining('BEGIN CERTIFICATE'),
    })
  })

  test.each([
    ['pay', {}],
    ['forge', { forgery: 'magic', orderNumber: 'CONTROL01' }],
    ['knobs', { callbackCertificate: 'stolen' }],
    ['knobs', { noSuchKnob: 1 }],
  ])('refuses %s %p', async (name, body) => {
    expect((await control('POST', name, body)).status).toBe(400)
  })
})
