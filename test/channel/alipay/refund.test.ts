import { describe, expect, test } from 'bun:test'
import type { RefundOutcome, RefundQueryOutcome } from '#channel/channel'
import fixture from '../../fixture/alipay/refund.json'
import { partOf, paymentId, refundId } from '../support.ts'
import type { ChannelSetup } from '../support.ts'
import { appId, channelPaymentId, sellerId } from './support.ts'
import { refundRequest as request } from './refund-support.ts'
import { answer, html, nodeName, refusal, startVendor, unsigned } from './vendor.ts'
import type { Reply } from './vendor.ts'

async function submit(replies: readonly Reply[], setup: ChannelSetup = {}) {
  await using vendor = startVendor(replies, setup)
  const outcome: RefundOutcome = await partOf(vendor).submit(request, vendor.record)
  return { outcome, vendor }
}

async function query(replies: readonly Reply[], setup: ChannelSetup = {}) {
  await using vendor = startVendor(replies, setup)
  const outcome: RefundQueryOutcome = await partOf(vendor).query(request, vendor.record)
  return { outcome, vendor }
}

const say =
  (node: object): Reply =>
  ({ api }) =>
    answer(nodeName(api), JSON.stringify(node))

const REFUND = 'alipay.trade.refund'
const QUERY = 'alipay.trade.fastpay.refund.query'

const [done, unchanged] = fixture.refunded
const [found] = fixture.queried
const [nothing] = fixture.absent
const refunded = (changes: object = {}): Reply => say({ ...done?.node, ...changes })
const queried = (changes: object = {}): Reply => say({ ...found?.node, ...changes })
const absent = say(nothing ?? {})
const SHORT = { deps: { timeoutMs: 50 } }

/** After each of these nobody knows whether the refund was made: payment rules, section 5. */
const DOUBTS: readonly (readonly [string, Reply])[] = [
  ['no answer in time', () => new Promise<Response>(() => undefined)],
  ['20000', refusal('20000', 'isp.unknow-error')],
  ['a system error', refusal('40004', 'ACQ.SYSTEM_ERROR')],
  ['a system error with a prefix', refusal('40004', 'aop.ACQ.SYSTEM_ERROR')],
  ['a system error in their spelling', refusal('40004', 'AQC.SYSTEM_ERROR')],
  ['10003', refusal('10003', '')],
  ['a code of tomorrow', refusal('40004', 'ACQ.TOMORROW')],
  ['a code that every object has', refusal('40004', 'constructor')],
  ['another class of codes', refusal('40099', 'ACQ.TRADE_HAS_FINISHED')],
  ['500', () => html('', 500)],
  ['502 with a page', () => html('<html>bad gateway</html>', 502)],
  ['a page with 200', () => html('<html>welcome</html>')],
  ['no signature', ({ api }) => html(`{"${nodeName(api)}":${JSON.stringify(done?.node)}}`)],
  ['an unsigned refusal', unsigned('40004', 'ACQ.TRADE_HAS_FINISHED')],
  ['another payment', say({ ...found?.node, ...done?.node, out_trade_no: 'p2' })],
  ['a payment of the same number', say({ ...found?.node, ...done?.node, trade_no: '2026' })],
]

describe('a refund is sent', () => {
  test('alipay checklist 55: with the documented fields, the same again after an unknown outcome', async () => {
    await using vendor = startVendor([refusal('20000', 'isp.unknow-error'), refunded()])
    const part = partOf(vendor)
    expect(part.isRepeatable).toBe(true)
    expect((await part.submit(request, vendor.record)).kind).toBe('unknown')
    expect((await part.submit(request, vendor.record)).kind).toBe('answered')
    expect(vendor.heard.map(({ api, body }) => [api, body['biz_content']])).toEqual([
      [REFUND, fixture.request],
      [REFUND, fixture.request],
    ])
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund', 'refund'])
  })

  test('alipay checklist 59: with three seconds between two refunds of a payment', async () => {
    await using vendor = startVendor([])
    expect(partOf(vendor).spacingSeconds).toBe(3)
  })
})

