import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'

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

async function payNew(number: string, channel = 'alipay_qr'): Promise<string> {
  await merchant.create(number, { channel })
  const result = merchant.emulator.pay(number)
  if (result.kind !== 'paid') throw new Error(`expected paid, got ${result.reason}`)
  await result.done
  return `/v1/charges/${merchant.emulator.order(number)?.id ?? ''}`
}

const refund = (path: string, changes: Record<string, unknown> = {}) =>
  merchant.call('POST', `${path}/refunds`, { body: { description: '退货', ...changes } })

const lastEvent = (): unknown => merchant.received.at(-1)?.event

describe('a refund', () => {
  test('is pending in the answer and done when the event comes', async () => {
    const path = await payNew('REFUND01')
    const { status, json } = await refund(path, { amount: 800, metadata: { ours: 'r1' } })
    expect(status).toBe(200)
    expect(json).toMatchObject({
      id: expect.stringMatching(/^re_\d+$/),
      object: 'refund',
      amount: 800,
      succeed: false,
      status: 'pending',
      time_succeed: null,
      charge_order_no: 'REFUND01',
      failure_code: null,
      metadata: { ours: 'r1' },
    })
    await merchant.emulator.idle()
    const [done] = merchant.emulator.refunds('REFUND01')
    expect(lastEvent()).toMatchObject({
      type: 'refund.succeeded',
      livemode: true,
      data: { object: { id: done?.id, status: 'succeeded', succeed: true, amount: 800 } },
    })
    expect((await merchant.call('GET', path)).json).toMatchObject({
      paid: true,
      refunded: true,
      amount_refunded: 800,
      refunds: { object: 'list', has_more: false, data: [{ id: done?.id }] },
    })
    const one = await merchant.call('GET', `${path}/refunds/${done?.id ?? ''}`)
    expect(one.json).toMatchObject({ status: 'succeeded', time_succeed: expect.any(Number) })
  })

  test('is of all that is left unless it says how much', async () => {
    const path = await payNew('REFUND02')
    await refund(path, { amount: 800 })
    expect((await refund(path)).json).toMatchObject({ amount: 12_000 })
    const { status, json } = await refund(path, { amount: 1 })
    expect(status).toBe(400)
    expect(json).toEqual({ error: { type: 'invalid_request_error', message: '已经全额退款' } })
  })

  test('of two together never exceeds the payment, pending or done', async () => {
    merchant.emulator.setKnobs({ refundEnding: 'held' })
    const path = await payNew('REFUND03')
    expect((await refund(path, { amount: 12_000 })).status).toBe(200)
    const { status, json } = await refund(path, { amount: 801 })
    expect(status).toBe(400)
    expect(json).toMatchObject({ error: { param: 'amount' } })
  })

  test('may fail later: the amount is free again, and `refunded` says nothing', async () => {
    merchant.emulator.setKnobs({ refundEnding: 'failed', refundFailureCode: 'refund_retry' })
    const path = await payNew('REFUND04')
    expect((await refund(path)).json).toMatchObject({ status: 'pending' })
    await merchant.emulator.idle()
    expect(lastEvent()).toMatchObject({
      type: 'refund.failed',
      data: { object: { status: 'failed', succeed: false, failure_code: 'refund_retry' } },
    })
    const charge = await merchant.call('GET', path)
    expect(charge.json).toMatchObject({ refunded: true, amount_refunded: 0 })
    merchant.emulator.resetKnobs()
    expect((await refund(path)).json).toMatchObject({ amount: 12_800 })
  })

  test('that the channel refuses is a failed one with 200', async () => {
    merchant.emulator.setKnobs({ refundEnding: 'refused' })
    const path = await payNew('REFUND05')
    const { status, json } = await refund(path)
    expect(status).toBe(200)
    expect(json).toMatchObject({
      status: 'failed',
      succeed: false,
      failure_code: 'refund_refused_msg',
      failure_msg: expect.any(String),
    })
  })

  test('ends when the test says so', async () => {
    merchant.emulator.setKnobs({ refundEnding: 'held' })
    const path = await payNew('REFUND06')
    await refund(path)
    await merchant.emulator.idle()
    const [held] = merchant.emulator.refunds('REFUND06')
    expect(held?.status).toBe('pending')
    await merchant.emulator.finishRefund(held?.id ?? '', 'succeeded').done
    expect(lastEvent()).toMatchObject({ type: 'refund.succeeded' })
    expect(() => merchant.emulator.finishRefund(held?.id ?? '', 'failed')).toThrow('pending')
  })

  test.each([
    ['an unpaid payment', 'id', {}],
    ['no description', 'description', { description: '' }],
    ['no money', 'amount', { amount: 0 }],
    ['too much money', 'amount', { amount: 12_801 }],
    ['another purse', 'funding_source', { funding_source: 'recharge_funds' }],
    ['what it does not know', 'surprise', { surprise: 1 }],
  ])('is refused: %s', async (name, param, changes) => {
    const number = `NO${name.replace(/\W/g, '')}`
    const path = await payNew(number)
    const open = `/v1/charges/${await unpaid(`${number}0`)}`
    const { status, json } = await refund(param === 'id' ? open : path, changes)
    expect(status).toBe(400)
    expect(json).toMatchObject({ error: { type: 'invalid_request_error', param } })
    expect(merchant.emulator.refunds(number)).toEqual([])
  })

  test('by WeChat Pay may name its purse', async () => {
    const path = await payNew('REFUND07', 'wx')
    const { json } = await refund(path, { funding_source: 'recharge_funds' })
    expect(json).toMatchObject({ funding_source: 'recharge_funds' })
  })

  test('is refused as recorded when it is late, or of an order', async () => {
    const path = await payNew('REFUND08')
    merchant.emulator.setKnobs({ refundOfOrder: 1, refundOutOfTime: 1 })
    expect((await refund(path)).json).toMatchObject({ error: { code: 'charge_request_invalid' } })
    expect((await refund(path)).json).toMatchObject({ error: { param: 'Refund_time' } })
    expect((await refund(path)).status).toBe(200)
  })
})

async function unpaid(number: string): Promise<string> {
  await merchant.create(number)
  return merchant.emulator.order(number)?.id ?? ''
}

test('the list of refunds is newest first and pages', async () => {
  const path = await payNew('REFUND09')
  for (const amount of [1, 2, 3]) await refund(path, { amount })
  const [newest] = merchant.emulator.refunds('REFUND09')
  const first = await merchant.call('GET', `${path}/refunds?limit=1`)
  expect(first.json).toMatchObject({
    object: 'list',
    url: `${path}/refunds`,
    has_more: true,
    data: [{ amount: 3 }],
  })
  const rest = await merchant.call('GET', `${path}/refunds?starting_after=${newest?.id ?? ''}`)
  expect(rest.json).toMatchObject({ has_more: false, data: [{ amount: 2 }, { amount: 1 }] })
  expect((await merchant.call('GET', `${path}/refunds/re_nothing`)).status).toBe(404)
})
