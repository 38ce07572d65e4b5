import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { submitForm } from './buyer.ts'
import { PAGE, WAP, callsOf, formOf, subCodeOf } from './calls.ts'
import { encodeForm } from './form.ts'
import type { TestMerchant } from './merchant.ts'
import { sale, startTestMerchant } from './merchant.ts'

const MINUTE_MS = 60_000
const START = new Date('2026-01-31T23:00:00+08:00')

let now = START
let merchant: TestMerchant
let calls: ReturnType<typeof callsOf>

beforeAll(async () => {
  merchant = await startTestMerchant({ clock: () => now })
  calls = callsOf(merchant)
})

afterEach(() => {
  now = START
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  await merchant.stop()
})

const later = (ms: number): void => {
  now = new Date(now.getTime() + ms)
}

describe('when a trade begins to exist', () => {
  test('page: when the buyer logs in, not when he opens the cashier', async () => {
    expect(await subCodeOf(calls.query('PAGE01'))).toBe('ACQ.TRADE_NOT_EXIST')
    const cashier = await submitForm(
      formOf(merchant, 'alipay.trade.page.pay', { biz: sale('PAGE01', PAGE) }),
    )
    expect(await cashier.text()).toContain('测试 tea')
    expect(await subCodeOf(calls.query('PAGE01'))).toBe('ACQ.TRADE_NOT_EXIST')
    const { url } = merchant.emulator
    await fetch(`${url}/cashier/PAGE01/login`, { method: 'POST' })
    expect((await calls.query('PAGE01')).node).toMatchObject({ trade_status: 'WAIT_BUYER_PAY' })
  })

  test('wap: when the buyer opens the page, by GET as well', async () => {
    const parameters = merchant.sign('alipay.trade.wap.pay', sale('WAP01', WAP))
    expect(await subCodeOf(calls.query('WAP01'))).toBe('ACQ.TRADE_NOT_EXIST')
    await fetch(`${merchant.emulator.gatewayUrl}?${encodeForm(parameters, 'utf-8')}`)
    expect((await calls.query('WAP01')).node).toMatchObject({ trade_status: 'WAIT_BUYER_PAY' })
  })

  test('app: when the wallet pays the order string', async () => {
    const parameters = merchant.sign('alipay.trade.app.pay', sale('APP01'))
    const orderString = encodeForm(parameters, 'utf-8')
    const spoiled = orderString.replace('APP01', 'APP02')
    expect(merchant.emulator.takeOrderString(spoiled)).toEqual({
      kind: 'refused',
      code: 'isv.invalid-signature',
    })
    const taken = merchant.emulator.takeOrderString(orderString)
    expect(taken).toEqual({ kind: 'taken', outTradeNo: 'APP01' })
    expect(await subCodeOf(calls.query('APP01'))).toBe('ACQ.TRADE_NOT_EXIST')
    expect(merchant.emulator.pay('APP01').kind).toBe('paid')
    expect((await calls.query('APP01')).node).toMatchObject({ trade_status: 'TRADE_SUCCESS' })
  })

  test('precreate: when the code is scanned, within two hours', async () => {
    const first = await calls.precreate('CODE01')
    const code = String(first.node['qr_code'])
    const second = await calls.precreate('CODE01')
    expect(second.node['qr_code']).not.toBe(code)
    expect(await subCodeOf(calls.query('CODE01'))).toBe('ACQ.TRADE_NOT_EXIST')
    later(2 * 60 * MINUTE_MS)
    expect(merchant.emulator.scan(code)).toEqual({ kind: 'refused', reason: 'missing' })
    now = START
    expect(merchant.emulator.scan(code).kind).toBe('moved')
    expect((await calls.query('CODE01')).node).toMatchObject({ trade_status: 'WAIT_BUYER_PAY' })
  })

  test('create: at once', async () => {
    const { node } = await calls.create('CREATE01')
    expect(node['trade_no']).toMatch(/^2026013122\d{18}$/)
    const found = await calls.query('CREATE01')
    expect(found.node).toMatchObject({
      trade_no: node['trade_no'],
      trade_status: 'WAIT_BUYER_PAY',
      total_amount: '88.80',
      buyer_pay_amount: '0.00',
      buyer_open_id: 'open',
    })
    const byTradeNo = { trade_no: node['trade_no'], out_trade_no: 'wins not' }
    expect((await merchant.call('alipay.trade.query', byTradeNo)).node).toMatchObject({
      out_trade_no: 'CREATE01',
    })
  })
})