describe('the answer to a refund', () => {
  test('alipay checklist 57: names no amount of this refund, as `refund_fee` is a sum', async () => {
    const { outcome } = await submit([refunded()])
    expect(outcome).toEqual({
      kind: 'answered',
      facts: {
        kind: 'refund',
        paymentNumber: paymentId,
        refundNumber: refundId,
        identity: { app_id: appId, seller_id: sellerId },
        refundState: 'succeeded',
        refundStateText: 'fund_change Y',
        refundedAt: new Date('2026-01-31T15:59:59Z'),
      },
    })
  })

  test.each(fixture.refunded)(
    'RF-09: alipay checklist 56: $name means $means, and nothing is asked or sent beside it',
    async ({ node, means }) => {
      const { outcome, vendor } = await submit([say(node)])
      expect(outcome).toMatchObject({ kind: 'answered', facts: { refundState: means } })
      expect(vendor.heard).toHaveLength(1)
    },
  )

  test('alipay checklist 56: a repeat that moved nothing is cleared up by the query', async () => {
    await using vendor = startVendor([say(unchanged?.node ?? {}), queried()])
    const part = partOf(vendor)
    const outcome = await part.submit(request, vendor.record)
    expect(outcome).toMatchObject({ facts: { refundState: 'unknown' } })
    expect(await part.query(request, vendor.record)).toMatchObject({
      facts: { refundState: 'succeeded', amountMinor: 3005n },
    })
  })

  test.each(DOUBTS)('after %s the refund is unknown, and so after a query', async (_, reply) => {
    const sent = await submit([reply], SHORT)
    expect(sent.outcome.kind).toBe('unknown')
    expect(sent.vendor.heard).toHaveLength(1)
    expect((await query([reply], SHORT)).outcome.kind).toBe('unknown')
  })

  test('RF-13: a bad signature is unknown: the money may have moved', async () => {
    const forged: Reply = ({ api }) =>
      html(`{"${nodeName(api)}":${JSON.stringify(done?.node)},"sign":"AAAA"}`)
    expect((await submit([forged])).outcome.kind).toBe('unknown')
  })

  test('who paid does not reach the log', async () => {
    const { vendor } = await submit([refunded()])
    const logged = JSON.stringify(vendor.exchanges)
    expect(logged).not.toContain('159****5620')
    expect(logged).not.toContain(done?.node.buyer_open_id ?? '')
    expect(logged).toContain(refundId)
    expect(logged).toContain('60.10')
  })
})

describe('a refund that is refused', () => {
  test.each(['ACQ.SELLER_BALANCE_NOT_ENOUGH', 'aop.ACQ.SELLER_BALANCE_NOT_ENOUGH'])(
    'alipay checklist 60: %s keeps the number, and the later call is the same',
    async (code) => {
      await using vendor = startVendor([refusal('40004', code), refunded()])
      const part = partOf(vendor)
      expect(await part.submit(request, vendor.record)).toEqual({ kind: 'not_executed', code })
      expect((await part.submit(request, vendor.record)).kind).toBe('answered')
      const [first, second] = vendor.heard
      expect(second?.body['biz_content']).toBe(first?.body['biz_content'] ?? '')
    },
  )

  test.each([
    ['20001', 'aop.invalid-auth-token'],
    ['40001', 'isv.missing-signature'],
    ['40002', 'isv.app-cert-expired'],
    ['40003', 'isv.missing-signature-config'],
    ['40005', 'isv.app-call-limited'],
    ['40006', 'isv.insufficient-isv-permissions'],
  ])(
    '%s %s was not executed: an earlier call may have been, so it refuses nothing',
    async (code, subCode) => {
      const { outcome } = await submit([refusal(code, subCode)])
      expect(outcome).toEqual({ kind: 'not_executed', code: subCode })
    },
  )

  const REFUSED = `REFUND_AMT_NOT_EQUAL_TOTAL REASON_TRADE_BEEN_FREEZEN TRADE_NOT_EXIST
    TRADE_HAS_FINISHED TRADE_STATUS_ERROR REASON_TRADE_REFUND_FEE_ERR TRADE_NOT_ALLOW_REFUND
    NOT_ALLOW_PARTIAL_REFUND REFUNDALLOC_UNAUTH_LIMIT INVALID_PARAMETER`.split(/\s+/)

  test.each(REFUSED)('ACQ.%s is definite, once the vendor knows no such refund', async (word) => {
    const { outcome, vendor } = await submit([refusal('40004', `ACQ.${word}`), absent])
    expect(outcome).toEqual({ kind: 'refused', code: `ACQ.${word}`, message: '失败' })
    expect(vendor.heard.map(({ api }) => api)).toEqual([REFUND, QUERY])
  })

  test.each([...REFUSED, 'TRADE_HAS_CLOSE', 'DISCORDANT_REPEAT_REQUEST'])(
    'RF-04: ACQ.%s to a repeat refuses nothing when the first call was carried out',
    async (word) => {
      const { outcome } = await submit([refusal('40004', `ACQ.${word}`), queried()])
      expect(outcome).toMatchObject({ kind: 'answered', facts: { refundState: 'succeeded' } })
    },
  )

  test.each(DOUBTS)('and after %s to the question it is unknown', async (_, reply) => {
    const replies = [refusal('40004', 'ACQ.TRADE_HAS_FINISHED'), reply]
    expect((await submit(replies, SHORT)).outcome.kind).toBe('unknown')
  })

  test('alipay checklist 61: our number with another amount is an alarm, and gives no amount free', async () => {
    const { outcome } = await submit([refusal('40004', 'ACQ.DISCORDANT_REPEAT_REQUEST'), absent])
    expect(outcome).toMatchObject({
      kind: 'answered',
      facts: { refundState: 'abnormal', refundStateText: 'ACQ.DISCORDANT_REPEAT_REQUEST' },
    })
  })

  test('a payment that is closed, without this refund, is for a person', async () => {
    const { outcome } = await submit([refusal('40004', 'ACQ.TRADE_HAS_CLOSE'), absent])
    expect(outcome).toMatchObject({ kind: 'answered', facts: { refundState: 'abnormal' } })
  })
})

