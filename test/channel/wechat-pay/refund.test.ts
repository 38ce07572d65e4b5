import { describe, expect, test } from 'bun:test'
import type { RefundOutcome, RefundQueryOutcome } from '#channel/channel'
import fixture from '../../fixture/wechat-pay/refund.json'
import signing from '../../fixture/wechat-pay/signing.json'
import { contentOf, partOf, refundId } from '../support.ts'
import type { ChannelSetup } from '../support.ts'
import { appid, envelopeOf, mchid, read, reference } from './support.ts'
import { refundRequest } from './refund-support.ts'
import { probed, refusal, signed, startVendor } from './vendor.ts'
import type { Reply } from './vendor.ts'

const PATH = '/v3/refund/domestic/refunds'

async function submit(replies: readonly Reply[], setup: ChannelSetup = {}) {
  await using vendor = startVendor(replies, setup)
  const outcome: RefundOutcome = await partOf(vendor).submit(refundRequest, vendor.record)
  return { outcome, vendor }
}

async function query(replies: readonly Reply[], setup: ChannelSetup = {}) {
  await using vendor = startVendor(replies, setup)
  const outcome: RefundQueryOutcome = await partOf(vendor).query(refundRequest, vendor.record)
  return { outcome, vendor }
}

const [processing, done] = fixture.answers
const answerOf = (changes: Readonly<Record<string, unknown>> = {}): Response =>
  signed(200, JSON.stringify({ ...processing?.refund, ...changes }))

/** After each of these nobody knows whether the refund was made: payment rules, section 5. */
const DOUBTS: readonly (readonly [string, Reply])[] = [
  ['no answer in time', () => new Promise<Response>(() => undefined)],
  ['429', () => refusal(429, 'FREQUENCY_LIMITED')],
  ['429 with the code of a refusal', () => refusal(429, 'PARAM_ERROR')],
  ['500', () => refusal(500, 'SYSTEM_ERROR')],
  ['502 with a page', () => new Response('<html>bad gateway</html>', { status: 502 })],
  ['a page with 200', () => new Response('<html>welcome</html>')],
  ['an empty 403', () => new Response('', { status: 403 })],
  ['401', () => refusal(401, 'SIGN_ERROR')],
  ['no signature', () => Response.json(processing?.refund)],
  ['a probe', () => probed(200, JSON.stringify(processing?.refund))],
  ['another number', () => answerOf({ out_refund_no: 'r2' })],
  ['another payment', () => answerOf({ out_trade_no: 'another' })],
  ['no state', () => answerOf({ status: undefined })],
  ['another document', () => signed(200, '{"a":1}')],
]
const absent: Reply = () => refusal(404, 'RESOURCE_NOT_EXISTS')
/** Taken, and answered by a proxy: the refund is made, and nobody told us. */
const lost: Reply = () => new Response('', { status: 502 })
const REFUSALS: readonly (readonly [string, Reply])[] = [
  ['PARAM_ERROR', () => refusal(400, 'PARAM_ERROR', '与之前请求不一致')],
  ['INVALID_REQUEST', () => refusal(400, 'INVALID_REQUEST', '订单已全额退款')],
]
const SHORT = { deps: { timeoutMs: 50 } }

describe('a refund is sent', () => {
  test('with exactly the documented fields (dossier, section 5.1)', async () => {
    const { vendor } = await submit([() => answerOf()])
    expect(vendor.heard).toHaveLength(1)
    expect(vendor.heard[0]).toMatchObject({ method: 'POST', target: PATH, body: fixture.request })
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund'])
  })

  test('wechatpay checklist 58: under the number that it is given, again and again', async () => {
    await using vendor = startVendor([() => refusal(500, 'SYSTEM_ERROR'), () => answerOf()])
    const part = partOf(vendor)
    expect(part.isRepeatable).toBe(true)
    expect((await part.submit(refundRequest, vendor.record)).kind).toBe('unknown')
    expect((await part.submit(refundRequest, vendor.record)).kind).toBe('answered')
    expect(vendor.heard.map(({ body }) => body)).toEqual([fixture.request, fixture.request])
  })

  test('wechatpay checklist 61: with the whole of the order as total, a minute apart', async () => {
    const { vendor } = await submit([() => answerOf()])
    expect(vendor.heard[0]?.body).toContain('"amount":{"refund":3000,"total":10000,')
    expect(partOf(vendor).spacingSeconds).toBeGreaterThanOrEqual(60)
  })
})

