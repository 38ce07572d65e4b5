import { describe, expect, test } from 'bun:test'
import { verify } from 'node:crypto'
import { assert } from '#domain/assert'
import { atSecond, keyOf, paymentId, publicOf } from '../support.ts'
import {
  app,
  buildChannel,
  defaultKeys,
  liveSecret,
  merchantPem,
  paid,
  reference,
  requestOf,
  signedAt,
  strangerPem,
  vendorNumber,
  vendorPayment,
} from './support.ts'
import { listOf, refusal, signed, startVendor } from './vendor.ts'
import type { Heard, Reply, TinyVendor } from './vendor.ts'

const good: Reply = () => signed(200, vendorPayment())

function prepare(vendor: TinyVendor) {
  const outcome = vendor.channel.preparePayment(requestOf())
  assert(outcome.kind === 'prepared', `prepared, found ${JSON.stringify(outcome)}`)
  return outcome.prepared
}

async function create(replies: readonly Reply[], setup: Parameters<typeof startVendor>[1] = {}) {
  await using vendor = startVendor(replies, setup)
  const outcome = await vendor.channel.createPayment(prepare(vendor), vendor.record)
  return { outcome, vendor }
}

/** The scheme of the dossier, section 1.1, by node:crypto. */
const isSignedByUs = ({ target, headers, body }: Heard): boolean =>
  verify(
    'sha256',
    Buffer.from(body + target + headers['pingplusplus-request-timestamp']),
    publicOf(merchantPem),
    Buffer.from(headers['pingplusplus-signature'] ?? '', 'base64'),
  )

describe('creating', () => {
  test('gives the credential and the vendor number', async () => {
    const { outcome } = await create([good])
    expect(outcome).toEqual({
      kind: 'created',
      channelPaymentId: vendorNumber,
      nextAction: { type: 'qr_code', content: 'https://qr.alipay.com/bax00001' },
    })
  })

  test('pingpp checklist 2: the secret goes out as a user name, and is recorded nowhere', async () => {
    const { vendor } = await create([good])
    const sent = vendor.heard[0]?.headers['authorization'] ?? ''
    expect(sent).toBe(`Basic ${Buffer.from(`${liveSecret}:`).toString('base64')}`)
    const recorded = JSON.stringify(vendor.exchanges)
    expect(recorded).toContain(paymentId)
    for (const secret of [liveSecret, sent.slice(6), 'o7xEMsySBFG3MVHI', '14.23.150.211']) {
      expect(recorded).not.toContain(secret)
    }
  })

  test('pingpp checklist 6: the prepared bytes are signed and sent', async () => {
    await using vendor = startVendor([good])
    const prepared = prepare(vendor)
    await vendor.channel.createPayment(prepared, vendor.record)
    const [heard] = vendor.heard
    assert(heard !== undefined, 'the vendor was asked')
    expect(heard.body).toBe(prepared.body)
    expect(heard.body).toContain('测试商品')
    expect(heard).toMatchObject({ method: 'POST', target: '/v1/charges' })
    expect(heard.headers['content-type']).toBe('application/json; charset=UTF-8')
    expect(isSignedByUs(heard)).toBe(true)
    expect(isSignedByUs({ ...heard, body: `${heard.body} ` })).toBe(false)
    expect(isSignedByUs({ ...heard, target: `${heard.target}?` })).toBe(false)
  })

  test('pingpp checklist 7: the time that is sent is signed, and a repeat signs its own', async () => {
    const late: Reply = () => new Response('', { status: 502 })
    await using vendor = startVendor([
      (heard) => {
        vendor.clock.set(atSecond(signedAt + 3))
        return late(heard)
      },
      good,
    ])
    await vendor.channel.createPayment(prepare(vendor), vendor.record)
    const times = vendor.heard.map(({ headers }) => headers['pingplusplus-request-timestamp'])
    expect(times).toEqual([String(signedAt), String(signedAt + 3)])
    expect(vendor.heard.map(isSignedByUs)).toEqual([true, true])
  })

  test('the newest key of ours that is in force signs', async () => {
    const validFrom = new Date((signedAt - 1) * 1000)
    const newer = keyOf('merchant_private', 'newer', strangerPem, { validFrom })
    const { vendor } = await create([good], { keys: [...defaultKeys, newer] })
    expect(vendor.heard.map(isSignedByUs)).toEqual([false])
  })
})

