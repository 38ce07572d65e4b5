import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { chinaDigits } from '../core/china-time.ts'
import { openCashier, readForms } from './buyer.ts'
import type { Fields } from './message.ts'
import type { TestMerchant } from './merchant.ts'
import { isVendorSigned, startTestMerchant } from './merchant.ts'

const START = new Date('2026-03-14T10:15:30+08:00')

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

const isGenuine = (fields: Fields): boolean =>
  isVendorSigned({ keys: merchant.keys, now: () => now }, fields)

const innerCode = async (orderId: string) =>
  (await merchant.query(orderId)).fields['origRespCode'] ?? '34'

describe('the cashier page', () => {
  test('opens an order, and the buyer pays and returns with a signed form', async () => {
    const page = await openCashier(merchant.frontForm('FRONT0001'))
    expect(page.html).toContain('FRONT0001')
    expect(await innerCode('FRONT0001')).toBe('34')
    const result = await page.press('pay')
    expect(result.returnForm?.action).toBe('http://127.0.0.1:9/return')
    const fields: Fields = result.returnForm?.fields ?? {}
    expect(isGenuine(fields)).toBe(true)
    expect(fields).toMatchObject({ orderId: 'FRONT0001', respCode: '00', txnAmt: '10000' })
    await merchant.emulator.idle()
    const [callback] = merchant.received.filter((one) => one.fields['orderId'] === 'FRONT0001')
    expect(callback?.isGenuine).toBe(true)
    expect(callback?.fields['queryId']).toBe(fields['queryId'] ?? '')
  })

  test('is PC by channel 07 and phone by 08', async () => {
    await openCashier(merchant.frontForm('PRODUCT01'))
    await openCashier(merchant.frontForm('PRODUCT02', { channelType: '08' }))
    expect(merchant.emulator.order('PRODUCT01')?.product).toBe('page')
    expect(merchant.emulator.order('PRODUCT02')?.product).toBe('wap')
  })

  test('changes nothing when the buyer cancels, who may come back', async () => {
    const form = merchant.frontForm('CANCEL001')
    const result = await (await openCashier(form)).press('cancel')
    expect(result.returnForm).toBeUndefined()
    expect(await innerCode('CANCEL001')).toBe('34')
    await (await openCashier(form)).press('pay')
    expect(await innerCode('CANCEL001')).toBe('00')
  })

  test('returns a failure signed, calls nobody, and lets the buyer try again', async () => {
    const page = await openCashier(merchant.frontForm('FAILING01'))
    const result = await page.press('fail')
    const fields: Fields = result.returnForm?.fields ?? {}
    expect(fields['respCode']).toBe('60')
    expect(isGenuine(fields)).toBe(true)
    await merchant.emulator.idle()
    expect(merchant.emulator.deliveriesFor('FAILING01')).toEqual([])
    expect((await page.press('pay')).returnForm?.fields['respCode']).toBe('00')
  })

  test('goes to the address for failures, if there is one', async () => {
    const frontFailUrl = 'http://127.0.0.1:9/failed'
    const page = await openCashier(merchant.frontForm('FAILING02', { frontFailUrl }))
    expect((await page.press('fail')).returnForm?.action).toBe(frontFailUrl)
  })

  test('offers no way back while the bank thinks', async () => {
    const page = await openCashier(merchant.frontForm('THINKING1'))
    expect((await page.press('wait')).returnForm).toBeUndefined()
    expect(await innerCode('THINKING1')).toBe('05')
  })

  test('takes no card after the deadline', async () => {
    const payTimeout = chinaDigits(new Date(START.getTime() + 60_000))
    const page = await openCashier(merchant.frontForm('EXPIRED01', { payTimeout }))
    now = new Date(START.getTime() + 60_000)
    expect((await page.press('pay')).html).toContain('expired')
    const again = await openCashier(merchant.frontForm('EXPIRED02', { payTimeout }))
    expect(again.errorCode).toBe('10')
  })

  test('escapes what it shows and what it sends back', async () => {
    const reqReserved = '"><script>alert(1)</script>'
    const page = await openCashier(merchant.frontForm('ESCAPING1', { reqReserved }))
    const { returnForm, html } = await page.press('pay')
    expect(html).not.toContain('<script>')
    expect(returnForm?.fields['reqReserved']).toBe(reqReserved)
    expect(isGenuine(returnForm?.fields ?? {})).toBe(true)
  })

  test('returns by itself where the merchant has it so', async () => {
    merchant.emulator.setKnobs({ autoReturn: true })
    const page = await openCashier(merchant.frontForm('AUTOMATIC'))
    expect((await page.press('pay')).html).toContain('submit()')
  })
})

describe('an error page', () => {
  test.each([
    ['txnAmt', '0', '10'],
    ['frontUrl', '', '13'],
    ['certId', '1', '11'],
    ['txnTime', '20260314081529', '10'],
  ])('is all that the buyer sees: %s=%p → %s', async (field, value, code) => {
    const page = await openCashier(merchant.frontForm('BADFORM01', { [field]: value }))
    expect(page.errorCode).toBe(code)
    expect(readForms(page.html)).toEqual([])
    expect(merchant.emulator.order('BADFORM01')).toBeUndefined()
  })

  test('meets a form that was changed after its signature', async () => {
    const form = merchant.frontForm('BADFORM02')
    const fields = { ...form.fields, txnAmt: '1' }
    expect((await openCashier({ ...form, fields })).errorCode).toBe('11')
  })

  test('meets the form of a paid order, and another form with its number', async () => {
    const form = merchant.frontForm('BADFORM03')
    const other = merchant.frontForm('BADFORM03', { txnAmt: '1' })
    const page = await openCashier(form)
    expect((await openCashier(other)).errorCode).toBe('12')
    await page.press('pay')
    expect((await openCashier(form)).errorCode).toBe('12')
    expect((await page.press('pay')).html).toContain('paid')
  })
})

test('a front return can be signed by nobody', async () => {
  await openCashier(merchant.frontForm('BADRETURN'))
  expect(merchant.emulator.returnForm('BADRETURN')).toBeUndefined()
  merchant.emulator.pay('BADRETURN')
  merchant.emulator.setKnobs({ badlySignedReturns: 1 })
  expect(isGenuine(merchant.emulator.returnForm('BADRETURN')?.fields ?? {})).toBe(false)
  expect(isGenuine(merchant.emulator.returnForm('BADRETURN')?.fields ?? {})).toBe(true)
})

test('a silent API does not hold up the buyer', async () => {
  merchant.emulator.setKnobs({ silence: true, status500: true, htmlAnswers: true })
  const page = await openCashier(merchant.frontForm('SPARED001'))
  expect((await page.press('pay')).returnForm?.fields['respCode']).toBe('00')
})