describe('the query of a refund', () => {
  test('asks by our number, and for the time', async () => {
    const { vendor } = await query([queried()])
    expect(vendor.heard[0]).toMatchObject({ api: QUERY, body: { biz_content: fixture.query } })
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund_query'])
  })

  test.each(fixture.queried)('RF-09: $word means $means', async ({ node, word, means }) => {
    expect<unknown>((await query([say(node)])).outcome).toEqual({
      kind: 'found',
      facts: {
        kind: 'refund',
        paymentNumber: paymentId,
        refundNumber: refundId,
        identity: { app_id: appId, seller_id: sellerId },
        refundState: means,
        refundStateText: word,
        amountMinor: 3005n,
        currency: 'CNY',
        refundedAt: new Date('2026-01-31T15:59:59Z'),
      },
    })
  })

  test.each(fixture.absent)(
    'alipay checklist 58: without a status it is absent, which means nothing for ten seconds: %p',
    async (node) => {
      const { outcome, vendor } = await query([say(node)])
      expect(outcome).toEqual({ kind: 'absent', code: 'no refund_status' })
      expect(partOf(vendor).absentAfterSeconds).toBe(10)
    },
  )

  test('a payment that the vendor does not know has no refund either', async () => {
    const { outcome } = await query([refusal('40004', 'ACQ.TRADE_NOT_EXIST')])
    expect(outcome).toEqual({ kind: 'absent', code: 'ACQ.TRADE_NOT_EXIST' })
  })

  test.each([
    ['another refund', queried({ out_request_no: 'r2' })],
    ['another refund without a status', queried({ out_request_no: 'r2', refund_status: '' })],
    ['another payment', queried({ out_trade_no: 'p2' })],
    ['another number of the vendor', queried({ trade_no: '2026' })],
    ['no refund by name', queried({ out_request_no: undefined })],
    ['no payment by name', queried({ out_trade_no: undefined })],
    ['a list', say([])],
    ['a refusal', refusal('40004', 'ACQ.INVALID_PARAMETER')],
    ['a gateway that did not ask', refusal('40002', 'isv.invalid-signature')],
  ])('of %s tells nothing of ours', async (_, reply) => {
    expect((await query([reply])).outcome.kind).toBe('unknown')
  })

  test('an amount that would have to be rounded is no amount', async () => {
    const { outcome } = await query([queried({ refund_amount: '30.051' })])
    expect(outcome.kind === 'found' && outcome.facts.amountMinor).toBe(undefined)
  })

  test('a refund that is not ours is asked about by its own number', async () => {
    await using vendor = startVendor([queried({ out_request_no: 'HZ01', refund_amount: '5.00' })])
    const ask = partOf(vendor).queryForeign
    const outcome = await ask?.({ ...request.payment, channelPaymentId }, 'HZ01', vendor.record)
    expect(outcome).toMatchObject({ facts: { refundNumber: 'HZ01', amountMinor: 500n } })
    expect(vendor.heard[0]?.body['biz_content']).toContain('"out_request_no":"HZ01"')
  })
})
