import { describe, expect, test } from 'bun:test'
import type { CloseOutcome, QueryOutcome } from '#channel/channel'
import { paymentId } from '../support.ts'
import { appId, channelPaymentId, otherPem, reference, sellerId } from './support.ts'
import { done, failure, html, answer, nodeName, paymentOf, refusal, startVendor } from './vendor.ts'
import type { Reply } from './vendor.ts'

async function query(reply: Reply): Promise<QueryOutcome> {
  await using vendor = startVendor([reply])
  return await vendor.channel.queryPayment(reference, vendor.record)
}

async function close(...replies: Reply[]): Promise<CloseOutcome | undefined> {
  await using vendor = startVendor(replies)
  return await vendor.channel.closePayment?.(reference, vendor.record)
}

async function stateOf(changes: Readonly<Record<string, unknown>>): Promise<string> {
  const outcome = await query(done(paymentOf(changes)))
  return outcome.kind === 'found' ? outcome.facts.vendorState : outcome.kind
}

const unpaid = {
  send_pay_date: undefined,
  buyer_pay_amount: '0.00',
  receipt_amount: '0.00',
}

describe('a query', () => {
  test('tells all facts of a payment, the amount before coupons', async () => {
    expect(await query(done(paymentOf()))).toEqual({
      kind: 'found',
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

  test('asks by our number alone, as an application of this account', async () => {
    await using vendor = startVendor([done(paymentOf())])
    await vendor.channel.queryPayment(reference, vendor.record)
    expect(vendor.heard[0]).toMatchObject({
      api: 'alipay.trade.query',
      body: { biz_content: `{"out_trade_no":"${paymentId}"}` },
    })
    expect(vendor.heard[0]?.query).not.toHaveProperty('notify_url')
    expect(JSON.stringify(vendor.exchanges)).not.toContain('159****5620')
  })

  test.each([
    ['TRADE_SUCCESS', 'success'],
    ['TRADE_FINISHED', 'success'],
    ['WAIT_BUYER_PAY', 'not_yet'],
    ['TRADE_CLOSED', 'closed'],
    ['TRADE_NEW', 'unknown'],
    ['constructor', 'unknown'],
  ])('payment rules, section 3: %s is %s', async (status, state) => {
    expect(await stateOf({ ...unpaid, trade_status: status })).toBe(state)
  })

  test('alipay checklist 51: a closed payment with marks of money was paid', async () => {
    const closed = { trade_status: 'TRADE_CLOSED' }
    expect(await stateOf({ ...unpaid, ...closed })).toBe('closed')
    expect(await stateOf(closed)).toBe('success')
    expect(await stateOf({ ...unpaid, ...closed, send_pay_date: '2026-01-31 23:59:58' })).toBe(
      'success',
    )
    expect(await stateOf({ ...unpaid, ...closed, buyer_pay_amount: '0.01' })).toBe('success')
    expect(await stateOf({ ...unpaid, ...closed, refund_fee: '88.88' })).toBe('success')
  })

  test('alipay checklist 37: "no such payment" is absent, and no reason to end it', async () => {
    const more = { out_trade_no: paymentId, buyer_pay_amount: '0.00', receipt_amount: '0.00' }
    const reply: Reply = ({ api }) =>
      answer(nodeName(api), failure('40004', 'ACQ.TRADE_NOT_EXIST', more))
    expect(await query(reply)).toEqual({
      kind: 'absent',
      code: 'ACQ.TRADE_NOT_EXIST',
      isSigned: true,
    })
    expect(await close(reply)).toEqual({ kind: 'absent', code: 'ACQ.TRADE_NOT_EXIST' })
  })

  test.each([
    ['another payment', done(paymentOf({ out_trade_no: 'p2' }))],
    ['no state', done(paymentOf({ trade_status: undefined }))],
    ['an error of the system', refusal('40004', 'ACQ.SYSTEM_ERROR')],
    ['a wrong parameter', refusal('40004', 'ACQ.INVALID_PARAMETER')],
    ['a limit', refusal('40005', 'isv.app-call-limited')],
    ['"no such payment" under another code', refusal('20000', 'ACQ.TRADE_NOT_EXIST')],
    ['a page', () => html('<html>')],
  ] satisfies [string, Reply][])('%s is unknown', async (_, reply) => {
    expect((await query(reply)).kind).toBe('unknown')
  })

  test.each([
    ['88.88', 8888n],
    ['88.8', 8880n],
    ['88', 8800n],
    ['0.01', 1n],
    ['88.888', undefined],
    ['1e2', undefined],
    ['', undefined],
    [88.88, undefined],
    [undefined, undefined],
  ])('the amount %p is %p fen', async (text, minor) => {
    const outcome = await query(done(paymentOf({ total_amount: text })))
    expect(outcome.kind === 'found' ? outcome.facts.amountMinor : 'none').toBe(minor)
  })

  test('a foreign currency is not CNY', async () => {
    expect(await query(done(paymentOf({ trans_currency: 'USD' })))).toMatchObject({
      facts: { currency: 'USD' },
    })
  })

  test.each(['2026-02-30 00:00:00', '2026-01-31', '2026-01-31T23:59:58', 'soon'])(
    '%p is no time of payment',
    async (text) => {
      const outcome = await query(done(paymentOf({ send_pay_date: text })))
      expect(outcome.kind === 'found' ? outcome.facts.paidAt : 'none').toBeUndefined()
    },
  )
})

test('alipay checklist 70: a query for a payment that never was tells which key is wrong', async () => {
  const causeOf = async (reply: Reply): Promise<string> => {
    const outcome = await query(reply)
    return outcome.kind === 'unknown' ? outcome.cause : outcome.kind
  }
  expect(await causeOf(refusal('40004', 'ACQ.TRADE_NOT_EXIST'))).toBe('absent')
  expect(await causeOf(refusal('40002', 'isv.invalid-signature'))).toBe(
    '40002 isv.invalid-signature',
  )
  const stranger: Reply = ({ api }) =>
    answer(nodeName(api), failure('40004', 'ACQ.TRADE_NOT_EXIST'), { pem: otherPem })
  expect(await causeOf(stranger)).toBe('the answer is not signed by the vendor')
})

describe('a close', () => {
  test('is proof when the vendor says that it did it', async () => {
    expect(await close(done({ trade_no: channelPaymentId }))).toEqual({
      kind: 'closed',
      proof: 'close 10000',
    })
  })

  test('never cancels', async () => {
    await using vendor = startVendor([
      refusal('40004', 'ACQ.TRADE_STATUS_ERROR'),
      done(paymentOf()),
    ])
    await vendor.channel.closePayment?.(reference, vendor.record)
    expect(vendor.heard.map(({ api }) => api)).toEqual(['alipay.trade.close', 'alipay.trade.query'])
  })

  test.each([
    'ACQ.TRADE_STATUS_ERROR',
    'ACQ.REASON_TRADE_STATUS_INVALID',
    'ACQ.REASON_ILLEGAL_STATUS',
    'ACQ.SOMETHING_NEW',
  ])('that is refused with %s answers what a query finds', async (subCode) => {
    const refused = refusal('40004', subCode)
    expect(await close(refused, done(paymentOf()))).toMatchObject({
      kind: 'paid',
      facts: { vendorState: 'success', amountMinor: 8888n },
    })
    const closed = paymentOf({ ...unpaid, trade_status: 'TRADE_CLOSED' })
    expect(await close(refused, done(closed))).toEqual({
      kind: 'closed',
      proof: 'query TRADE_CLOSED',
    })
    const refunded = paymentOf({ trade_status: 'TRADE_CLOSED' })
    expect(await close(refused, done(refunded))).toMatchObject({ kind: 'paid' })
    const waiting = paymentOf({ ...unpaid, trade_status: 'WAIT_BUYER_PAY' })
    expect(await close(refused, done(waiting))).toMatchObject({ kind: 'unknown' })
    const strange = paymentOf({ ...unpaid, trade_status: 'TRADE_NEW' })
    expect(await close(refused, done(strange))).toMatchObject({ kind: 'unknown' })
    expect(await close(refused, refused)).toMatchObject({ kind: 'unknown' })
  })

  test.each([
    ['an error of the system', refusal('40004', 'ACQ.SYSTEM_ERROR')],
    ['an error of the service', refusal('20000', 'isp.unknow-error')],
    ['the same without more', refusal('20000', '')],
    ['a bad signature', ({ api }) => html(`{"${nodeName(api)}":{"code":"10000"},"sign":"AAAA"}`)],
    ['a status', () => html('', 502)],
  ] satisfies [string, Reply][])('with %s is unknown, and nothing is asked', async (_, reply) => {
    await using vendor = startVendor([reply])
    expect(await vendor.channel.closePayment?.(reference, vendor.record)).toMatchObject({
      kind: 'unknown',
    })
    expect(vendor.heard).toHaveLength(1)
  })

  test('that speaks of another payment is decided by a query', async () => {
    expect(await close(done({ out_trade_no: 'p2' }), done(paymentOf()))).toMatchObject({
      kind: 'paid',
    })
  })
})
