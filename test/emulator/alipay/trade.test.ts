import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

import { submitForm } from './buyer.ts'
import { PAGE, callsOf, formOf, subCodeOf } from './calls.ts'
import { readFields, splitForm } from './form.ts'
import type { TestMerchant } from './merchant.ts'
import { readNotice, sale, startTestMerchant } from './merchant.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
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

describe('states', () => {
  test('an unpaid trade closes at its deadline, and cannot be paid then', async () => {
    await calls.create('TIME01', { timeout_express: '5m' })
    later(5 * MINUTE_MS)
    expect(merchant.emulator.pay('TIME01')).toEqual({ kind: 'refused', reason: 'closed' })
    expect((await calls.query('TIME01')).node).toMatchObject({ trade_status: 'TRADE_CLOSED' })
  })

  test('a code that nobody scanned is dead after its deadline', async () => {
    await calls.precreate('TIME02', { time_expire: '2026-01-31 23:05:00' })
    later(5 * MINUTE_MS)
    expect(merchant.emulator.pay('TIME02')).toEqual({ kind: 'refused', reason: 'expired' })
  })

  test('close ends an unpaid trade, and nothing else', async () => {
    await calls.precreate('CLOSE1')
    expect(await subCodeOf(calls.close('CLOSE1'))).toBe('ACQ.TRADE_NOT_EXIST')
    merchant.emulator.enter('CLOSE1')
    expect((await calls.close('CLOSE1')).node).toMatchObject({
      code: '10000',
      out_trade_no: 'CLOSE1',
    })
    expect(await subCodeOf(calls.close('CLOSE1'))).toBe('ACQ.REASON_TRADE_STATUS_INVALID')
    await calls.create('CLOSE2')
    merchant.emulator.pay('CLOSE2')
    expect(await subCodeOf(calls.close('CLOSE2'))).toBe('ACQ.REASON_TRADE_STATUS_INVALID')
  })

  test('a code stays payable after a close that found no trade', async () => {
    await calls.precreate('CLOSE3')
    await calls.close('CLOSE3')
    expect(merchant.emulator.pay('CLOSE3').kind).toBe('paid')
  })

  test('a paid trade shows when and how it was paid', async () => {
    await calls.create('PAID01', { passback_params: 'a_b' })
    merchant.emulator.pay('PAID01', { buyerPaysFen: 8000 })
    const biz = { out_trade_no: 'PAID01', query_options: ['fund_bill_list'] }
    expect((await merchant.call('alipay.trade.query', biz)).node).toMatchObject({
      trade_status: 'TRADE_SUCCESS',
      total_amount: '88.80',
      receipt_amount: '88.80',
      buyer_pay_amount: '80.00',
      send_pay_date: '2026-01-31 23:00:00',
      passback_params: 'a_b',
      fund_bill_list: [{ amount: '80.00', fund_channel: 'ALIPAYACCOUNT' }],
    })
    merchant.emulator.setKnobs({ unknownTradeState: 'TRADE_LEVITATING' })
    expect((await calls.query('PAID01')).node).toMatchObject({ trade_status: 'TRADE_LEVITATING' })
  })

  test('a trade finishes at once, or later', async () => {
    await calls.create('FINISH1')
    merchant.emulator.pay('FINISH1', { isFinal: true })
    expect(merchant.emulator.trade('FINISH1')?.state).toBe('TRADE_FINISHED')
    await calls.create('FINISH2')
    expect(() => merchant.emulator.finish('FINISH2')).toThrow('expected an order')
    merchant.emulator.pay('FINISH2')
    merchant.emulator.finish('FINISH2')
    expect(await subCodeOf(calls.refund('FINISH2', '1.00', 'R1'))).toBe('ACQ.TRADE_HAS_FINISHED')
    expect(await subCodeOf(calls.cancel('FINISH2'))).toBe('ACQ.TRADE_HAS_FINISHED')
  })

  test('cancel closes, refunds, or finds nothing', async () => {
    expect((await calls.cancel('CANCEL0')).node).toEqual({
      code: '10000',
      msg: 'Success',
      out_trade_no: 'CANCEL0',
      retry_flag: 'N',
    })
    await calls.create('CANCEL1')
    expect((await calls.cancel('CANCEL1')).node).toMatchObject({ action: 'close', retry_flag: 'N' })
    await calls.create('CANCEL2')
    merchant.emulator.pay('CANCEL2')
    expect((await calls.cancel('CANCEL2')).node).toMatchObject({ action: 'refund' })
    expect(merchant.emulator.trade('CANCEL2')).toMatchObject({
      state: 'TRADE_CLOSED',
      refunds: [{ fen: 8880 }],
    })
    await calls.create('CANCEL3')
    merchant.emulator.pay('CANCEL3')
    later(2 * DAY_MS)
    expect(await subCodeOf(calls.cancel('CANCEL3'))).toBe('ACQ.TRADE_CANCEL_TIME_OUT')
  })
})