describe('what an order must say', () => {
  test.each([
    [{ out_trade_no: 'a-b' }],
    [{ total_amount: '0.00' }],
    [{ total_amount: '1.234' }],
    [{ subject: 'a/b' }],
    [{ subject: 'x'.repeat(257) }],
    [{ nonsense: 1 }],
    [{ time_expire: '2026-02-31 00:00:00' }],
    [{ time_expire: '2026-02-28 00:00:00' }],
    [{ timeout_express: '1.5h' }],
    [{ product_code: 'QUICK_WAP_PAY' }],
  ])('refuses %p', async (changes) => {
    expect(await subCodeOf(calls.precreate('BAD01', changes))).toBe('ACQ.INVALID_PARAMETER')
  })

  test.each([
    [{ total_amount: '100000000.01' }, 'ACQ.TOTAL_FEE_EXCEED'],
    [{ time_expire: '2026-01-31 22:59:59' }, 'ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR'],
    [{ seller_id: '2088000000000009' }, 'ACQ.INVALID_RECEIVE_ACCOUNT'],
  ])('refuses %p with %s', async (changes, subCode) => {
    expect(await subCodeOf(calls.precreate('BAD02', changes))).toBe(subCode)
  })

  test('takes a number for the amount, and the end of the day for a deadline', async () => {
    expect(
      await subCodeOf(calls.precreate('GOOD1', { total_amount: 1.5, timeout_express: '1c' })),
    ).toBe('10000')
    merchant.emulator.enter('GOOD1')
    const { offer } = merchant.emulator.trade('GOOD1') ?? {}
    expect(offer?.totalFen).toBe(150)
    expect(offer?.expiresAt).toEqual(new Date('2026-02-01T00:00:00+08:00'))
  })

  test('asks create for a buyer', async () => {
    const call = merchant.call('alipay.trade.create', sale('NOBUYER'))
    expect(await subCodeOf(call)).toBe('ACQ.INVALID_PARAMETER')
  })

  test('shows the buyer a page when the merchant erred', async () => {
    const form = formOf(merchant, 'alipay.trade.page.pay', { biz: sale('PAGE09', WAP) })
    const shown = await submitForm(form)
    expect(shown.status).toBe(200)
    expect(shown.headers.get('content-type')).toBe('text/html;charset=GBK')
    const text = new TextDecoder('gbk').decode(await shown.arrayBuffer())
    expect(text).toContain('调试错误')
    const unsigned = await submitForm({ ...form, fields: { biz_content: '{}' } })
    expect(await unsigned.text()).toContain('invalid-signature')
  })
})

describe('an order number', () => {
  test('means the same sale for ever', async () => {
    const first = await calls.create('SAME01')
    expect((await calls.create('SAME01')).node['trade_no']).toBe(first.node['trade_no'])
    expect(await subCodeOf(calls.create('SAME01', { total_amount: '1.00' }))).toBe(
      'ACQ.CONTEXT_INCONSISTENT',
    )
    merchant.emulator.pay('SAME01')
    expect(await subCodeOf(calls.create('SAME01'))).toBe('ACQ.TRADE_HAS_SUCCESS')
    await calls.create('SAME02')
    await calls.close('SAME02')
    expect(await subCodeOf(calls.create('SAME02'))).toBe('ACQ.TRADE_HAS_CLOSE')
  })
})
