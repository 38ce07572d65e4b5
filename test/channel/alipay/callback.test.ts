import { describe, expect, test } from 'bun:test'
import { judge } from '#domain/notification'
import { decideConfirmation } from '#domain/confirm'
import type { PaymentView } from '#domain/confirm'
import { assert } from '#domain/assert'
import derived from '../../fixture/alipay/derived.json'
import { contentOf, paymentId, reasonOf } from '../support.ts'
import {
  appId,
  buildChannel,
  channelPaymentId,
  noticeOf,
  read,
  readNotice,
  sellerId,
  signedBody,
  vectorKeys,
  without,
} from './support.ts'
import type { Fields } from './support.ts'

const factsOf = async (changes: Fields = {}) => contentOf(await readNotice(changes)).facts
const keyOf = async (fields: Fields) => contentOf(await read(signedBody(fields))).eventKey
const judgementOf = async (changes: Fields): Promise<string> => {
  const reading = await readNotice(changes)
  return reading.kind === 'verified' ? judge(reading.notification) : reading.reason
}

describe('a payment’s notification', () => {
  test('becomes facts: all that the worker compares', async () => {
    const content = contentOf(await readNotice())
    expect(content).toMatchObject({
      eventKey: 'ntf:2026013100222000000000000000000001',
      keySerial: 'alipay',
      facts: {
        kind: 'payment',
        paymentNumber: paymentId,
        identity: { app_id: appId, seller_id: sellerId },
        vendorState: 'success',
        vendorStateText: 'TRADE_SUCCESS',
        channelPaymentId,
        amountMinor: 8888n,
        currency: 'CNY',
        paidAt: new Date('2026-01-31T15:59:58Z'),
      },
    })
  })

  test('alipay checklist 42: D10 in GBK is read once, from its own bytes', async () => {
    const built = buildChannel({ keys: vectorKeys })
    const content = contentOf(await read(derived.d10.body, built))
    expect(content.facts).toMatchObject({
      kind: 'payment',
      paymentNumber: 'T20260131_01',
      amountMinor: 1n,
      identity: { app_id: appId, seller_id: sellerId },
    })
    expect(reasonOf(await read(derived.d10.body.replace('GBK', 'utf-8'), built))).toBe(
      'bad_signature',
    )
  })

  test('alipay checklist 52: fields that we do not know are signed all the same', async () => {
    const fields = { ...noticeOf(), brand_new: 'ä&=+%25', zz: '' }
    expect(reasonOf(await read(signedBody(fields)))).toBe('verified')
    const body = signedBody(fields).replace('brand_new', 'brand_old')
    expect(reasonOf(await read(body))).toBe('bad_signature')
  })

  const view: PaymentView = {
    id: paymentId,
    channelAccountId: 'a',
    amountMinor: 8888n,
    currency: 'CNY',
    state: 'pending',
    channelPaymentId: undefined,
    vendorTime: undefined,
    vendorProduct: undefined,
    orderState: 'unpaid',
  }

  test.each([
    [{}, { kind: 'pay', disposition: 'counted' }],
    [{ total_amount: '88.880' }, { kind: 'quarantine', reason: 'amount_differs' }],
    [{ total_amount: '88.87' }, { kind: 'quarantine', reason: 'amount_differs' }],
    [{ total_amount: '' }, { kind: 'quarantine', reason: 'amount_differs' }],
    [{ app_id: '2021000000000002' }, { kind: 'quarantine', reason: 'identity_differs' }],
    [{ seller_id: '2088000000000002' }, { kind: 'quarantine', reason: 'identity_differs' }],
    [{ seller_id: '' }, { kind: 'quarantine', reason: 'identity_differs' }],
    [{ auth_app_id: '2021000000000002' }, { kind: 'quarantine', reason: 'identity_differs' }],
    [{ auth_app_id: '' }, { kind: 'pay', disposition: 'counted' }],
    [{ trade_no: '' }, { kind: 'quarantine', reason: 'vendor_number_missing' }],
  ])('alipay checklist 46: with %p the worker decides %p', async (changes, decision) => {
    const facts = await factsOf(changes)
    assert(facts.kind === 'payment', 'it is a payment')
    const decided = decideConfirmation({
      facts,
      channelAccountId: 'a',
      identity: buildChannel().channel.identity,
      payment: view,
      vendorNumberOwner: undefined,
    })
    expect(decided).toMatchObject(decision)
  })

  test('alipay checklist 46: amounts are compared as decimals', async () => {
    expect(await factsOf({ total_amount: '88.8' })).toMatchObject({ amountMinor: 8880n })
    expect(await factsOf({ total_amount: '88.80' })).toMatchObject({ amountMinor: 8880n })
  })

  test.each([
    ['TRADE_SUCCESS', 'success'],
    ['TRADE_FINISHED', 'success'],
    ['TRADE_NEW', 'other'],
  ])('%s is judged %s', async (status, judgement) => {
    expect(await judgementOf({ trade_status: status })).toBe(judgement)
  })

  test('`WAIT_BUYER_PAY` gets `fail`, an unpaid close is other news', async () => {
    const unpaid = { gmt_payment: '', buyer_pay_amount: '', receipt_amount: '', refund_fee: '' }
    expect(await judgementOf({ ...unpaid, trade_status: 'WAIT_BUYER_PAY' })).toBe('failed')
    expect(await judgementOf({ ...unpaid, trade_status: 'TRADE_CLOSED' })).toBe('other')
  })

  test('alipay checklist 50: `TRADE_FINISHED` counts as paid, first or later', async () => {
    const first = await factsOf({ trade_status: 'TRADE_FINISHED' })
    assert(first.kind === 'payment', 'it is a payment')
    const input = {
      facts: first,
      channelAccountId: 'a',
      identity: buildChannel().channel.identity,
      vendorNumberOwner: undefined,
    }
    expect(decideConfirmation({ ...input, payment: view }).kind).toBe('pay')
    const paid = { ...view, state: 'paid', channelPaymentId } as const
    expect(decideConfirmation({ ...input, payment: paid }).kind).toBe('already_paid')
  })
})