describe('refunds', () => {
  test('add up, repeat harmlessly, and close the trade in the end', async () => {
    await calls.create('REFUND1')
    expect(await subCodeOf(calls.refund('REFUND1', '1.00', 'R1'))).toBe('ACQ.TRADE_STATUS_ERROR')
    merchant.emulator.pay('REFUND1')
    const first = await calls.refund('REFUND1', '30', 'R1')
    expect(first.node).toMatchObject({ code: '10000', fund_change: 'Y', refund_fee: '30.00' })
    const again = await calls.refund('REFUND1', '30.00', 'R1')
    expect(again.node).toMatchObject({ fund_change: 'N', refund_fee: '30.00' })
    expect(await subCodeOf(calls.refund('REFUND1', '31.00', 'R1'))).toBe(
      'ACQ.DISCORDANT_REPEAT_REQUEST',
    )
    expect(await subCodeOf(calls.refund('REFUND1', '58.81', 'R2'))).toBe(
      'ACQ.REFUND_AMT_NOT_EQUAL_TOTAL',
    )
    expect(await subCodeOf(calls.refund('REFUND1', '0', 'R2'))).toBe(
      'ACQ.REASON_TRADE_REFUND_FEE_ERR',
    )
    const rest = await calls.refund('REFUND1', '58.80', 'R2')
    expect(rest.node).toMatchObject({ fund_change: 'Y', refund_fee: '88.80' })
    expect((await calls.query('REFUND1')).node).toMatchObject({ trade_status: 'TRADE_CLOSED' })
    expect(await subCodeOf(calls.refund('REFUND1', '1.00', 'R3'))).toBe('ACQ.TRADE_HAS_CLOSE')
    expect((await calls.queryRefund('REFUND1', 'R2')).node).toMatchObject({
      refund_status: 'REFUND_SUCCESS',
      refund_amount: '58.80',
      total_amount: '88.80',
    })
    expect((await calls.queryRefund('REFUND1', 'R9')).node).toEqual({
      code: '10000',
      msg: 'Success',
    })
    expect(await subCodeOf(calls.queryRefund('NOBODY', 'R1'))).toBe('ACQ.TRADE_NOT_EXIST')
  })

  test('fail for want of money, or do nothing and say so', async () => {
    await calls.create('REFUND2')
    merchant.emulator.pay('REFUND2')
    merchant.emulator.setKnobs({ sellerBalanceShort: 1, refundsWithoutChange: 1 })
    expect(await subCodeOf(calls.refund('REFUND2', '1.00', 'R1'))).toBe(
      'ACQ.SELLER_BALANCE_NOT_ENOUGH',
    )
    expect((await calls.refund('REFUND2', '1.00', 'R1')).node).toMatchObject({ fund_change: 'N' })
    expect(merchant.emulator.trade('REFUND2')?.refunds).toEqual([])
  })
})

describe('the way back to the shop', () => {
  test('is signed by the rule of the notices, and holds no state', async () => {
    const back = 'https://shop.example.com/back?x=1'
    await submitForm(
      formOf(merchant, 'alipay.trade.page.pay', { biz: sale('BACK01', PAGE), returnUrl: back }),
    )
    expect(merchant.emulator.returnAddress('BACK01')).toBe(undefined)
    const { url } = merchant.emulator
    const paid = await fetch(`${url}/cashier/BACK01/pay`, { method: 'POST', redirect: 'manual' })
    expect(paid.status).toBe(302)
    const location = paid.headers.get('location') ?? ''
    expect(location).toStartWith(`${back}&charset=utf-8&`)
    const query = location.slice(back.length + 1)
    const fields = readFields(splitForm(query), 'utf-8')
    expect(fields?.get('method')).toBe('alipay.trade.page.pay.return')
    expect(fields?.has('trade_status')).toBe(false)
    expect(readNotice(merchant.emulator, new Headers(), query).isGenuine).toBe(true)
    const lie = query.replace('88.80', '0.01')
    expect(readNotice(merchant.emulator, new Headers(), lie).isGenuine).toBe(false)
  })
})
