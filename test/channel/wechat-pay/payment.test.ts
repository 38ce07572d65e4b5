import { describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { addMs } from '#domain/time'
import type { Method } from '#domain/method'
import signing from '../../fixture/wechat-pay/signing.json'
import { atSecond } from '../support.ts'
import { publicKeyId, reference, requestOf } from './support.ts'
import { probed, refusal, signed, startVendor } from './vendor.ts'
import type { Reply, TinyVendor } from './vendor.ts'

const PREPAY = '{"prepay_id":"wx201410272009395522657a690389285100"}'
const CODE = '{"code_url":"weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}'
const H5 =
  '{"h5_url":"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx14&package=40"}'

function prepare(vendor: TinyVendor, changes: Parameters<typeof requestOf>[0] = {}) {
  const outcome = vendor.channel.preparePayment(requestOf(changes))
  assert(outcome.kind === 'prepared', `prepared, found ${JSON.stringify(outcome)}`)
  return outcome.prepared
}

async function create(replies: readonly Reply[], changes: Parameters<typeof requestOf>[0] = {}) {
  await using vendor = startVendor(replies)
  const outcome = await vendor.channel.createPayment(prepare(vendor, changes), vendor.record)
  return { outcome, vendor }
}

describe('creating', () => {
  test.each([
    ['qr', '/v3/pay/transactions/native', CODE],
    ['jsapi', '/v3/pay/transactions/jsapi', PREPAY],
    ['mini_program', '/v3/pay/transactions/jsapi', PREPAY],
    ['h5', '/v3/pay/transactions/h5', H5],
    ['app', '/v3/pay/transactions/app', PREPAY],
  ] as const)('%s goes to %s', async (method: Method, target: string, answer: string) => {
    const { outcome, vendor } = await create([() => signed(200, answer)], { method })
    expect(outcome.kind).toBe('created')
    expect(vendor.heard.map((item) => `${item.method} ${item.target}`)).toEqual([`POST ${target}`])
  })

  test('a QR payment gives the code unchanged', async () => {
    const { outcome } = await create([() => signed(200, CODE)])
    expect(outcome).toEqual({
      kind: 'created',
      nextAction: { type: 'qr_code', content: 'weixin://wxpay/bizpayurl?pr=p4lpSuKzz' },
    })
  })

  test('wechatpay checklist 4: the prepared bytes are signed and sent', async () => {
    await using vendor = startVendor([() => signed(200, CODE)])
    const prepared = prepare(vendor)
    await vendor.channel.createPayment(prepared, vendor.record)
    expect(vendor.heard[0]?.body).toBe(prepared.body)
  })

  test('wechatpay checklist 8: Accept and User-Agent go out with every request', async () => {
    await using vendor = startVendor([() => refusal(404, 'ORDER_NOT_EXIST')])
    await vendor.channel.createPayment(prepare(vendor), vendor.record)
    await vendor.channel.queryPayment(reference, vendor.record)
    await vendor.channel.closePayment?.(reference, vendor.record)
    expect(vendor.heard.length).toBeGreaterThanOrEqual(3)
    for (const { headers } of vendor.heard) {
      expect(headers['accept']).toBe('application/json')
      expect(headers['user-agent']).toMatch(/^pingzhang\//)
    }
  })

  test.each([
    ['public_key', publicKeyId],
    ['certificate', undefined],
  ])('wechatpay checklist 9: key mode %s announces %s', async (mode, serial) => {
    await using vendor = startVendor([() => signed(200, CODE)], { settings: { key_mode: mode } })
    await vendor.channel.createPayment(prepare(vendor), vendor.record)
    expect(vendor.heard[0]?.headers['wechatpay-serial']).toBe(serial)
  })

  test('wechatpay checklist 10: every attempt has a fresh nonce of 32 characters', async () => {
    const { vendor } = await create([() => new Response(CODE), () => signed(200, CODE)])
    const nonces = vendor.heard.map(
      ({ headers }) => /nonce_str="([0-9A-Za-z]{32})"/.exec(headers['authorization'] ?? '')?.[1],
    )
    expect(nonces).toHaveLength(2)
    expect(new Set(nonces).size).toBe(2)
    expect(nonces).not.toContain(undefined)
  })

  test('wechatpay checklist 35: a repeat sends the identical bytes', async () => {
    await using vendor = startVendor([() => signed(200, CODE)])
    const prepared = prepare(vendor)
    await vendor.channel.createPayment(prepared, vendor.record)
    vendor.clock.set(addMs(vendor.clock.now(), 100_000))
    await vendor.channel.createPayment(prepared, vendor.record)
    expect(vendor.heard[1]?.body).toBe(vendor.heard[0]?.body)
    expect(vendor.heard[1]?.headers['authorization']).not.toBe(
      vendor.heard[0]?.headers['authorization'],
    )
  })

  test('wechatpay checklist 37: JSAPI and app parameters are those of V6 and V7', async () => {
    await using vendor = startVendor([() => signed(200, PREPAY, { seconds: 1_554_208_460 })], {
      at: atSecond(1_554_208_460),
      settings: { appid: 'wx2421b1c4370ec43b' },
      deps: { newNonce: () => '593BEC0C930BF1AFEB40B4A08C8FB242' },
    })
    const expiresAt = new Date(1_554_209_000_000)
    const signatureOf = (name: string) =>
      signing.vectors.find((item) => item.name === name)?.signature
    for (const method of ['jsapi', 'mini_program'] as const) {
      const prepared = prepare(vendor, { method, expiresAt })
      expect(await vendor.channel.createPayment(prepared, vendor.record)).toMatchObject({
        nextAction: {
          type: 'sdk',
          params: {
            appId: 'wx2421b1c4370ec43b',
            timeStamp: '1554208460',
            package: 'prepay_id=wx201410272009395522657a690389285100',
            signType: 'RSA',
            paySign: signatureOf('V6'),
          },
        },
      })
    }
    const app = await vendor.channel.createPayment(
      prepare(vendor, { method: 'app', expiresAt }),
      vendor.record,
    )
    expect(app).toMatchObject({
      nextAction: {
        params: {
          appId: 'wx2421b1c4370ec43b',
          partnerId: '1900000109',
          prepayId: 'wx201410272009395522657a690389285100',
          packageValue: 'Sign=WXPay',
          timeStamp: '1554208460',
          sign: signatureOf('V7'),
        },
      },
    })
  })

  test('wechatpay checklist 38: redirect_url is percent-encoded behind the H5 address', async () => {
    const returnUrl = 'https://shop.example.com/back?a=1&b=支付'
    const { outcome } = await create([() => signed(200, H5)], { method: 'h5', returnUrl })
    const base = 'https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx14&package=40'
    expect(outcome).toMatchObject({
      nextAction: {
        type: 'redirect',
        url: `${base}&redirect_url=${encodeURIComponent(returnUrl)}`,
      },
    })
  })
})

describe('what a create call ends in', () => {
  test.each([
    [400, 'PARAM_ERROR'],
    [400, 'APPID_MCHID_NOT_MATCH'],
    [401, 'SIGN_ERROR'],
    [403, 'NO_AUTH'],
    [403, 'RULE_LIMIT'],
  ])(
    'wechatpay checklist 23: an unsigned %i %s is a refusal with the vendor code',
    async (status, code) => {
      const { outcome, vendor } = await create([() => refusal(status, code, '参数错误')])
      expect(outcome).toEqual({ kind: 'refused', code, message: '参数错误' })
      expect(vendor.heard).toHaveLength(1)
    },
  )

  test.each<readonly [string, Reply]>([
    ['the number was used', () => refusal(403, 'OUT_TRADE_NO_USED')],
    ['the order was closed', () => refusal(400, 'ORDER_CLOSED')],
    ['the order was paid, by its message', () => refusal(400, 'INVALID_REQUEST', '该订单已支付')],
    ['the order was paid, by its number', () => refusal(400, 'X', 'x', '08B5-268449538')],
    ['too many calls', () => refusal(429, 'FREQUENCY_LIMITED')],
    ['a vendor fault', () => refusal(500, 'SYSTEM_ERROR')],
    ['a gateway fault', () => new Response('<html>502</html>', { status: 502 })],
    ['a page of a proxy', () => new Response('<html>forbidden</html>', { status: 403 })],
    ['a redirect', () => new Response('', { status: 302, headers: { location: '/login' } })],
    ['a page with 200', () => new Response('<html>welcome</html>')],
    ['no credential', () => signed(200, '{}')],
    ['a credential of another product', () => signed(200, H5)],
  ])('is unknown, never failed: %s', async (_name, reply) => {
    const { outcome } = await create([reply])
    expect(outcome.kind).toBe('unknown')
  })

  test.each([404, 405])(
    'wechatpay checklist 12: %i with an empty body is unknown',
    async (status) => {
      const { outcome } = await create([() => new Response('', { status })])
      expect(outcome).toEqual({ kind: 'unknown', cause: `status ${status}` })
    },
  )

  test('is unknown when nobody answers', async () => {
    const { outcome } = await create([() => signed(200, CODE)])
    expect(outcome.kind).toBe('created')
    await using silent = startVendor([], {
      deps: { fetch: () => Promise.reject(new Error('reset')) },
    })
    expect(await silent.channel.createPayment(prepare(silent), silent.record)).toEqual({
      kind: 'unknown',
      cause: 'cut',
    })
  })

  test.each<readonly [string, Reply]>([
    ['a probe', () => probed(200, CODE)],
    ['an unsigned answer', () => new Response(CODE)],
    ['another body', () => new Response(PREPAY, { headers: signed(200, CODE).headers })],
    ['a stale signature', () => signed(200, CODE, { seconds: 1_773_450_903 - 300 })],
    ['an unknown key', () => signed(200, CODE, { serial: 'ABCDEF' })],
  ])(
    'wechatpay checklist 20: after %s the call is repeated once and then unknown',
    async (_name, reply) => {
      const once = await create([reply, () => signed(200, CODE)])
      expect(once.outcome.kind).toBe('created')
      expect(once.vendor.heard).toHaveLength(2)
      expect(once.vendor.heard[1]?.body).toBe(once.vendor.heard[0]?.body)
      const twice = await create([reply])
      expect(twice.outcome.kind).toBe('unknown')
      expect(twice.vendor.heard).toHaveLength(2)
    },
  )

  test('wechatpay checklist 19: a probe on an answer raises nothing', async () => {
    const { outcome } = await create([() => probed(200, CODE)])
    expect(outcome).toEqual({ kind: 'unknown', cause: 'the answer is not signed by the vendor' })
  })

  test('wechatpay checklist 21: a 2xx without signature headers is not believed', async () => {
    const { outcome } = await create([() => new Response(CODE, { status: 200 })])
    expect(outcome.kind).toBe('unknown')
  })

  test('wechatpay checklist 23: a 401 shows its code, whatever our clock makes of its signature', async () => {
    const body = '{"code":"SIGN_ERROR","message":"x"}'
    const { outcome } = await create([() => signed(401, body, { seconds: 1_773_450_903 - 900 })])
    expect(outcome).toEqual({ kind: 'refused', code: 'SIGN_ERROR', message: 'x' })
  })

  test('a refusal with a wrong signature is not believed either', async () => {
    const forged: Reply = () =>
      new Response('{"code":"PARAM_ERROR"}', { status: 400, headers: signed(200, CODE).headers })
    expect((await create([forged])).outcome.kind).toBe('unknown')
  })
})
