import { describe, expect, test } from 'bun:test'
import type { RefundRequest } from '#channel/channel'
import { cny } from '#domain/money'
import fixture from '../../fixture/pingpp/refund.json'
import { partOf, paymentId, refundId } from '../support.ts'
import type { ChannelSetup } from '../support.ts'
import {
  PAYMENT_FIELD,
  app,
  defaultKeys,
  reference,
  signedAt,
  vendorNumber,
  vendorRefund,
} from './support.ts'
import { listOf, refusal, signed, startVendor } from './vendor.ts'
import type { Reply } from './vendor.ts'

const PATH = `/v1/charges/${vendorNumber}/refunds`
const RE = vendorRefund().id

const request: RefundRequest = {
  refundId,
  payment: { ...reference, channelPaymentId: vendorNumber },
  paid: cny(12_800n),
  amount: cny(801n),
  reason: '退货',
  callbackUrl: 'https://pay.example.com/callback/a',
}

async function submit(replies: readonly Reply[], setup: ChannelSetup = {}) {
  await using vendor = startVendor(replies, setup)
  const outcome = await partOf(vendor).submit(request, vendor.record)
  return { outcome, vendor }
}

async function query(
  replies: readonly Reply[],
  changes: Partial<RefundRequest> = {},
  setup: ChannelSetup = {},
) {
  await using vendor = startVendor(replies, setup)
  const outcome = await partOf(vendor).query({ ...request, ...changes }, vendor.record)
  return { outcome, vendor }
}

const known = { channelRefundId: RE }
const pending = { status: 'pending', succeed: false, time_succeed: null }
const listed =
  (refunds: readonly unknown[], hasMore = false): Reply =>
  () =>
    signed(200, listOf(refunds, hasMore))

describe('a refund is sent', () => {
  test('with our number in the metadata, since the vendor has no field for it', async () => {
    const { outcome, vendor } = await submit([() => signed(200, vendorRefund(pending))])
    expect(vendor.heard).toHaveLength(1)
    expect(vendor.heard[0]).toMatchObject({
      method: 'POST',
      target: PATH,
      body: `{"amount":801,"description":"退货","metadata":{"pingzhang_refund":"${refundId}"}}`,
    })
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund'])
    expect(outcome).toEqual({
      kind: 'answered',
      facts: {
        kind: 'refund',
        paymentNumber: paymentId,
        refundNumber: refundId,
        identity: { app },
        refundState: 'accepted',
        refundStateText: 'pending',
        channelRefundId: RE,
        amountMinor: 801n,
        currency: 'CNY',
      },
    })
  })

  test('pingpp checklist 31: the amount is always said, so it is never "all that is left"', async () => {
    const { vendor } = await submit([() => signed(200, vendorRefund(pending))])
    expect(JSON.parse(vendor.heard[0]?.body ?? '')).toMatchObject({ amount: 801 })
  })

  test('not at all while the payment has no number of the vendor', async () => {
    await using vendor = startVendor([() => refusal(500)])
    const unnumbered = { ...request, payment: reference }
    const part = partOf(vendor)
    expect(await part.submit(unnumbered, vendor.record)).toMatchObject({ kind: 'not_executed' })
    expect(await part.query(unnumbered, vendor.record)).toMatchObject({ kind: 'unknown' })
    expect(vendor.heard).toEqual([])
  })
})

describe('a refund of which no byte was sent keeps its number for a later try', () => {
  test.each(['api_secret', 'merchant_private'] as const)(
    'when our %s has ended',
    async (purpose) => {
      const validUntil = new Date(signedAt * 1000)
      const keys = defaultKeys.map((key) =>
        key.purpose === purpose ? { ...key, validUntil } : key,
      )
      const { outcome, vendor } = await submit([() => signed(200, vendorRefund())], { keys })
      expect(outcome).toEqual({ kind: 'not_executed', code: 'NO_VALID_KEY' })
      expect(vendor.heard).toEqual([])
    },
  )

  test('when the vendor’s host is one that we do not call', async () => {
    const { outcome } = await submit([], { settings: { base_url: 'http://10.0.0.1' } })
    expect(outcome).toEqual({ kind: 'not_executed', code: 'HOST_REFUSED' })
  })
})