describe('news of refunds', () => {
  test.each([
    ['TRADE_SUCCESS', { refund_fee: '0.01' }, 'refund'],
    ['TRADE_SUCCESS', { refund_fee: '0.00' }, 'payment'],
    ['TRADE_SUCCESS', { refund_fee: '0' }, 'payment'],
    ['TRADE_SUCCESS', { refund_fee: '0.00', gmt_refund: '2026-01-31 23:59:59.123' }, 'payment'],
    ['TRADE_SUCCESS', { refund_fee: '' }, 'payment'],
    ['TRADE_SUCCESS', { refund_fee: '', gmt_refund: '2026-01-31 23:59:59.123' }, 'refund'],
    ['TRADE_SUCCESS', { refund_fee: 'x' }, 'refund'],
    ['TRADE_SUCCESS', { refund_status: 'REFUND_SUCCESS' }, 'refund'],
    ['TRADE_SUCCESS', { refund_fee: '', out_biz_no: 'HZ01' }, 'refund'],
    ['TRADE_CLOSED', { refund_fee: '88.88' }, 'refund'],
    // The sum of earlier refunds: the news is that the window is over.
    ['TRADE_FINISHED', { refund_fee: '1.00' }, 'payment'],
    ['TRADE_FINISHED', { refund_fee: '1.00', out_biz_no: 'HZ01' }, 'refund'],
    ['TRADE_SUCCESS', { dback_status: 'S', out_request_no: 'HZ01' }, 'other'],
  ])('alipay checklist 49: %s with %p is news of kind %s', async (status, changes, kind) => {
    const facts = await factsOf({ trade_status: status, ...changes })
    expect(facts).toMatchObject({ kind, paymentNumber: paymentId })
  })

  test('alipay checklist 51: a close of a paid order never says "unpaid"', async () => {
    expect(await factsOf({ trade_status: 'TRADE_CLOSED', refund_fee: '' })).toMatchObject({
      kind: 'payment',
      vendorState: 'success',
    })
    expect(await factsOf({ trade_status: 'TRADE_CLOSED', refund_fee: '88.88' })).toMatchObject({
      kind: 'refund',
      refundState: 'succeeded',
    })
  })
})

describe('payment rules, section 2: events', () => {
  const refund = noticeOf({
    refund_fee: '2.58',
    gmt_refund: '2026-01-31 23:59:59.123',
    out_biz_no: 'HZ01',
  })

  test('three partial refunds are three events, and a repeat is none', async () => {
    const bare = without(refund, 'notify_id')
    const keys = [
      await keyOf(bare),
      await keyOf({ ...bare, refund_fee: '5.16', out_biz_no: 'HZ02' }),
      await keyOf({ ...bare, refund_fee: '7.74', out_biz_no: 'HZ03' }),
      await keyOf({ ...bare, notify_time: '2026-02-01 00:03:59' }),
    ]
    expect(keys[0]).toBe(`trd:${channelPaymentId}:TRADE_SUCCESS:2.58:2026-01-31 23:59:59.123:HZ01:`)
    expect(new Set(keys).size).toBe(3)
    expect(keys[3]).toBe(keys[0] ?? '')
  })

  test('the vendor’s own name of an event wins', async () => {
    expect(await keyOf(refund)).toBe('ntf:2026013100222000000000000000000001')
  })

  test('an asynchronous refund is named by its own number', async () => {
    const bare = without(noticeOf({ refund_status: 'REFUND_SUCCESS' }), 'notify_id', 'refund_fee')
    expect(await keyOf({ ...bare, out_request_no: 'HZ01' })).toBe(
      `trd:${channelPaymentId}:TRADE_SUCCESS:::HZ01:REFUND_SUCCESS`,
    )
  })

  test('a name without end is not kept', async () => {
    expect(await keyOf(noticeOf({ notify_id: 'n'.repeat(1000) }))).toMatch(/^sha:[0-9a-f]{64}$/)
  })
})

describe('alipay checklist 47: the answers are exact', () => {
  test.each([
    ['stored', 200, 'success'],
    ['refused', 200, 'fail'],
    ['rejected', 200, 'fail'],
    ['unavailable', 503, 'fail'],
  ] as const)('%s is %p %p', async (answer, status, body) => {
    const response = buildChannel().channel.acknowledge(answer)
    expect(response.status).toBe(status)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(body))
  })
})
