import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { chinaDigits } from '../core/china-time.ts'
import type { TestMerchant } from './merchant.ts'
import { startTestMerchant } from './merchant.ts'

const START = new Date('2026-03-14T10:15:30+08:00')
const MINUTE_MS = 60_000

let now = START
let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => now })
})

afterEach(() => {
  now = START
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

const after = (minutes: number): Date => new Date(START.getTime() + minutes * MINUTE_MS)
const payTimeout = chinaDigits(after(15))

async function codesOf(orderId: string): Promise<readonly (string | undefined)[]> {
  const { fields, isGenuine } = await merchant.query(orderId)
  expect(isGenuine).toBe(true)
  return [fields['respCode'], fields['origRespCode']]
}

describe('a query', () => {
  test('finds nothing until the buyer has tried', async () => {
    expect(await codesOf('NOBODY001')).toEqual(['34', undefined])
    await merchant.createApp('FRESH0001')
    expect(await codesOf('FRESH0001')).toEqual(['34', undefined])
  })

  test('says what was paid, in both codes', async () => {
    await merchant.createApp('PAID00001', { changes: { reqReserved: 'store=7' } })
    const result = merchant.emulator.pay('PAID00001')
    if (result.kind !== 'moved') throw new Error(`expected a payment, got ${result.reason}`)
    const { fields } = await merchant.query('PAID00001')
    expect(fields).toMatchObject({
      respCode: '00',
      origRespCode: '00',
      origRespMsg: '成功[0000000]',
      orderId: 'PAID00001',
      txnType: '01',
      txnAmt: '10000',
      currencyCode: '156',
      queryId: result.queryId,
      traceTime: '0314101530',
      settleAmt: '10000',
      settleDate: '0314',
      reqReserved: 'store=7',
    })
    expect(fields['queryId']).toMatch(/^\d\d260314101530\d{6}8$/)
  })

  test('needs the time of the order as well as its number', async () => {
    await merchant.createApp('TIMED0001')
    merchant.emulator.pay('TIMED0001')
    const changes = { txnTime: '20260314101531' }
    expect((await merchant.query('TIMED0001', { changes })).fields['respCode']).toBe('34')
    const missing = await merchant.query('TIMED0001', { changes: { txnTime: '' } })
    expect(missing.fields['respCode']).toBe('13')
  })

  test('goes by the vendor’s number as sub-type 02', async () => {
    await merchant.createApp('BYNUMBER1')
    const result = merchant.emulator.pay('BYNUMBER1')
    const queryId = result.kind === 'moved' ? result.queryId : ''
    const changes = { txnSubType: '02', orderId: '', txnTime: '', queryId }
    expect((await merchant.query('ANOTHER01', { changes })).fields).toMatchObject({
      origRespCode: '00',
      orderId: 'BYNUMBER1',
    })
  })

  test('also goes in at the back door, as some do for QR codes', async () => {
    await merchant.createQr('BACKDOOR1')
    merchant.emulator.pay('BACKDOOR1')
    const query = { txnType: '00', txnSubType: '00', bizType: '000000', orderId: 'BACKDOOR1' }
    expect((await merchant.call('back', query)).fields['origRespCode']).toBe('00')
  })

  test.each(['03', '04', '05', '70', '83'])('says %s while nobody knows', async (code) => {
    const orderId = `WAITING${code}`
    await merchant.createApp(orderId)
    const begun = merchant.emulator.begin(orderId, { code })
    expect(await codesOf(orderId)).toEqual(['00', code])
    expect((await merchant.query(orderId)).fields['settleDate']).toBeUndefined()
    const paid = merchant.emulator.pay(orderId)
    expect(await codesOf(orderId)).toEqual(['00', '00'])
    if (begun.kind !== 'moved' || paid.kind !== 'moved') throw new Error('expected two moves')
    expect(paid.queryId).toBe(begun.queryId)
  })

  test.each(['01', '30', '60', '64', '77'])(
    'says %s, and the buyer may try again',
    async (code) => {
      const orderId = `FAILED0${code}`
      await merchant.createApp(orderId)
      merchant.emulator.fail(orderId, { code })
      expect(await codesOf(orderId)).toEqual(['00', code])
      merchant.emulator.pay(orderId)
      expect(await codesOf(orderId)).toEqual(['00', '00'])
    },
  )

  test('says A6 of a success with a defect', async () => {
    await merchant.createApp('DEFECT001')
    merchant.emulator.pay('DEFECT001', { code: 'A6' })
    expect(await codesOf('DEFECT001')).toEqual(['00', 'A6'])
    expect(merchant.emulator.pay('DEFECT001')).toEqual({ kind: 'refused', reason: 'paid' })
  })

  test.each(['42', '74', '75'])('says %s of money that moved for nothing', async (code) => {
    const orderId = `MOVED000${code}`
    await merchant.createApp(orderId)
    const result = merchant.emulator.pay(orderId, { code })
    expect(result).toMatchObject({ kind: 'moved', code, eventId: undefined })
    expect(await codesOf(orderId)).toEqual(['00', code])
    expect(merchant.emulator.pay(orderId)).toEqual({ kind: 'refused', reason: 'paid' })
  })
})

describe('the deadline', () => {
  test('refuses cards, and a query still finds nothing', async () => {
    await merchant.createApp('LATE00001', { changes: { payTimeout } })
    now = after(15)
    expect(merchant.emulator.pay('LATE00001')).toEqual({ kind: 'refused', reason: 'expired' })
    expect(merchant.emulator.begin('LATE00001')).toEqual({ kind: 'refused', reason: 'expired' })
    expect(await codesOf('LATE00001')).toEqual(['34', undefined])
  })

  test('is not there a second before', async () => {
    await merchant.createApp('LATE00002', { changes: { payTimeout } })
    now = new Date(after(15).getTime() - 1_000)
    expect(merchant.emulator.pay('LATE00002')).toMatchObject({ kind: 'moved', code: '00' })
  })

  test('turns what a bank finishes too late into 42', async () => {
    await merchant.createApp('LATE00003', { changes: { payTimeout } })
    merchant.emulator.begin('LATE00003')
    now = after(20)
    expect(merchant.emulator.pay('LATE00003')).toMatchObject({ kind: 'moved', code: '42' })
    expect(await codesOf('LATE00003')).toEqual(['00', '42'])
  })

  test('of a QR code is a day unless it says more', async () => {
    await merchant.createQr('LATE00004')
    now = after(24 * 60)
    expect(merchant.emulator.pay('LATE00004')).toEqual({ kind: 'refused', reason: 'expired' })
  })
})

describe('the clearing day', () => {
  test.each([
    ['2026-03-14T22:59:59+08:00', '0314'],
    ['2026-03-14T23:00:00+08:00', '0315'],
    ['2026-12-31T23:30:00+08:00', '0101'],
  ])('at %s is %s', async (moment, settleDate) => {
    now = new Date(moment)
    const orderId = `DAY${chinaDigits(now)}`
    await merchant.createApp(orderId)
    merchant.emulator.pay(orderId)
    expect((await merchant.query(orderId)).fields['settleDate']).toBe(settleDate)
  })

  test('may be another one, as the vendor has it', async () => {
    await merchant.createApp('OTHERDAY1')
    merchant.emulator.pay('OTHERDAY1', { settleDate: '0313' })
    expect((await merchant.query('OTHERDAY1')).fields['settleDate']).toBe('0313')
  })

  test('frees the order numbers of the day before', async () => {
    await merchant.createApp('REUSED001')
    now = new Date('2026-03-14T23:00:00+08:00')
    expect((await merchant.createApp('REUSED001')).fields['respCode']).toBe('00')
    merchant.emulator.pay('REUSED001')
    const changes = { txnTime: chinaDigits(START) }
    expect((await merchant.query('REUSED001', { changes })).fields['respCode']).toBe('34')
    expect((await merchant.query('REUSED001')).fields['origRespCode']).toBe('00')
  })
})

describe('knobs', () => {
  test('make queries too many, or blind, a few times', async () => {
    await merchant.createApp('KNOBS0001')
    merchant.emulator.pay('KNOBS0001')
    merchant.emulator.setKnobs({ tooManyQueries: 1, notFoundQueries: 2 })
    expect(await codesOf('KNOBS0001')).toEqual(['37', undefined])
    expect(await codesOf('KNOBS0001')).toEqual(['34', undefined])
    expect(await codesOf('KNOBS0001')).toEqual(['34', undefined])
    expect(await codesOf('KNOBS0001')).toEqual(['00', '00'])
  })

  test('set the outer and the inner code', async () => {
    await merchant.createApp('KNOBS0002')
    merchant.emulator.pay('KNOBS0002')
    merchant.emulator.setKnobs({ queryCode: '06' })
    expect(await codesOf('KNOBS0002')).toEqual(['06', undefined])
    merchant.emulator.setKnobs({ queryCode: '', unknownTradeState: 'ZZ' })
    expect(await codesOf('KNOBS0002')).toEqual(['00', 'ZZ'])
  })
})