describe('the answer to a refund', () => {
  test('wechatpay checklist 59: 200 with PROCESSING is accepted, not done', async () => {
    const { outcome } = await submit([() => answerOf()])
    expect(outcome).toEqual({
      kind: 'answered',
      facts: {
        kind: 'refund',
        paymentNumber: reference.paymentId,
        refundNumber: refundId,
        identity: { mchid, appid },
        refundState: 'accepted',
        refundStateText: 'PROCESSING',
        channelRefundId: '50300002602026031412345678901',
        amountMinor: 3000n,
        currency: 'CNY',
      },
    })
  })

  test.each(fixture.answers.map((item) => [item.refund.status, item.means, item.refund] as const))(
    'RF-09: %s means %s, in the answer and in the query',
    async (_word, means, refund) => {
      const reply = () => signed(200, JSON.stringify(refund))
      const expected = { facts: { refundState: means, refundStateText: refund.status } }
      expect((await submit([reply])).outcome).toMatchObject({ kind: 'answered', ...expected })
      expect((await query([reply])).outcome).toMatchObject({ kind: 'found', ...expected })
    },
  )

  test.each(DOUBTS)(
    'wechatpay checklist 60: after %s the refund is unknown, and so after a query',
    async (_name, reply) => {
      expect((await submit([reply], SHORT)).outcome.kind).toBe('unknown')
      expect((await query([reply], SHORT)).outcome.kind).toBe('unknown')
    },
  )

  test.each(DOUBTS.slice(1))(
    'wechatpay checklist 60: after %s the next thing is the query, not the same call',
    async (_name, reply) => {
      expect((await submit([reply])).vendor.heard).toHaveLength(1)
    },
  )

  test('RF-13: a bad signature is unknown: the money may have moved', async () => {
    const forged: Reply = () => {
      const good = answerOf()
      good.headers.set('wechatpay-nonce', 'another')
      return good
    }
    expect((await submit([forged])).outcome.kind).toBe('unknown')
  })

  test.each(['NOT_ENOUGH', 'NOTENOUGH'])('%s keeps the number for a later try', async (code) => {
    const { outcome } = await submit([() => refusal(403, code, '基本账户余额不足')])
    expect(outcome).toEqual({ kind: 'not_executed', code })
  })

  test.each([
    [400, 'PARAM_ERROR'],
    [400, 'INVALID_REQUEST'],
    [403, 'NO_AUTH'],
    [403, 'USER_ACCOUNT_ABNORMAL'],
    [403, 'TRADE_OVERDUE'],
    [404, 'MCH_NOT_EXISTS'],
  ])(
    'wechatpay checklist 61: %i %s is a definite refusal where the vendor has no such refund',
    async (status, code) => {
      const { outcome, vendor } = await submit([
        () => refusal(status, code, '订单已全额退款'),
        absent,
      ])
      expect(outcome).toEqual({ kind: 'refused', code, message: '订单已全额退款' })
      expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund', 'refund_query'])
    },
  )

  test.each(REFUSALS)(
    'RF-04: %s to a repeat refuses nothing when the first call was carried out',
    async (_name, refuses) => {
      await using vendor = startVendor([lost, refuses, () => answerOf()])
      const part = partOf(vendor)
      expect((await part.submit(refundRequest, vendor.record)).kind).toBe('unknown')
      expect(await part.submit(refundRequest, vendor.record)).toMatchObject({
        kind: 'answered',
        facts: { refundNumber: refundId, refundState: 'accepted' },
      })
    },
  )

  test.each(DOUBTS)(
    'a refusal is unknown when the question whether it is there ends in %s',
    async (_name, doubt) => {
      const { outcome } = await submit([() => refusal(400, 'PARAM_ERROR'), doubt], SHORT)
      expect(outcome.kind).toBe('unknown')
    },
  )

  test.each([
    [400, 'APPID_MCHID_NOT_MATCH'],
    [403, 'RULE_LIMIT'],
    [403, 'TRADE_ERROR'],
    [404, 'RESOURCE_NOT_EXISTS'],
    [400, 'TOMORROW'],
    [400, 'constructor'],
  ])('%i %s is asked about: its amount is not given free', async (status, code) => {
    expect((await submit([() => refusal(status, code)])).outcome.kind).toBe('unknown')
  })

  test('wechatpay checklist 64: what the payer got stands in the log, and nothing is computed', async () => {
    const amount = { ...done?.refund.amount, payer_total: 9000, payer_refund: 2701 }
    const { outcome, vendor } = await submit([() => answerOf({ amount })])
    expect(outcome).toMatchObject({ facts: { amountMinor: 3000n } })
    expect(vendor.exchanges[0]?.responseBody).toContain('"payer_refund":2701')
  })

  test('wechatpay checklist 74: where the money went does not reach the log', async () => {
    const { vendor } = await submit([() => answerOf()])
    const logged = JSON.stringify(vendor.exchanges)
    expect(logged).not.toContain('0403')
    expect(logged).toContain(refundId)
  })
})

