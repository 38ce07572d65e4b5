import { verify } from 'node:crypto'
import { describe, expect, test } from 'bun:test'
import { cny } from '#domain/money'
import { keyOf, partOf, paymentId, refundId } from '../support.ts'
import {
  DOUBTS,
  SHORT,
  accepted,
  fieldsOf,
  origQryId,
  queryId,
  refundTime,
  request,
  submit,
  query,
} from './refund-call.ts'
import {
  certId,
  chain,
  intermediateKey,
  merId,
  merchantPem,
  now,
  reference,
  rootKey,
  sha256,
  textOf,
} from './support.ts'
import type { Message } from './support.ts'
import { answering, startVendor } from './vendor.ts'

describe('a refund is sent', () => {
  test('unionpay checklist 34: under its own number and time, of the payment that the vendor names', async () => {
    const { vendor } = await submit(answering(accepted))
    const { signature = '', ...fields } = fieldsOf(vendor)
    expect(fields).toEqual({
      accessType: '0',
      backUrl: request.callbackUrl,
      bizType: '000201',
      certId,
      channelType: '07',
      currencyCode: '156',
      encoding: 'UTF-8',
      merId,
      orderId: refundId,
      origQryId,
      reqReserved: paymentId,
      signMethod: '01',
      txnAmt: '3000',
      txnSubType: '00',
      txnTime: refundTime,
      txnType: '04',
      version: '5.1.0',
    })
    expect(vendor.heard.map(({ path }) => path)).toEqual(['/gateway/api/backTransReq.do'])
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund'])
    const digest = Buffer.from(sha256(textOf(fields)))
    const bytes = Buffer.from(signature, 'base64')
    expect(verify('sha256', digest, chain.merchant.certificate, bytes)).toBe(true)
  })

  test.each([
    ['page', '000201', '07'],
    ['wap', '000201', '08'],
    ['app', '000201', '08'],
    ['qr', '000000', '08'],
  ] as const)(
    'of a %s payment with that product’s own codes',
    async (method, bizType, channelType) => {
      const payment = { ...request.payment, method }
      const { vendor } = await submit(answering(accepted), { payment })
      expect(fieldsOf(vendor)).toMatchObject({ bizType, channelType })
    },
  )

  test.each([1n, 2n, 1280n, 12_799n, 12_800n, 999_999_999_999n])(
    'unionpay checklist 20: %p fen go out as that number (RF-03)',
    async (minor) => {
      const { vendor } = await submit(answering(accepted), { amount: cny(minor) })
      expect(fieldsOf(vendor)['txnAmt']).toBe(minor.toString())
    },
  )

  test('unionpay checklist 34: a new time is that of the clock in China, fixed before the call', async () => {
    await using vendor = startVendor([answering(accepted)])
    const part = partOf(vendor)
    vendor.clock.set(new Date('2026-12-31T16:00:01Z'))
    expect(part.newVendorTime?.()).toBe('20270101000001')
    vendor.clock.set(now)
    await part.submit(request, vendor.record)
    expect(fieldsOf(vendor)['txnTime']).toBe(refundTime)
  })

  test('unionpay checklist 34: no repeat is the same refund, so a machine makes none', async () => {
    const { vendor } = await submit(() => new Response('', { status: 500 }))
    expect(partOf(vendor).isRepeatable).toBe(false)
    expect(vendor.heard).toHaveLength(1)
  })

  test.each(['payment', 'refund'])(
    'only when the vendor’s number of the payment and a time are stored, not without that of the %s',
    async (what) => {
      const { vendorTime: _time, ...untimed } = request
      await using vendor = startVendor([answering(accepted)])
      const bare = what === 'refund' ? untimed : { ...request, payment: reference }
      const outcome = await partOf(vendor).submit(bare, vendor.record)
      expect(outcome).toMatchObject({ kind: 'refused', code: 'NO_NUMBER' })
      expect(vendor.heard).toEqual([])
    },
  )
})