/** After each of these nobody knows whether the refund was made: payment rules, section 5. */
const DOUBTS: readonly (readonly [string, Reply])[] = [
  ['no answer in time', () => new Promise<Response>(() => undefined)],
  ['403', () => refusal(403)],
  ['429', () => refusal(429)],
  ['500', () => refusal(500)],
  ['502', () => new Response('<html>bad gateway</html>', { status: 502 })],
  ['a page with 200', () => new Response('<html>welcome</html>')],
  ['a page with 400', () => new Response('<html>no</html>', { status: 400 })],
  ['no signature', () => Response.json(vendorRefund())],
  ['another refund', () => signed(200, vendorRefund({ metadata: { pingzhang_refund: 'r2' } }))],
  ['a refund of nobody', () => signed(200, vendorRefund({ metadata: [] }))],
  ['another payment', () => signed(200, vendorRefund({ [PAYMENT_FIELD]: 'ch_other' }))],
  ['another number', () => signed(200, vendorRefund({ charge_order_no: 'another' }))],
  ['another document', () => signed(200, '{"a":1}')],
  ['a talk with the wallet that broke', () => refusal(402, { code: 'channel_connection_error' })],
  ['402 of any kind', () => refusal(402)],
  [
    'a wallet that refuses the parameters',
    () => refusal(400, { type: 'channel_error', code: 'request_param_error' }),
  ],
  ['a code that nobody knows', () => refusal(400, { code: 'moon_is_full' })],
  ['an error of the vendor’s own', () => refusal(400, { type: 'api_error' })],
]
const SHORT = { deps: { timeoutMs: 50 } }

describe('the answer to a refund', () => {
  test.each(DOUBTS)(
    'pingpp checklist 30: after %s it is unknown, and the call is made once',
    async (_name, reply) => {
      const { outcome, vendor } = await submit([reply], SHORT)
      expect(outcome.kind).toBe('unknown')
      expect(vendor.heard).toHaveLength(1)
    },
  )

  test('RF-04: nothing of ours makes two calls one refund, so none is repeated', async () => {
    const { vendor } = await submit([() => signed(200, vendorRefund())])
    expect(partOf(vendor).isRepeatable).toBe(false)
  })

  test.each(
    fixture.states.map((item) => [item.refund.status, item.refund.failure_code, item] as const),
  )(
    'pingpp checklist 33: RF-09: %s with the code %p, in answer and query',
    async (_status, _code, { means, refund }) => {
      const reply = () => signed(200, refund)
      const facts = { refundState: means, refundStateText: refund.failure_code ?? refund.status }
      expect((await submit([reply])).outcome).toMatchObject({ kind: 'answered', facts })
      expect((await query([reply], known)).outcome).toMatchObject({ kind: 'found', facts })
      expect((await query([listed([refund])])).outcome).toMatchObject({ kind: 'found', facts })
    },
  )

  test('pingpp checklist 32: pending stays open, failed with 200 is a failure (recorded)', async () => {
    const states = fixture.states.map(({ means, refund }) => [refund.status, means])
    expect(states).toContainEqual(['pending', 'accepted'])
    const failed = { ...pending, status: 'failed', failure_code: 'refund_refused_msg' }
    const { outcome } = await submit([() => signed(200, vendorRefund(failed))])
    expect(outcome).toMatchObject({
      kind: 'answered',
      facts: { refundState: 'refused', refundStateText: 'refund_refused_msg' },
    })
  })

  test.each(fixture.errors)('$name is a definite refusal (recorded)', async ({ status, error }) => {
    const { outcome } = await submit([() => signed(status, { error })])
    const code = error.code ?? 'invalid_request_error'
    expect(outcome).toEqual({ kind: 'refused', code, message: error.message })
  })

  test.each([401, 404])('%i is a definite refusal: no refund was made', async (status) => {
    expect((await submit([() => refusal(status)])).outcome.kind).toBe('refused')
  })
})