describe('the query of a refund', () => {
  test('asks by our number, in the form of the vector V1', async () => {
    const { vendor } = await query([() => answerOf()])
    const vector = signing.vectors.find(({ name }) => name === 'V1')
    expect(vendor.heard[0]).toMatchObject({
      method: vector?.method,
      target: vector?.target?.replace(/\d{12}$/, refundId),
      body: '',
    })
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund_query'])
  })

  test.each(['RESOURCE_NOT_EXISTS', 'RESOURCE_NOT_EXIST', 'REFUND_NOT_EXIST'])(
    'wechatpay checklist 60: 404 %s is absent, which a minute later means the same call again',
    async (code) => {
      const { outcome, vendor } = await query([() => refusal(404, code)])
      expect(outcome).toEqual({ kind: 'absent', code })
      expect(partOf(vendor).absentAfterSeconds).toBeGreaterThanOrEqual(60)
    },
  )

  test.each<readonly [string, Reply]>([
    ['404 with another code', () => refusal(404, 'ORDER_NOT_EXIST')],
    ['404 of a path', () => new Response('', { status: 404 })],
    ['400 with the code of an absent refund', () => refusal(400, 'RESOURCE_NOT_EXISTS')],
  ])('%s is not absent, but unknown', async (_name, reply) => {
    expect((await query([reply])).outcome.kind).toBe('unknown')
  })
})

describe('the notice of a refund', () => {
  test.each(fixture.notices)(
    'RF-09: $event with $refund.refund_status means $means',
    async ({ event, means, refund }) => {
      const reading = await read(envelopeOf(JSON.stringify(refund), { eventType: event }))
      expect(contentOf(reading).facts).toMatchObject({
        kind: 'refund',
        refundNumber: refundId,
        identity: { mchid },
        refundState: means,
        refundStateText: refund.refund_status,
        amountMinor: 3000n,
      })
    },
  )

  test('wechatpay checklist 62: a notice is read from refund_status, an answer from status', async () => {
    const both = { ...fixture.notices[1]?.refund, status: 'SUCCESS' }
    const reading = await read(envelopeOf(JSON.stringify(both), { eventType: 'REFUND.ABNORMAL' }))
    expect(contentOf(reading).facts).toMatchObject({ refundState: 'abnormal' })
    const { outcome } = await query([() => answerOf({ refund_status: 'SUCCESS' })])
    expect(outcome).toMatchObject({ facts: { refundState: 'accepted' } })
  })

  test('wechatpay checklist 63: ABNORMAL is for a person, CLOSED needs a new number', async () => {
    const stateOf = async (word: string) => {
      const { outcome } = await query([() => answerOf({ status: word })])
      return outcome.kind === 'found' ? outcome.facts.refundState : outcome.kind
    }
    expect([await stateOf('ABNORMAL'), await stateOf('CLOSED')]).toEqual(['abnormal', 'refused'])
  })
})