describe('the answer to a refund', () => {
  test.each(['00', 'A6'])(
    'unionpay checklist 35: %s is accepted, and no success',
    async (respCode) => {
      const { outcome } = await submit(answering({ ...accepted, respCode }))
      expect(outcome).toEqual({
        kind: 'answered',
        facts: {
          kind: 'refund',
          paymentNumber: paymentId,
          refundNumber: refundId,
          identity: { merId },
          refundState: 'accepted',
          refundStateText: respCode,
          channelRefundId: queryId,
          amountMinor: 3000n,
        },
      })
    },
  )

  test.each(['01', '10', '11', '30', '31', '33', '35', '36', '38', '60', '64', '90', '96'])(
    'unionpay checklist 34: %s is a definite refusal, with the vendor’s reason',
    async (respCode) => {
      const respMsg = '原交易不存在或状态不正确[2011000]'
      const { outcome } = await submit(answering({ respCode, respMsg }))
      expect(outcome).toEqual({ kind: 'refused', code: respCode, message: respMsg })
    },
  )

  test.each('03 04 05 06 12 34 37 42 45 46 70 74 75 83 98 99 16 ZZ a6 0 constructor'.split(' '))(
    'unionpay checklist 35: %s is unknown, and is asked about',
    async (respCode) => {
      const { outcome } = await submit(answering({ ...accepted, respCode }))
      expect(outcome).toEqual({ kind: 'unknown', cause: `respCode ${respCode}` })
    },
  )

  test.each<[string, Message]>([
    ['another refund', { orderId: 'r9999999999999999999999999' }],
    ['another time', { txnTime: '20260315093001' }],
    ['another merchant', { merId: '777290058110097' }],
    ['another payment', { origQryId: '782603141015300009999' }],
    ['another kind of transaction', { txnType: '31' }],
  ])('about %s is unknown', async (_, changes) => {
    expect((await submit(answering({ ...accepted, ...changes }))).outcome.kind).toBe('unknown')
  })

  test('unionpay checklist 44: the number of a refund stays text', async () => {
    const long = '000000000000000000007'
    const { outcome } = await submit(answering({ ...accepted, queryId: long }))
    expect(outcome).toMatchObject({ facts: { channelRefundId: long } })
  })
})

describe('what is no answer leaves a refund unknown', () => {
  test.each(DOUBTS)('unionpay checklist 26: %s, to the call (RF-04)', async (_, reply) => {
    const { outcome, vendor } = await submit(reply, {}, SHORT)
    expect(outcome.kind).toBe('unknown')
    expect(vendor.heard).toHaveLength(1)
  })

  test.each(DOUBTS)('unionpay checklist 26: %s, to the query', async (_, reply) => {
    expect((await query(reply, {}, SHORT)).outcome.kind).toBe('unknown')
  })

  test('unionpay checklist 26: a vendor that is not there', async () => {
    const nowhere = { settings: { base_url: 'http://127.0.0.1:1' } }
    expect((await submit(() => new Response(), {}, nowhere)).outcome.kind).toBe('unknown')
    expect((await query(() => new Response(), {}, nowhere)).outcome.kind).toBe('unknown')
  })
})

describe('a refund of which no byte was sent keeps its number for a later try', () => {
  test('when our private key has ended', async () => {
    const ended = keyOf('merchant_private', certId, merchantPem, { validUntil: now })
    const keys = [ended, rootKey, intermediateKey]
    const { outcome, vendor } = await submit(answering(accepted), {}, { keys })
    expect(outcome).toEqual({ kind: 'not_executed', code: 'NO_VALID_KEY' })
    expect(vendor.heard).toEqual([])
  })

  test('when the vendor’s host is one that we do not call', async () => {
    const settings = { base_url: 'http://10.0.0.1' }
    const { outcome } = await submit(answering(accepted), {}, { settings })
    expect(outcome).toEqual({ kind: 'not_executed', code: 'HOST_REFUSED' })
  })
})
