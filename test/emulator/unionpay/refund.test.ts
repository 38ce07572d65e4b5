import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import type { Fields } from './message.ts'
import type { TestMerchant } from './merchant.ts'
import { startTestMerchant } from './merchant.ts'

const START = new Date('2026-03-14T10:15:30+08:00')
const DAY_MS = 24 * 3600 * 1000

let now = START
let merchant: TestMerchant

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => now })
})

afterEach(async () => {
  await merchant.emulator.idle()
  now = START
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

/** A paid order of 100 yuan: the vendor's number. */
async function paid(orderId: string, door: 'createApp' | 'createQr' = 'createApp') {
  await merchant[door](orderId)
  const result = merchant.emulator.pay(orderId)
  if (result.kind !== 'moved') throw new Error(`expected a payment, got ${result.reason}`)
  await result.done
  return { origQryId: result.queryId }
}

const codeOf = async (orderId: string, origin: Fields) =>
  (await merchant.refund(orderId, origin)).fields['respCode']

const innerCode = async (orderId: string) =>
  (await merchant.query(orderId)).fields['origRespCode'] ?? '34'

const callbacksOf = (orderId: string) =>
  merchant.received.filter(({ fields }) => fields['orderId'] === orderId)

describe('a refund', () => {
  test('is accepted, ends by itself, and tells so under its own number', async () => {
    const origin = await paid('ORIGIN001')
    const answer = await merchant.refund('REFUND001', { ...origin, txnAmt: '3000' })
    expect(answer.isGenuine).toBe(true)
    expect(answer.fields).toMatchObject({ respCode: '00', txnType: '04', ...origin })
    expect(answer.fields['queryId']).not.toBe(origin.origQryId)
    await merchant.emulator.idle()
    const [callback, ...others] = callbacksOf('REFUND001')
    expect(others).toEqual([])
    expect(callback?.isGenuine).toBe(true)
    expect(callback?.fields).toMatchObject({ respCode: '00', txnAmt: '3000', ...origin })
    expect(callback?.fields['queryId']).toBe(answer.fields['queryId'] ?? '')
    expect((await merchant.query('REFUND001')).fields).toMatchObject({
      origRespCode: '00',
      txnType: '04',
      ...origin,
    })
    expect(await innerCode('ORIGIN001')).toBe('00')
  })

  test('may be repeated in parts until the sum is the payment', async () => {
    const origin = await paid('ORIGIN002')
    expect(await codeOf('PARTIAL01', { ...origin, txnAmt: '6000' })).toBe('00')
    expect(await codeOf('PARTIAL02', { ...origin, txnAmt: '4001' })).toBe('36')
    expect(await codeOf('PARTIAL03', { ...origin, txnAmt: '4000' })).toBe('00')
    expect(await codeOf('PARTIAL04', { ...origin, txnAmt: '1' })).toBe('45')
    expect(merchant.emulator.order('ORIGIN002')?.takenBack).toBe(10_000n)
  })

  test('needs a number of its own', async () => {
    const origin = await paid('ORIGIN003')
    expect(await codeOf('ORIGIN003', origin)).toBe('12')
  })

  test('needs a payment', async () => {
    expect(await codeOf('NOORIGIN1', { origQryId: '0'.repeat(21) })).toBe('35')
    await merchant.createApp('ORIGIN004')
    const begun = merchant.emulator.begin('ORIGIN004')
    const origQryId = begun.kind === 'moved' ? begun.queryId : ''
    expect(await codeOf('NOORIGIN2', { origQryId })).toBe('35')
    expect(await codeOf('NOORIGIN3', {})).toBe('13')
  })

  test('is pending while it is held, and its amount stays taken', async () => {
    const origin = await paid('ORIGIN005')
    merchant.emulator.setKnobs({ holdRefunds: true })
    expect(await codeOf('HELD00001', origin)).toBe('00')
    expect(await innerCode('HELD00001')).toBe('05')
    expect(await codeOf('HELD00002', { ...origin, txnAmt: '1' })).toBe('45')
    await merchant.emulator.finishRefund('HELD00001').done
    expect(await innerCode('HELD00001')).toBe('00')
    expect(() => merchant.emulator.finishRefund('HELD00001')).toThrow('expected a held refund')
  })

  test('that fails tells so and gives its amount free again', async () => {
    const origin = await paid('ORIGIN006')
    merchant.emulator.setKnobs({ holdRefunds: true })
    await merchant.refund('FAILED001', origin)
    await merchant.emulator.finishRefund('FAILED001', '60').done
    expect(callbacksOf('FAILED001').at(-1)?.fields['respCode']).toBe('60')
    expect(await innerCode('FAILED001')).toBe('60')
    merchant.emulator.setKnobs({ holdRefunds: false, refundCode: '00' })
    expect(await codeOf('FAILED002', origin)).toBe('00')
  })

  test('is taken for 330 days, of a QR code for 30', async () => {
    const app = await paid('ORIGIN007')
    const qr = await paid('ORIGIN008', 'createQr')
    now = new Date(START.getTime() + 30 * DAY_MS)
    expect(await codeOf('INTIME001', { ...qr, txnAmt: '1' })).toBe('00')
    now = new Date(START.getTime() + 31 * DAY_MS)
    expect((await merchant.refund('TOOLATE01', { ...qr, txnAmt: '1' })).fields).toMatchObject({
      respCode: '35',
      respMsg: '原交易不存在或状态不正确[2011000]',
    })
    expect(await codeOf('INTIME002', { ...app, txnAmt: '1' })).toBe('00')
    now = new Date(START.getTime() + 331 * DAY_MS)
    const late = await merchant.refund('TOOLATE02', { ...app, txnAmt: '1' })
    expect(late.fields['respMsg']).toContain('4040007')
  })

  test.each(['03', '04', '05', '06', '99'])(
    'is done when the answer says %s',
    async (answerCode) => {
      const orderId = `UNSURE0${answerCode}`
      const origin = await paid(`O${orderId}`)
      merchant.emulator.setKnobs({ answerCode })
      expect(await codeOf(orderId, origin)).toBe(answerCode)
      expect(await innerCode(orderId)).toBe('00')
    },
  )

  test.each(['01', '31', '38'])('is not there when the answer says %s', async (answerCode) => {
    const orderId = `REFUSED${answerCode}`
    const origin = await paid(`O${orderId}`)
    merchant.emulator.setKnobs({ answerCode })
    expect(await codeOf(orderId, origin)).toBe(answerCode)
    expect(merchant.emulator.refund(orderId)).toBeUndefined()
  })
})

describe('a void', () => {
  const voidOf = async (orderId: string, origin: Fields) =>
    codeOf(orderId, { txnType: '31', ...origin })

  test('takes the whole payment back on its own day', async () => {
    const origin = await paid('VORIGIN01')
    expect(await voidOf('VOID00001', { ...origin, txnAmt: '9999' })).toBe('36')
    expect(await voidOf('VOID00002', origin)).toBe('00')
    await merchant.emulator.idle()
    expect(callbacksOf('VOID00002').at(-1)?.fields).toMatchObject({ txnType: '31', ...origin })
    expect(await voidOf('VOID00003', origin)).toBe('45')
    expect(await codeOf('VOID00004', origin)).toBe('45')
  })

  test('is refused after 23:00, where a refund is taken', async () => {
    const origin = await paid('VORIGIN02')
    now = new Date('2026-03-14T23:00:00+08:00')
    expect(await voidOf('VOID00005', origin)).toBe('35')
    expect(await codeOf('VOID00006', origin)).toBe('00')
  })

  test('is refused after a part was refunded', async () => {
    const origin = await paid('VORIGIN03')
    await merchant.refund('VOID00007', { ...origin, txnAmt: '1' })
    expect(await voidOf('VOID00008', origin)).toBe('35')
  })
})