describe('what a create call ends in', () => {
  test.each([
    [400, { code: 'request_param_error' }, 'request_param_error'],
    [400, {}, 'invalid_request_error'],
    [402, { type: 'channel_error', code: 'channel_auth_error' }, 'channel_auth_error'],
    [404, {}, 'invalid_request_error'],
  ])('%i %p is a refusal with the code %s', async (status, error, code) => {
    const { outcome, vendor } = await create([() => refusal(status, error)])
    expect(outcome).toEqual({ kind: 'refused', code, message: '出错了' })
    expect(vendor.heard).toHaveLength(1)
  })

  test('pingpp checklist 36: 401 is a refusal, and is never repeated', async () => {
    const { outcome, vendor } = await create([() => refusal(401), good])
    expect(outcome).toMatchObject({ kind: 'refused', code: 'invalid_request_error' })
    expect(vendor.heard).toHaveLength(1)
  })

  test.each([403, 429])(
    'pingpp checklist 36: %i backs off: unknown, not repeated',
    async (status) => {
      const { outcome, vendor } = await create([() => refusal(status), good])
      expect(outcome).toEqual({ kind: 'unknown', cause: `status ${status}` })
      expect(vendor.heard).toHaveLength(1)
    },
  )

  test('pingpp checklist 36: 502 is repeated once with the same bytes', async () => {
    const bad: Reply = () => new Response('<html>', { status: 502 })
    const once = await create([bad, good])
    expect(once.outcome.kind).toBe('created')
    expect(once.vendor.heard.map(({ body }) => body)).toEqual(
      Array.from({ length: 2 }, () => once.vendor.heard[0]?.body ?? ''),
    )
    expect(once.vendor.heard[1]?.body).toContain(paymentId)
    const twice = await create([bad, bad, good])
    expect(twice.outcome).toEqual({ kind: 'unknown', cause: 'status 502' })
    expect(twice.vendor.heard).toHaveLength(2)
  })

  test.each<readonly [string, Reply]>([
    ['500', () => refusal(500, { type: 'api_error' })],
    ['503', () => refusal(503)],
    ['504', () => new Response('', { status: 504 })],
    ['trouble of the vendor with 400', () => refusal(400, { type: 'api_error' })],
    ['a talk with the wallet that broke', () => refusal(402, { code: 'channel_connection_error' })],
    ['an answer of the wallet it cannot read', () => refusal(402, { code: 'channel_parse_error' })],
    [
      'an answer of the wallet it does not trust',
      () => refusal(402, { code: 'channel_sign_error' }),
    ],
    [
      'a number with other parameters',
      () => refusal(402, { code: 'channel_parameters_consistency_error' }),
    ],
    ['a payment that was closed', () => refusal(402, { code: 'charge_closed' })],
    ['a page of a proxy', () => new Response('<html>', { status: 400 })],
    ['a page with 200', () => new Response('<html>welcome</html>')],
    ['no body', () => signed(200, '')],
    ['another object', () => signed(200, { object: 'order' })],
    ['another number', () => signed(200, vendorPayment({ order_no: 'other' }))],
    ['another amount', () => signed(200, vendorPayment({ amount: 12_801 }))],
    ['another currency', () => signed(200, vendorPayment({ currency: 'usd' }))],
    ['another product', () => signed(200, vendorPayment({ channel: 'wx_pub_qr' }))],
    ['another app', () => signed(200, vendorPayment({ app: 'app_other' }))],
    ['a payment of test mode', () => signed(200, vendorPayment({ livemode: false }))],
  ])('is unknown, never failed: %s', async (_name, reply) => {
    const { outcome, vendor } = await create([reply])
    expect(outcome.kind).toBe('unknown')
    expect(vendor.heard).toHaveLength(1)
  })

  test('pingpp checklist 1: a redirect is not followed, and plain http is not spoken', async () => {
    const { outcome, vendor } = await create([
      ({ target }) => Response.redirect(`${target}?again`, 307),
      good,
    ])
    expect(outcome).toEqual({ kind: 'unknown', cause: 'status 307' })
    expect(vendor.heard).toHaveLength(1)
    const settings = { base_url: 'http://api.pingxx.com' }
    const plain = buildChannel({ settings })
    const asked = await plain.channel.queryPayment(reference, plain.record)
    expect(asked).toEqual({ kind: 'unknown', cause: 'host_refused' })
  })

  test('pingpp checklist 1: without a setting the vendor is asked at its own address', async () => {
    const urls: string[] = []
    const built = buildChannel({
      deps: {
        fetch(url) {
          urls.push(url)
          return Promise.reject(new Error('reset'))
        },
      },
    })
    const prepared = built.channel.preparePayment(requestOf())
    assert(prepared.kind === 'prepared', 'the request is fine')
    await built.channel.createPayment(prepared.prepared, built.record)
    expect(urls).toEqual(['https://api.pingxx.com/v1/charges'])
  })

  test('is unknown when nobody answers, without another try', async () => {
    let calls = 0
    const { outcome } = await create([], {
      deps: {
        fetch() {
          calls += 1
          return Promise.reject(new Error('reset'))
        },
      },
    })
    expect(outcome).toEqual({ kind: 'unknown', cause: 'cut' })
    expect(calls).toBe(1)
  })
})

