import { describe, expect, test } from 'bun:test'
import fixture from '../../fixture/pingpp/refund.json'
import { contentOf, paymentId, refundId } from '../support.ts'
import {
  app,
  eventOf,
  paid,
  read,
  reference,
  signedAt,
  vendorNumber,
  vendorPayment,
  vendorRefund,
} from './support.ts'
import { listOf, signed, startVendor } from './vendor.ts'

const known = { ...reference, channelPaymentId: vendorNumber }
const RE = vendorRefund().id
const pending = { status: 'pending', succeed: false, time_succeed: null }

const news = (type: string, changes: Readonly<Record<string, unknown>> = {}): string =>
  eventOf(vendorRefund(changes), { type })

describe('an event about a refund', () => {
  test('of ours names it, its payment and its amount', async () => {
    const { eventKey, facts } = contentOf(await read(news('refund.succeeded')))
    expect(eventKey).toBe('evt:evt_400260314000000000000001')
    expect(facts).toEqual({
      kind: 'refund',
      paymentNumber: paymentId,
      refundNumber: refundId,
      identity: { app },
      refundState: 'succeeded',
      refundStateText: 'succeeded',
      channelRefundId: RE,
      amountMinor: 801n,
      currency: 'CNY',
      refundedAt: new Date((signedAt + 90) * 1000),
    })
  })

  const told = fixture.states.filter(({ refund }) => refund.status !== 'pending')
  test.each(told.map((item) => [item.refund.status, item.refund.failure_code, item] as const))(
    'pingpp checklist 34: RF-09: %s with the code %p is read from `status` and `succeed`',
    async (_status, _code, { means, refund }) => {
      const type = means === 'succeeded' ? 'refund.succeeded' : 'refund.failed'
      const { facts } = contentOf(await read(eventOf(refund, { type })))
      expect(facts).toMatchObject({ kind: 'refund', refundState: means, refundNumber: refundId })
    },
  )

  test.each([
    ['made at the console', {}],
    ['made at the console, as recorded', []],
    ['of another system', { pingzhang_refund: 7, ours: 'r1' }],
  ])('%s has no number of ours', async (_name, metadata) => {
    const { facts } = contentOf(await read(news('refund.succeeded', { metadata })))
    expect(facts).toMatchObject({ kind: 'refund', channelRefundId: RE, amountMinor: 801n })
    expect(facts).not.toHaveProperty('refundNumber')
  })

  test('of years ago names no app and no currency', async () => {
    const old = { app: undefined, currency: undefined }
    const { facts } = contentOf(await read(news('refund.succeeded', old)))
    expect(facts).toMatchObject({ identity: {}, refundState: 'succeeded' })
    expect(facts).not.toHaveProperty('currency')
  })

  test.each([
    ['success with a refund that failed', 'refund.succeeded', { status: 'failed', succeed: false }],
    ['success with a pending refund', 'refund.succeeded', pending],
    ['a failure with a refund that is done', 'refund.failed', {}],
    ['no payment', 'refund.succeeded', { charge_order_no: undefined }],
    ['no id', 'refund.succeeded', { id: undefined }],
    ['another object', 'refund.failed', { object: 'charge' }],
  ])('that says %s is kept for a person', async (_name, type, changes) => {
    expect(contentOf(await read(news(type, changes))).facts.kind).toBe('unreadable')
  })

  test('of the other mode is refused', async () => {
    const other = eventOf(vendorRefund(), { type: 'refund.succeeded', livemode: false })
    expect((await read(other)).kind).toBe('rejected')
  })
})

describe('pingpp checklist 34: what the payment says about refunds', () => {
  const refunded = { ...paid, refunded: true, amount_refunded: 801 }
  const withRefunds = vendorPayment({ ...refunded, refunds: listOf([vendorRefund()]) })

  test('pingpp checklist 34: proves none, in an event and in a query', async () => {
    const { facts } = contentOf(await read(eventOf(withRefunds)))
    await using vendor = startVendor([() => signed(200, withRefunds)])
    const found = await vendor.channel.queryPayment(known, vendor.record)
    for (const one of [facts, found.kind === 'found' ? found.facts : undefined]) {
      expect(one).toMatchObject({ kind: 'payment', vendorState: 'success' })
    }
  })

  test.each(['charge.refunded', 'order.refunded', 'batch_refund.succeeded'])(
    'the event %s is other news',
    async (type) => {
      const { facts } = contentOf(await read(eventOf(withRefunds, { type })))
      expect(facts).toEqual({ kind: 'other', eventType: type, paymentNumber: paymentId })
    },
  )
})

test('pingpp checklist 35: nothing is reversed by us; what was is read from the charge', async () => {
  const reversed = vendorPayment({ ...paid, reversed: true })
  await using vendor = startVendor([() => signed(200, reversed)])
  const { channel } = vendor
  expect(Object.keys(channel).filter((name) => /reverse|cancel|close/i.test(name))).toEqual([])
  expect(await channel.queryPayment(known, vendor.record)).toMatchObject({
    kind: 'found',
    facts: { vendorState: 'money_moved', vendorStateText: 'reversed=true' },
  })
})
