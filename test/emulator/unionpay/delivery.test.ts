import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { signingString } from './signature.ts'
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

/** Creates, pays, and waits until the vendor has given up or was heard. */
async function payNew(orderId: string, changes = {}) {
  await merchant.createApp(orderId, { changes })
  const result = merchant.emulator.pay(orderId)
  if (result.kind !== 'moved') throw new Error(`expected a payment, got ${result.reason}`)
  await result.done
  return callbacksOf(orderId)
}

const callbacksOf = (orderId: string) =>
  merchant.received.filter(({ fields }) => fields['orderId'] === orderId)

const deliveriesOf = (orderId: string) => merchant.emulator.deliveriesFor(orderId)

describe('a callback', () => {
  test('has the published fields, signed under the vendor’s certificate', async () => {
    const [callback, ...others] = await payNew('DELIVER01', { reqReserved: 'store=7' })
    expect(others).toEqual([])
    expect(callback?.isGenuine).toBe(true)
    expect(Object.keys(callback?.fields ?? {}).sort()).toEqual([
      'accNo',
      'accessType',
      'bizType',
      'currencyCode',
      'encoding',
      'exchangeRate',
      'merId',
      'orderId',
      'queryId',
      'reqReserved',
      'respCode',
      'respMsg',
      'settleAmt',
      'settleCurrencyCode',
      'settleDate',
      'signMethod',
      'signPubKeyCert',
      'signature',
      'traceNo',
      'traceTime',
      'txnAmt',
      'txnSubType',
      'txnTime',
      'txnType',
      'version',
    ])
    expect(callback?.fields).toMatchObject({ respMsg: 'success', exchangeRate: '0', txnType: '01' })
    expect(signingString(callback?.fields ?? {})).toContain(
      '\r\n-----END CERTIFICATE-----&traceNo=',
    )
  })

  test('is made five times and then never again', async () => {
    merchant.answerWith(500, 503, 404, 500, 500)
    const callbacks = await payNew('DELIVER02')
    expect(callbacks.length).toBe(5)
    expect(new Set(callbacks.map(({ body }) => body)).size).toBe(1)
    expect(deliveriesOf('DELIVER02').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5])
    expect(deliveriesOf('DELIVER02').some(({ acknowledged }) => acknowledged)).toBe(false)
    await merchant.emulator.resend('DELIVER02')
    expect(callbacksOf('DELIVER02').length).toBe(6)
  })

  test('is acknowledged by 200 alone', async () => {
    merchant.answerWith(201, 204, 302, 200)
    await payNew('DELIVER03')
    expect(deliveriesOf('DELIVER03').map(({ status, outcome }) => [status, outcome])).toEqual([
      [201, 'refused'],
      [204, 'refused'],
      [302, 'refused'],
      [200, 'acknowledged'],
    ])
  })

  test.each(['early', 'late'] as const)('has the gaps of the %s sources', async (callbackGaps) => {
    merchant.emulator.setKnobs({ callbackGaps })
    merchant.answerWith(500, 500, 500, 500, 500)
    const startedMs = performance.now()
    await payNew(`GAPS0${callbackGaps}`)
    // At a thousandth of the vendor's pace: 0, 60, 120, 240 or 60, 120, 240, 300 ms.
    const expectedMs = callbackGaps === 'early' ? 420 : 720
    expect(performance.now() - startedMs).toBeGreaterThan(expectedMs * 0.95)
    expect(deliveriesOf(`GAPS0${callbackGaps}`).length).toBe(5)
  })

  test('of a failed QR order is made, because that came in at the back', async () => {
    await merchant.createQr('DELIVER04')
    const failed = merchant.emulator.fail('DELIVER04', { code: '64' })
    if (failed.kind === 'moved') await failed.done
    const paid = merchant.emulator.pay('DELIVER04')
    if (paid.kind === 'moved') await paid.done
    const callbacks = callbacksOf('DELIVER04')
    expect(callbacks.map(({ fields }) => fields['respCode'])).toEqual(['64', '00'])
    expect(callbacks[0]?.fields['settleAmt']).toBeUndefined()
    expect(new Set(callbacks.map(({ fields }) => fields['queryId'])).size).toBe(2)
  })

  test('of an app order is made for a success only, unless one asks for more', async () => {
    await merchant.createApp('DELIVER05')
    expect(merchant.emulator.begin('DELIVER05')).toMatchObject({ eventId: undefined })
    expect(merchant.emulator.fail('DELIVER05')).toMatchObject({ eventId: undefined })
    const told = merchant.emulator.fail('DELIVER05', { callback: true })
    if (told.kind === 'moved') await told.done
    expect(callbacksOf('DELIVER05').map(({ fields }) => fields['respCode'])).toEqual(['60'])
  })
})