describe('the query of a refund', () => {
  test('retrieves it by the number of the vendor', async () => {
    const { outcome, vendor } = await query([() => signed(200, vendorRefund())], known)
    expect(vendor.heard.map(({ method, target }) => `${method} ${target}`)).toEqual([
      `GET ${PATH}/${RE}`,
    ])
    expect(vendor.exchanges.map(({ kind }) => kind)).toEqual(['refund_query'])
    expect(outcome).toMatchObject({
      kind: 'found',
      facts: { refundState: 'succeeded', refundedAt: new Date((signedAt + 90) * 1000) },
    })
  })

  test('pingpp checklist 30: without one the list is read, and our number is looked for', async () => {
    const strangers = [
      vendorRefund({ id: 're_1', metadata: {} }),
      vendorRefund({ id: 're_2', metadata: [] }),
      { id: 're_3', what: 'ever' },
    ]
    const { outcome, vendor } = await query([listed([...strangers, vendorRefund(pending)])])
    expect(vendor.heard.map(({ target }) => target)).toEqual([`${PATH}?limit=100`])
    expect(outcome).toMatchObject({
      kind: 'found',
      facts: { refundNumber: refundId, channelRefundId: RE, refundState: 'accepted' },
    })
  })

  test('pingpp checklist 37: the list of refunds is paged through to its end', async () => {
    const first = Array.from({ length: 100 }, (_, at) =>
      vendorRefund({ id: `re_${at}`, metadata: {} }),
    )
    const { outcome, vendor } = await query([listed(first, true), listed([vendorRefund()])])
    expect(vendor.heard.map(({ target }) => target)).toEqual([
      `${PATH}?limit=100`,
      `${PATH}?limit=100&starting_after=re_99`,
    ])
    expect(outcome.kind).toBe('found')
  })

  test.each([
    ['in no list', undefined, listed([vendorRefund({ metadata: {} })]), 'not_in_list'],
    ['404 of the list', undefined, () => refusal(404, { param: 'id' }), 'invalid_request_error'],
    ['404 of the number', known, () => refusal(404, { param: 'id' }), 'invalid_request_error'],
  ] as const)('%s it is absent', async (_name, changes, reply, code) => {
    const { outcome, vendor } = await query([reply], changes)
    expect(outcome).toEqual({ kind: 'absent', code })
    expect(partOf(vendor).absentAfterSeconds).toBeGreaterThan(0)
  })

  test.each<readonly [string, Reply]>([
    ...DOUBTS.filter(([name]) => !/refund/.test(name)),
    ['401', () => refusal(401)],
    ['404 of a path', () => refusal(404)],
    ['more behind an empty page', listed([], true)],
    ['a list without an end', listed([vendorRefund({ metadata: {} })], true)],
    ['ours, which cannot be read', listed([vendorRefund({ status: 7 })])],
  ])('after %s it is unknown, never absent', async (_name, reply) => {
    expect((await query([reply], {}, SHORT)).outcome.kind).toBe('unknown')
  })

  test('a gap in the pages is unknown, also with ours in hand', async () => {
    const { outcome } = await query([listed([vendorRefund()], true), () => refusal(500)])
    expect(outcome.kind).toBe('unknown')
  })

  test('two refunds with our number are for a person, whatever they are', async () => {
    const twice = [vendorRefund(), vendorRefund({ ...pending, id: 're_other' })]
    const { outcome } = await query([listed(twice)])
    expect(outcome).toMatchObject({
      kind: 'found',
      facts: { refundState: 'abnormal', refundStateText: '2 refunds with one number' },
    })
  })
})
