import { describe, expect, test } from 'bun:test'
import verifying from '../../fixture/wechat-pay/verifying.json'
import { paymentId } from '../support.ts'
import { apiv3Key, certificateSerial, notifiedAt, orderOf, reference } from './support.ts'
import { probed, refusal, signed, startVendor } from './vendor.ts'
import type { Reply } from './vendor.ts'

async function query(...replies: readonly Reply[]) {
  await using vendor = startVendor(replies)
  return { outcome: await vendor.channel.queryPayment(reference, vendor.record), vendor }
}

async function close(...replies: readonly Reply[]) {
  await using vendor = startVendor(replies)
  return { outcome: await vendor.channel.closePayment?.(reference, vendor.record), vendor }
}

describe('query', () => {
  test('wechatpay checklist 42: the query carries mchid, and it is signed with it', async () => {
    const { vendor } = await query(() => signed(200, orderOf()))
    expect(vendor.heard[0]?.target).toBe(
      `/v3/pay/transactions/out-trade-no/${paymentId}?mchid=1900000109`,
    )
  })

  test.each([
    ['SUCCESS', 'success'],
    ['REFUND', 'success'],
    ['CLOSED', 'closed'],
    ['REVOKED', 'closed'],
    ['NOTPAY', 'not_yet'],
    ['USERPAYING', 'not_yet'],
    ['ACCEPT', 'not_yet'],
    ['PAYERROR', 'failed'],
    ['constructor', 'unknown'],
    ['success', 'unknown'],
    ['TOMORROW', 'unknown'],
  ])('the state %s means %s', async (state, vendorState) => {
    const { outcome } = await query(() => signed(200, orderOf({ trade_state: state })))
    expect(outcome).toMatchObject({ kind: 'found', facts: { vendorState, vendorStateText: state } })
  })

  test('wechatpay checklist 43: an unpaid order may lack everything about a payment', async () => {
    const order = {
      appid: 'wxd678efh567hg6787',
      mchid: '1900000109',
      out_trade_no: paymentId,
      trade_state: 'NOTPAY',
      trade_state_desc: '订单未支付',
    }
    const { outcome } = await query(() => signed(200, JSON.stringify(order)))
    expect(outcome).toEqual({
      kind: 'found',
      facts: {
        kind: 'payment',
        paymentNumber: paymentId,
        identity: { mchid: '1900000109', appid: 'wxd678efh567hg6787' },
        vendorState: 'not_yet',
        vendorStateText: 'NOTPAY',
      },
    })
  })

  test.each(['ORDER_NOT_EXIST', 'ORDERNOTEXIST'])('404 %s is absent', async (code) => {
    const { outcome } = await query(() => refusal(404, code))
    expect(outcome).toEqual({ kind: 'absent', code, isSigned: false })
  })

  test.each<readonly [string, Reply]>([
    ['404 of a path', () => new Response('', { status: 404 })],
    ['404 with another code', () => refusal(404, 'RESOURCE_NOT_EXISTS')],
    ['400 with the code of an absent order', () => refusal(400, 'ORDER_NOT_EXIST')],
    ['401', () => refusal(401, 'SIGN_ERROR')],
    ['429', () => refusal(429, 'FREQUENCY_LIMITED')],
    ['500', () => refusal(500, 'SYSTEM_ERROR')],
    ['a probe', () => probed(200, orderOf())],
    ['no signature', () => new Response(orderOf())],
    ['another order', () => signed(200, orderOf({ out_trade_no: 'another' }))],
    ['another document', () => signed(200, '{"a":1}')],
    ['too much', () => signed(200, orderOf({ attach: 'x'.repeat(1_100_000) }))],
  ])('is unknown after %s', async (_name, reply) => {
    expect((await query(reply)).outcome.kind).toBe('unknown')
  })
})

describe('close', () => {
  test('wechatpay checklist 46: 204 with the signature over nothing is closed', async () => {
    const { outcome, vendor } = await close(() => signed(204))
    expect(outcome).toEqual({ kind: 'closed', proof: '204' })
    expect(vendor.heard[0]).toMatchObject({
      method: 'POST',
      target: `/v3/pay/transactions/out-trade-no/${paymentId}/close`,
      body: '{"mchid":"1900000109"}',
    })
  })

  test('wechatpay checklist 46: the vector D4 closes', async () => {
    const vector = verifying.answers.find((item) => item.name === 'D4')
    const headers = {
      'wechatpay-timestamp': vector?.timestamp ?? '',
      'wechatpay-nonce': vector?.nonce ?? '',
      'wechatpay-serial': certificateSerial,
      'wechatpay-signature': vector?.signature ?? '',
    }
    const { outcome } = await close(() => new Response(null, { status: 204, headers }))
    expect(outcome).toEqual({ kind: 'closed', proof: '204' })
  })

  test('204 without a signature proves nothing', async () => {
    const { outcome } = await close(() => new Response(null, { status: 204 }))
    expect(outcome?.kind).toBe('unknown')
  })

  test('a signed 200 is not the documented 204, so the query decides', async () => {
    const unpaid = orderOf({ trade_state: 'NOTPAY' })
    const { outcome, vendor } = await close(
      () => signed(200, '{}'),
      () => signed(200, unpaid),
    )
    expect(outcome?.kind).toBe('unknown')
    expect(vendor.heard).toHaveLength(2)
  })

  test('ORDER_CLOSED is closed', async () => {
    const { outcome } = await close(() => refusal(400, 'ORDER_CLOSED'))
    expect(outcome).toEqual({ kind: 'closed', proof: 'ORDER_CLOSED' })
  })

  test.each<readonly [string, Reply]>([
    ['the paid message', () => refusal(400, 'INVALID_REQUEST', '该订单已支付')],
    ['an unknown code', () => refusal(403, 'TRADE_ERROR')],
    ['429', () => refusal(429, 'FREQUENCY_LIMITED')],
  ])('wechatpay checklist 47: after %s the query decides: paid', async (_name, reply) => {
    const { outcome } = await close(reply, () => signed(200, orderOf()))
    expect(outcome).toMatchObject({ kind: 'paid', facts: { amountMinor: 10_000n } })
  })

  test.each([
    ['CLOSED', 'closed'],
    ['NOTPAY', 'unknown'],
    ['REFUND', 'paid'],
    ['TOMORROW', 'unknown'],
  ] as const)('after a refusal the query decides: %s is %s', async (state, kind) => {
    const { outcome } = await close(
      () => refusal(429, 'RATE_LIMITED'),
      () => signed(200, orderOf({ trade_state: state })),
    )
    expect(outcome?.kind).toBe(kind)
  })

  test('an absent order is not closed: its prepay may still be on the way', async () => {
    const { outcome } = await close(() => refusal(404, 'ORDER_NOT_EXIST'))
    expect(outcome).toEqual({ kind: 'absent', code: 'ORDER_NOT_EXIST' })
  })

  test('a vendor fault is unknown, and nothing else is asked', async () => {
    const { outcome, vendor } = await close(() => refusal(500, 'SYSTEM_ERROR'))
    expect(outcome?.kind).toBe('unknown')
    expect(vendor.heard).toHaveLength(1)
  })
})

test('the time of the test is the time of the vectors', () => {
  expect(notifiedAt).toBe(1_773_450_903)
  expect(apiv3Key).toHaveLength(32)
})