describe('the body of a callback', () => {
  test.each([
    ['plus', 'BEGIN+CERTIFICATE'],
    ['percent', 'BEGIN%20CERTIFICATE'],
  ] as const)('may write a blank in the way of %s', async (callbackEscapes, blank) => {
    merchant.emulator.setKnobs({ callbackEscapes })
    const [callback] = await payNew(`BODY0${callbackEscapes}`)
    expect(callback?.body).toContain(blank)
    expect(callback?.body).not.toContain('\r\n')
    expect(callback?.isGenuine).toBe(true)
  })

  test('without escapes is read by nobody', async () => {
    merchant.emulator.setKnobs({ callbackEscapes: 'none' })
    const [callback] = await payNew('BODY0none')
    expect(callback?.body).toContain('BEGIN CERTIFICATE')
    expect(callback?.isGenuine).toBe(false)
  })

  test('is in the charset of the order', async () => {
    const [callback] = await payNew('BODY00gbk', { encoding: 'GBK', reqReserved: '茶' })
    expect(callback?.contentType).toEndWith('charset=GBK')
    expect(callback?.body).toContain('reqReserved=%B2%E8')
    expect(callback?.fields).toMatchObject({ encoding: 'GBK', reqReserved: '茶' })
    expect(callback?.isGenuine).toBe(true)
  })

  test('is in another charset if the panel says so', async () => {
    merchant.emulator.setKnobs({ callbackCharset: 'GBK' })
    const [callback] = await payNew('BODY0other', { reqReserved: '茶' })
    expect(callback?.body).toContain('reqReserved=%B2%E8')
    expect(callback?.fields['encoding']).toBe('GBK')
    expect(callback?.isGenuine).toBe(true)
  })

  test('echoes the charset as it was written', async () => {
    const [callback] = await payNew('BODY0utf8', { encoding: 'utf-8' })
    expect(callback?.fields['encoding']).toBe('utf-8')
  })
})

describe('faults on the way', () => {
  test('are lost sends, repeated or not', async () => {
    merchant.emulator.setKnobs({ dropCallbacks: 2 })
    expect((await payNew('LOST00001')).length).toBe(1)
    expect(deliveriesOf('LOST00001').map(({ outcome }) => outcome)).toEqual([
      'dropped',
      'dropped',
      'acknowledged',
    ])
    merchant.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
    expect(await payNew('LOST00002')).toEqual([])
  })

  test('are duplicates', async () => {
    merchant.emulator.setKnobs({ duplicate: 3 })
    expect((await payNew('DOUBLE001')).length).toBe(3)
  })

  test('are events that overtake each other', async () => {
    merchant.emulator.setKnobs({ reorder: 2 })
    await Promise.all([payNew('OVERTAKE1'), payNew('OVERTAKE2')])
    const order = merchant.received
      .map(({ fields }) => fields['orderId'] ?? '')
      .filter((orderId) => orderId.startsWith('OVERTAKE'))
    const paid = merchant.emulator
      .orders()
      .map(({ message }) => message.fields['orderId'] ?? '')
      .filter((orderId) => orderId.startsWith('OVERTAKE'))
    expect(order).toEqual(paid.reverse())
  })

  test('are a wrong amount under a genuine signature, once', async () => {
    merchant.emulator.setKnobs({ wrongAmount: -1 })
    const [wrong] = await payNew('WRONG0001')
    expect(wrong?.fields).toMatchObject({ txnAmt: '9999', settleAmt: '9999' })
    expect(wrong?.isGenuine).toBe(true)
    expect((await merchant.query('WRONG0001')).fields['txnAmt']).toBe('10000')
    expect((await payNew('WRONG0002'))[0]?.fields['txnAmt']).toBe('10000')
  })

  test('are a key that nobody knows, until the genuine one', async () => {
    merchant.emulator.setKnobs({ wrongKey: 1 })
    merchant.answerWith(500)
    expect((await payNew('ROGUE0001')).map(({ isGenuine }) => isGenuine)).toEqual([false, true])
    expect(deliveriesOf('ROGUE0001').map(({ kind }) => kind)).toEqual(['forged', 'genuine'])
  })

  test('are merchants who do not answer in time', async () => {
    const slow = await startTestMerchant({ answerWithinMs: 20, retryDelaysMs: [] })
    const hanging = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => new Promise<never>(() => {}),
    })
    await slow.createApp('HANGING01', {
      changes: { backUrl: `http://127.0.0.1:${hanging.port}/notify` },
    })
    slow.emulator.pay('HANGING01')
    await slow.emulator.idle()
    expect(slow.emulator.deliveries()).toMatchObject([{ outcome: 'unknown', status: null }])
    await hanging.stop(true)
    await slow.stop()
  })
})