describe('the signature of an answer', () => {
  const unsigned: Reply = () => Response.json(vendorPayment())
  const forged: Reply = () => signed(200, vendorPayment(), strangerPem)
  const cause = 'the answer is not signed by the vendor'

  test('is required on success, unless the settings only check one that is there', async () => {
    expect((await create([unsigned])).outcome).toEqual({ kind: 'unknown', cause })
    const settings = { answer_signature: 'where_present' }
    expect((await create([unsigned], { settings })).outcome.kind).toBe('created')
  })

  test.each(['required', 'where_present'])('that is wrong is not believed (%s)', async (mode) => {
    const settings = { answer_signature: mode }
    expect((await create([forged], { settings })).outcome).toEqual({ kind: 'unknown', cause })
    const error = { error: { type: 'invalid_request_error' } }
    const wrong: Reply = () => signed(400, error, strangerPem)
    expect((await create([wrong], { settings })).outcome).toEqual({ kind: 'unknown', cause })
    const right: Reply = () => signed(400, error)
    expect((await create([right], { settings })).outcome.kind).toBe('refused')
  })

  test('covers the very bytes of the body', async () => {
    const { headers } = signed(200, vendorPayment())
    const respaced: Reply = () =>
      new Response(JSON.stringify(vendorPayment(), undefined, 1), { headers })
    expect((await create([respaced])).outcome).toEqual({ kind: 'unknown', cause })
  })
})

describe('pingpp checklist 28: a number that is used', () => {
  const used: Reply = () => refusal(402, { type: 'channel_error', code: 'charge_order_no_used' })

  test('pingpp checklist 28: leads to a look-up, and its credential serves the customer', async () => {
    const { outcome, vendor } = await create([used, () => signed(200, listOf([vendorPayment()]))])
    expect(outcome).toMatchObject({ kind: 'created', channelPaymentId: vendorNumber })
    expect(vendor.heard.map(({ method }) => method)).toEqual(['POST', 'GET'])
    expect(vendor.heard[1]?.target).toContain(`app%5Bid%5D=${app}&channel=alipay_qr&created`)
  })

  test.each<readonly [string, Reply]>([
    ['is paid', () => signed(200, listOf([vendorPayment(paid)]))],
    ['is not listed', () => signed(200, listOf([]))],
    ['has another amount', () => signed(200, listOf([vendorPayment({ amount: 1 })]))],
    ['cannot be looked up', () => refusal(500)],
  ])('is unknown when it %s, and never leads to another number', async (_name, reply) => {
    const { outcome, vendor } = await create([used, reply])
    expect(outcome.kind).toBe('unknown')
    const sent = vendor.heard.filter(({ method }) => method === 'POST')
    expect(sent).toHaveLength(1)
  })

  const listed: Reply = () => signed(200, listOf([vendorPayment({ credential: [] })]))

  test('is looked at alone where the list has no credential', async () => {
    const { outcome, vendor } = await create([used, listed, () => signed(200, vendorPayment())])
    expect(outcome).toMatchObject({ kind: 'created', channelPaymentId: vendorNumber })
    expect(vendor.heard.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET'])
    expect(vendor.heard[2]?.target).toBe(`/v1/charges/${vendorNumber}`)
  })

  test.each<readonly [string, Reply, string]>([
    ['shows no credential', () => signed(200, vendorPayment({ credential: [] })), 'used'],
    ['is paid meanwhile', () => signed(200, vendorPayment({ ...paid, credential: [] })), 'unknown'],
    [
      'has another amount',
      () => signed(200, vendorPayment({ credential: [], amount: 1 })),
      'unknown',
    ],
    ['cannot be fetched', () => refusal(500), 'unknown'],
    ['is not found', () => refusal(404), 'unknown'],
  ])('alone, where it %s: the outcome of case %#', async (_name, reply, kind) => {
    const { outcome, vendor } = await create([used, listed, reply])
    expect<string>(outcome.kind).toBe(kind)
    expect(vendor.heard.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })
})
