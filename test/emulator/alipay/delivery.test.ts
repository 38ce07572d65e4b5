import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { callsOf } from './calls.ts'
import { deliveriesFor, sendForgery } from './by-number.ts'
import { FORGERIES } from './forge.ts'
import type { TestMerchant } from './merchant.ts'
import { CERTIFICATE_APP_ID, sale, startTestMerchant } from './merchant.ts'

let merchant: TestMerchant
let calls: ReturnType<typeof callsOf>

beforeAll(async () => {
  merchant = await startTestMerchant({ timeScale: 0.000_001 })
  calls = callsOf(merchant)
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

async function payNew(outTradeNo: string): Promise<string> {
  await calls.create(outTradeNo)
  const result = merchant.emulator.pay(outTradeNo)
  if (result.kind !== 'paid') throw new Error(`expected paid, got ${result.reason}`)
  await result.done
  return result.eventId
}

const receivedOf = (outTradeNo: string) =>
  merchant.received.filter(({ fields }) => fields['out_trade_no'] === outTradeNo)

describe('a notice', () => {
  test('tells of the payment, signed by the v1 rule', async () => {
    const eventId = await payNew('NOTICE1')
    const [notice, ...others] = receivedOf('NOTICE1')
    expect(others).toEqual([])
    expect(notice?.isGenuine).toBe(true)
    expect(notice?.contentType).toBe('application/x-www-form-urlencoded; charset=utf-8')
    expect(notice?.fields).toMatchObject({
      notify_type: 'trade_status_sync',
      notify_id: eventId,
      trade_status: 'TRADE_SUCCESS',
      total_amount: '88.80',
      buyer_pay_amount: '88.80',
      seller_id: '2088000000000001',
      subject: '测试 tea',
      buyer_open_id: 'open',
      fund_bill_list: '[{"amount":"88.80","fundChannel":"ALIPAYACCOUNT"}]',
    })
    expect(notice?.fields).not.toContainKey('refund_fee')
    expect(eventId).toMatch(/^\d{34}$/)
  })

  test('is in GBK where the order was', async () => {
    const how = { charset: 'GBK', parameters: { notify_url: merchant.notifyUrl } }
    await merchant.call('alipay.trade.create', sale('NOTICE2', { buyer_id: '2088' }), how)
    merchant.emulator.pay('NOTICE2')
    await merchant.emulator.idle()
    const [notice] = receivedOf('NOTICE2')
    expect(notice?.isGenuine).toBe(true)
    expect(notice?.contentType).toEndWith('charset=GBK')
    expect(notice?.fields['subject']).toBe('测试 tea')
    expect(notice?.body).toContain('subject=%B2%E2%CA%D4+tea')
  })

  test('is signed with the certificate for an app that has one', async () => {
    const parameters = { notify_url: merchant.notifyUrl }
    const how = { appId: CERTIFICATE_APP_ID, parameters }
    await merchant.call('alipay.trade.create', sale('NOTICE3', { buyer_id: '2088' }), how)
    merchant.emulator.setKnobs({ noticeCertificate: 'signed', emptyNoticeField: 'signed' })
    merchant.emulator.pay('NOTICE3')
    await merchant.emulator.idle()
    const [notice] = receivedOf('NOTICE3')
    const { number } = merchant.keys.vendor.certificate
    expect(notice).toMatchObject({ isGenuine: true, fields: { alipay_cert_sn: number, extra: '' } })
    expect(deliveriesFor(merchant.emulator, 'NOTICE3')[0]?.keySerial).toBe(number)
  })

  test('is not sent where no address was given', async () => {
    await merchant.call('alipay.trade.create', sale('NOTICE4', { buyer_id: '2088' }))
    const result = merchant.emulator.pay('NOTICE4')
    if (result.kind === 'paid') await result.done
    expect(deliveriesFor(merchant.emulator, 'NOTICE4')).toEqual([])
  })

  test('repeats with the same id until the answer is exactly success', async () => {
    merchant.answerWith('fail', 'SUCCESS', 'success\n', 302, 201)
    await payNew('REPEAT1')
    const log = deliveriesFor(merchant.emulator, 'REPEAT1')
    expect(log.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6])
    expect(log.map(({ acknowledged }) => acknowledged)).toEqual([...Array(5).fill(false), true])
    expect(log.map(({ answer }) => answer)).toEqual([
      'fail',
      'SUCCESS',
      'success\n',
      ...Array(3).fill('success'),
    ])
    const ids = receivedOf('REPEAT1').map(({ fields }) => fields['notify_id'])
    expect(new Set(ids).size).toBe(1)
  })

  test.each([
    ['create', 8],
    ['precreate', 11],
  ] as const)('of %s is given up after %d sends', async (method, sends) => {
    const number = `GIVEUP_${method}`
    merchant.answerWith(...Array<string>(sends).fill('fail'))
    await calls[method](number)
    merchant.emulator.pay(number)
    await merchant.emulator.idle()
    expect(deliveriesFor(merchant.emulator, number).length).toBe(sends)
  })
})

describe('what else is told', () => {
  const statesOf = (number: string) =>
    receivedOf(number).map(({ fields }) => [fields['trade_status'], fields['refund_fee']])

  test('refunds: the sum so far, under the same state until all is returned', async () => {
    await payNew('TOLD1')
    await calls.refund('TOLD1', '8.80', 'R1')
    await merchant.emulator.idle()
    await calls.refund('TOLD1', '80.00', 'R2')
    await merchant.emulator.idle()
    expect(statesOf('TOLD1')).toEqual([
      ['TRADE_SUCCESS', undefined],
      ['TRADE_SUCCESS', '8.80'],
      ['TRADE_CLOSED', '88.80'],
    ])
    const last = receivedOf('TOLD1').at(-1)
    expect(last).toMatchObject({ isGenuine: true, fields: { out_biz_no: 'R2' } })
    expect(last?.fields['gmt_refund']).toMatch(/:\d\d\.\d{3}$/)
  })

  test('waiting, if wished, and the end of the refund window', async () => {
    merchant.emulator.setKnobs({ noticeOfWaiting: true })
    await calls.create('TOLD2')
    await merchant.emulator.idle()
    merchant.emulator.pay('TOLD2')
    await merchant.emulator.idle()
    await merchant.emulator.finish('TOLD2').done
    const states = ['WAIT_BUYER_PAY', 'TRADE_SUCCESS', 'TRADE_FINISHED']
    expect(statesOf('TOLD2')).toEqual(states.map((state) => [state, undefined]))
  })

  test('a close, if wished', async () => {
    merchant.emulator.setKnobs({ noticeOfClose: true })
    await calls.create('TOLD3')
    await calls.close('TOLD3')
    await merchant.emulator.idle()
    expect(statesOf('TOLD3')).toEqual([['TRADE_CLOSED', undefined]])
    await calls.create('TOLD4')
    merchant.emulator.expire('TOLD4')
    await merchant.emulator.idle()
    expect(statesOf('TOLD4')).toEqual([['TRADE_CLOSED', undefined]])
    expect(receivedOf('TOLD4')[0]?.fields).toContainKey('gmt_close')
    expect(() => merchant.emulator.expire('TOLD4')).toThrow('expected an order')
  })
})

describe('what goes wrong on the way', () => {
  test('a wrong amount, once, with a genuine signature', async () => {
    merchant.emulator.setKnobs({ wrongAmount: -1 })
    await payNew('WRONG1')
    await payNew('WRONG2')
    expect(receivedOf('WRONG1')).toMatchObject([
      { isGenuine: true, fields: { total_amount: '88.79' } },
    ])
    expect(receivedOf('WRONG2')).toMatchObject([
      { isGenuine: true, fields: { total_amount: '88.80' } },
    ])
  })

  test('a wrong key, then the right one', async () => {
    merchant.emulator.setKnobs({ wrongKey: 1 })
    merchant.answerWith('fail', 'success')
    await payNew('WRONG3')
    expect(receivedOf('WRONG3').map(({ isGenuine }) => isGenuine)).toEqual([false, true])
    const kinds = deliveriesFor(merchant.emulator, 'WRONG3').map(({ kind }) => kind)
    expect(kinds).toEqual(['forged', 'genuine'])
  })

  test('an empty field that was not signed', async () => {
    merchant.emulator.setKnobs({ emptyNoticeField: 'unsigned' })
    await payNew('WRONG4')
    expect(receivedOf('WRONG4')[0]?.isGenuine).toBe(false)
  })

  test.each(FORGERIES)('a forgery: %s', async (forgery) => {
    const outTradeNo = `FORGE_${forgery}`
    await calls.create(outTradeNo)
    const sent = await sendForgery(merchant.emulator, forgery, outTradeNo)
    expect(sent).toMatchObject({ kind: 'forged', orderNumber: outTradeNo })
    expect(merchant.received.at(-1)?.isGenuine).toBe(false)
    expect(merchant.emulator.trade(outTradeNo)?.state).toBe('WAIT_BUYER_PAY')
  })

  test('a genuine notice that claims what it is told', async () => {
    await calls.precreate('CLAIM1')
    const changes = { app_id: '2021999999999999', trade_status: 'TRADE_LEVITATING' }
    await merchant.emulator.sendNotice({ outTradeNo: 'CLAIM1', changes })
    expect(receivedOf('CLAIM1')).toMatchObject([{ isGenuine: true, fields: changes }])
    expect(merchant.emulator.trade('CLAIM1')).toBe(undefined)
    const nowhere = merchant.emulator.sendNotice({ outTradeNo: 'NOBODY' })
    await expect(nowhere).rejects.toThrow('expected an order')
  })
})

describe('the control panel over HTTP', () => {
  const control = async (method: string, name: string, body?: unknown) => {
    const response = await fetch(`${merchant.emulator.url}/_control/${name}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const value: unknown = await response.json()
    return { status: response.status, value }
  }

  test('scans, pays, finishes, sends again and shows orders', async () => {
    const { node } = await calls.precreate('PANEL1')
    const scanned = await control('POST', 'scan', { code: node['qr_code'] })
    expect(scanned).toMatchObject({ status: 200, value: { trade_status: 'WAIT_BUYER_PAY' } })
    const paid = await control('POST', 'pay', { outTradeNo: 'PANEL1' })
    expect(paid).toMatchObject({ status: 200, value: { kind: 'paid' } })
    expect((await control('POST', 'pay', { outTradeNo: 'PANEL1' })).status).toBe(409)
    await merchant.emulator.idle()
    expect((await control('POST', 'resend', { orderNumber: 'PANEL1' })).status).toBe(200)
    expect(receivedOf('PANEL1').length).toBe(2)
    expect((await control('POST', 'finish', { outTradeNo: 'PANEL1' })).status).toBe(200)
    expect((await control('GET', 'orders')).value).toMatchObject({
      orders: expect.arrayContaining([
        expect.objectContaining({ out_trade_no: 'PANEL1', trade_status: 'TRADE_FINISHED' }),
      ]),
    })
    await merchant.emulator.idle()
  })

  test('forges, notifies, rotates, and refuses what it does not know', async () => {
    await calls.precreate('PANEL2')
    const forged = await control('POST', 'forge', { forgery: 'unsigned', outTradeNo: 'PANEL2' })
    expect(forged.value).toMatchObject({ kind: 'forged' })
    const sent = await control('POST', 'callback', { outTradeNo: 'PANEL2' })
    expect(sent.value).toMatchObject({ kind: 'genuine', acknowledged: true })
    expect((await control('POST', 'callback', { outTradeNo: 'NOBODY' })).status).toBe(404)
    expect((await control('POST', 'forge', { forgery: 'magic' })).status).toBe(400)
    expect((await control('POST', 'knobs', { gravity: 1 })).status).toBe(400)
    expect((await control('POST', 'rotate-key')).value).toEqual({
      publicKeyPem: merchant.emulator.vendorKeys().publicKeyPem,
    })
    const { value } = await control('POST', 'rotate-certificate')
    const { certificatePem, number } = merchant.emulator.vendorKeys().certificate
    expect(value).toEqual({ certificatePem, number })
  })
})
