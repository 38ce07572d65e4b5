import { describe, expect, test } from 'bun:test'
import { partOf, paymentId, refundId } from '../support.ts'
import { ended, fieldsOf, query, queryId, refundTime, request } from './refund-call.ts'
import { certId, merId } from './support.ts'
import type { Message } from './support.ts'
import { answering, startVendor } from './vendor.ts'

describe('a refund is asked about', () => {
  test('unionpay checklist 35: by its own number and time, never by those of the payment', async () => {
    const { outcome, vendor } = await query(answering(ended))
    const { signature: _signature, ...fields } = fieldsOf(vendor)
    expect(fields).toEqual({
      accessType: '0',
      bizType: '000000',
      certId,
      encoding: 'UTF-8',
      merId,
      orderId: refundId,
      signMethod: '01',
      txnSubType: '00',
      txnTime: refundTime,
      txnType: '00',
      version: '5.1.0',
    })
    expect(vendor.heard.map(({ path }) => path)).toEqual(['/gateway/api/queryTrans.do'])
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund_query'])
    expect(outcome).toEqual({
      kind: 'found',
      facts: {
        kind: 'refund',
        paymentNumber: paymentId,
        refundNumber: refundId,
        identity: { merId },
        refundState: 'succeeded',
        refundStateText: '00',
        channelRefundId: queryId,
        // Of the refund, not what the merchant is debited.
        amountMinor: 3000n,
        currency: 'CNY',
      },
    })
  })

  test('an answer need not repeat the payment: the question was ours', async () => {
    const { reqReserved: _payment, origQryId: _number, ...bare } = ended
    const { outcome } = await query(answering(bare))
    expect(outcome).toMatchObject({ kind: 'found', facts: { paymentNumber: paymentId } })
  })

  test('unionpay checklist 35: 34 is absent, whenever it is said', async () => {
    const { outcome } = await query(answering({ respCode: '34' }))
    expect(outcome).toEqual({ kind: 'absent', code: '34' })
  })

  test('unionpay checklist 30: 37 changes nothing', async () => {
    const { outcome } = await query(answering({ respCode: '37' }))
    expect(outcome).toEqual({ kind: 'unknown', cause: 'respCode 37' })
  })

  test.each(['03', '05', '01', '11', '35', '42', '99', 'ZZ'])(
    'unionpay checklist 35: an outer %s says nothing, whatever the inner code is',
    async (respCode) => {
      const { outcome } = await query(answering({ ...ended, respCode }))
      expect(outcome).toEqual({ kind: 'unknown', cause: `respCode ${respCode}` })
    },
  )

  test.each<[string, Message]>([
    ['the payment itself', { txnType: '01' }],
    ['a void', { txnType: '31' }],
    ['no kind', { txnType: '' }],
    ['another payment', { origQryId: '782603141015300009999' }],
    ['another refund', { orderId: 'r9999999999999999999999999' }],
    ['another time', { txnTime: '20260315093001' }],
    ['no inner code', { origRespCode: '' }],
  ])('an answer about %s is unknown', async (_, changes) => {
    expect((await query(answering({ ...ended, ...changes }))).outcome.kind).toBe('unknown')
  })

  test('without a stored time is no question: an absence would prove nothing', async () => {
    const { vendorTime: _time, ...untimed } = request
    await using vendor = startVendor([answering({ respCode: '34' })])
    expect((await partOf(vendor).query(untimed, vendor.record)).kind).toBe('unknown')
    expect(vendor.heard).toEqual([])
  })

  test('unionpay checklist 46: no key and no card number stands in what is recorded', async () => {
    const accNo = 'cDg4jpD9tKxlI4si91lomXcSjQeOyOxEFLmMc9BLmsJrLPMqmN0JIU=='
    const { vendor } = await query(answering({ ...ended, accNo }))
    const text = JSON.stringify(vendor.exchanges)
    expect(text).toContain(refundId)
    for (const secret of [accNo, 'PRIVATE KEY']) expect(text).not.toContain(secret)
  })
})
