import { describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { parsePaymentFacts, parseRefundFacts, storeFacts } from '#domain/facts'
import { judge, mintVerified } from '#domain/notification'
import type { NotificationFacts, PaymentFacts } from '#domain/notification'
import fixture from '../../fixture/alipay/refund.json'
import { contentOf, paymentId, refundId } from '../support.ts'
import { appId, noticeOf, read, readNotice, sellerId } from './support.ts'
import { signedBody, without } from './support.ts'
import type { Fields } from './support.ts'

const factsOf = async (changes: Fields): Promise<NotificationFacts> =>
  contentOf(await readNotice(changes)).facts

type Marks = Pick<PaymentFacts, 'isFinal' | 'isReturned'>

const [part] = fixture.notices
const partFields: Fields = { ...part?.fields }

describe('the notice of a refund', () => {
  test.each(fixture.notices)('RF-09: $name means $means, and is acknowledged', async (notice) => {
    const content = contentOf(await readNotice(notice.fields))
    expect(content.facts).toMatchObject({
      kind: 'refund',
      paymentNumber: paymentId,
      refundNumber: refundId,
      identity: { app_id: appId, seller_id: sellerId },
      refundState: notice.means,
    })
    expect(judge(mintVerified(content))).toBe('other')
    assert(content.facts.kind === 'refund', 'it is a refund')
    expect(parseRefundFacts(storeFacts(content.facts))).toEqual(content.facts)
  })

  test('alipay checklist 57: its sum is not the amount of this refund', async () => {
    expect(await factsOf(partFields)).toEqual({
      kind: 'refund',
      paymentNumber: paymentId,
      refundNumber: refundId,
      identity: { app_id: appId, seller_id: sellerId },
      refundState: 'succeeded',
      refundStateText: 'TRADE_SUCCESS',
      refundedAt: new Date('2026-01-31T15:59:59Z'),
    })
  })

  test('an asynchronous one says its own amount beside the sum', async () => {
    const own = { refund_status: 'REFUND_SUCCESS', refund_amount: '30.05', refund_fee: '60.10' }
    expect(await factsOf({ ...own, out_request_no: 'HZ01' })).toMatchObject({
      refundNumber: 'HZ01',
      amountMinor: 3005n,
      currency: 'CNY',
    })
  })

  test('at the console has its own number, or none', async () => {
    expect(await factsOf({ ...partFields, out_biz_no: 'HZ01' })).toMatchObject({
      refundNumber: 'HZ01',
    })
    const nameless = await factsOf({ ...partFields, out_biz_no: '' })
    expect(nameless).toMatchObject({ kind: 'refund', refundState: 'succeeded' })
    expect(nameless).not.toHaveProperty('refundNumber')
  })

  test('is compared by the names that it has', async () => {
    const fields = without(noticeOf(partFields), 'seller_id')
    const { facts } = contentOf(await read(signedBody(fields)))
    expect(facts).toMatchObject({ kind: 'refund', identity: { app_id: appId } })
    expect(facts).not.toHaveProperty('identity.seller_id')
    expect(await factsOf({ ...partFields, auth_app_id: '2021' })).toMatchObject({
      identity: { auth_app_id: '2021' },
    })
  })

  test('of a deposit-back is none: that money has left us before', async () => {
    const facts = await factsOf({ ...partFields, dback_status: 'F', dback_amount: '30.05' })
    expect(facts).toMatchObject({ kind: 'other', paymentNumber: paymentId })
  })
})

describe('a state of the payment tells of refunds', () => {
  test.each<readonly [string, Fields, Marks]>([
    ['TRADE_FINISHED', {}, { isFinal: true }],
    ['TRADE_FINISHED', { gmt_payment: '', buyer_pay_amount: '' }, { isFinal: true }],
    ['TRADE_CLOSED', {}, { isReturned: true }],
    ['TRADE_CLOSED', { gmt_payment: '', buyer_pay_amount: '' }, {}],
    ['TRADE_SUCCESS', {}, {}],
  ])('%s with %p: %p', async (status, changes, marks) => {
    const facts = await factsOf({ trade_status: status, refund_fee: '', ...changes })
    assert(facts.kind === 'payment', 'it is a payment')
    const { isFinal, isReturned } = facts
    expect({ isFinal, isReturned }).toEqual({ isFinal: undefined, isReturned: undefined, ...marks })
    expect(parsePaymentFacts(storeFacts(facts))).toEqual(facts)
  })
})
