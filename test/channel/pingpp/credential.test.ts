import { describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { PRODUCTS, requestOf, vendorNumber, vendorPayment } from './support.ts'
import { signed, startVendor } from './vendor.ts'

/** What the customer is given when the vendor answers with this credential of this product. */
async function outcomeOf(
  product: string,
  credential: unknown,
  setup: Parameters<typeof startVendor>[1] = {},
) {
  const [wallet, method] = PRODUCTS.find(([, , name]) => name === product) ?? []
  assert(wallet !== undefined && method !== undefined, 'the product is one of ours')
  const answer = vendorPayment({ channel: product, credential })
  await using vendor = startVendor([() => signed(200, answer)], setup)
  const outcome = vendor.channel.preparePayment(requestOf({ wallet, method }))
  assert(outcome.kind === 'prepared', `prepared, found ${JSON.stringify(outcome)}`)
  // Awaited here, because the vendor ends with this function.
  return await vendor.channel.createPayment(outcome.prepared, vendor.record)
}

const given = (product: string, value: unknown, setup: Parameters<typeof startVendor>[1] = {}) =>
  outcomeOf(product, { object: 'credential', [product]: value }, setup)

const SDK = {
  alipay: { orderInfo: 'app_id=2016&method=alipay.trade.app.pay&sign=a%2Bb%3D' },
  wx: {
    appId: 'wx1',
    partnerId: '190',
    prepayId: 'wx20',
    nonceStr: 'n',
    timeStamp: 1_773_454_530,
    packageValue: 'Sign=WXPay',
    sign: 'ABC',
  },
  wx_pub: {
    appId: 'wx1',
    timeStamp: '1773454530',
    nonceStr: 'n',
    package: 'prepay_id=wx20',
    signType: 'RSA',
    paySign: 'ABC=',
  },
  upacp: { tn: '202603141530001', mode: '00' },
}

describe('the client is given', () => {
  test.each(['alipay_qr', 'wx_pub_qr', 'upacp_qr'])(
    'pingpp checklist 23: of %s the text of a code, unchanged',
    async (product) => {
      const content = 'https://qr.example.com/?a=1&b=%E6%94%AF'
      expect(await given(product, content)).toEqual({
        kind: 'created',
        channelPaymentId: vendorNumber,
        nextAction: { type: 'qr_code', content },
      })
    },
  )

  test.each([
    ['alipay', SDK.alipay, SDK.alipay],
    ['wx', SDK.wx, { ...SDK.wx, timeStamp: '1773454530' }],
    ['wx_pub', SDK.wx_pub, SDK.wx_pub],
    ['upacp', SDK.upacp, SDK.upacp],
  ])('pingpp checklist 23: of %s parameters, all of them text', async (product, value, params) => {
    expect(await given(product, value)).toMatchObject({ nextAction: { type: 'sdk', params } })
  })

  test('pingpp checklist 23: of wx_lite the parameters without the appId', async () => {
    const { appId: _, ...params } = SDK.wx_pub
    const outcome = await given('wx_lite', SDK.wx_pub)
    assert(outcome.kind === 'created', 'the credential is complete')
    expect(outcome.nextAction).toEqual({ type: 'sdk', params })
  })

  test.each([
    ['text', (url: string) => url],
    ['an object', (url: string) => ({ url })],
  ])('pingpp checklist 23: of wx_wap an address, given as %s', async (_name, shape) => {
    const url = 'https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx20&package=1'
    expect(await given('wx_wap', shape(url))).toMatchObject({
      nextAction: { type: 'redirect', url },
    })
  })

  const fields = {
    version: '5.1.0',
    encoding: 'utf-8',
    txnTime: '20260314101530',
    orderId: 'p0123456789abcdefghijklmno',
    frontUrl: 'https://pay.example.com/return/a/p',
    reserved: '{"a"=1&b="<支付>"}',
    empty: '',
    signature: 'a+b/c==',
  }

  test.each(['upacp_pc', 'upacp_wap'])(
    'pingpp checklist 24: of %s a form to UnionPay, every field unchanged',
    async (product) => {
      expect(await given(product, fields)).toMatchObject({
        nextAction: {
          type: 'form',
          action: 'https://gateway.95516.com/gateway/api/frontTransReq.do',
        },
      })
      const outcome = await given(product, fields)
      assert(outcome.kind === 'created' && outcome.nextAction.type === 'form', 'a form is given')
      expect(Object.entries(outcome.nextAction.fields)).toEqual(Object.entries(fields))
    },
  )

  test('a form goes to the address of the settings', async () => {
    const unionpay_form_url = 'https://gateway.test.95516.com/gateway/api/frontTransReq.do'
    expect(await given('upacp_pc', fields, { settings: { unionpay_form_url } })).toMatchObject({
      nextAction: { action: unionpay_form_url },
    })
  })
})

const direct = {
  channel_url: 'https://openapi.alipay.com/gateway.do',
  app_id: '2016',
  biz_content: '{"subject":"测试 & 商品"}',
  notify_url: 'https://notify.pingxx.com/notify/charges/ch_1',
  sign: 'a+b/c==',
}

async function addressOf(product: string, value: unknown): Promise<string> {
  const outcome = await given(product, value)
  assert(outcome.kind === 'created', `created, found ${JSON.stringify(outcome)}`)
  assert(outcome.nextAction.type === 'redirect', 'a redirect is given')
  return outcome.nextAction.url
}

describe.each(['alipay_pc_direct', 'alipay_wap'])('%s', (product) => {
  test('pingpp checklist 25: leads to channel_url, with every other field encoded', async () => {
    expect(await addressOf(product, direct)).toBe(
      'https://openapi.alipay.com/gateway.do?app_id=2016' +
        '&biz_content=%7B%22subject%22%3A%22%E6%B5%8B%E8%AF%95%20%26%20%E5%95%86%E5%93%81%22%7D' +
        '&notify_url=https%3A%2F%2Fnotify.pingxx.com%2Fnotify%2Fcharges%2Fch_1' +
        '&sign=a%2Bb%2Fc%3D%3D',
    )
  })

  test('pingpp checklist 25: without channel_url it leads to the old gateway', async () => {
    const { channel_url: _, ...others } = direct
    expect(await addressOf(product, others)).toStartWith(
      'https://mapi.alipay.com/gateway.do?app_id',
    )
  })

  test.each(['alipay.wap.create.direct.pay.by.user', 'create_direct_pay_by_user'])(
    'the old service %s is told its charset once',
    async (service) => {
      for (const charset of [{}, { _input_charset: 'utf-8' }]) {
        const url = await addressOf(product, { service, ...charset, sign: 'x' })
        expect(url.match(/_input_charset=utf-8/g)).toHaveLength(1)
      }
      expect(await addressOf(product, direct)).not.toContain('_input_charset')
    },
  )

  test.each([
    'http://openapi.alipay.com/gateway.do',
    'javascript:alert(1)//',
    'https://10.0.0.1/gateway.do',
    'https://user@openapi.alipay.com/gateway.do',
    'gateway.do',
  ])('does not lead to %s', async (channel_url) => {
    expect(await given(product, { ...direct, channel_url })).toEqual({
      kind: 'unknown',
      cause: 'the answer holds no credential',
    })
  })
})

describe('a credential that cannot be used is no credential', () => {
  const unusable: readonly unknown[] = [undefined, null, {}, { a: [] }, { a: null }, '', 7, true]

  test.each(PRODUCTS)('%s %s', async (_wallet, _method, product) => {
    for (const value of [...unusable, []]) {
      expect((await given(product, value)).kind).toBe('unknown')
    }
  })

  test.each(PRODUCTS)('pingpp checklist 26: of %s %s given as []', async (_w, _m, product) => {
    for (const credential of [[], {}, null, undefined, '']) {
      expect(await outcomeOf(product, credential)).toEqual({
        kind: 'unknown',
        cause: 'the answer holds no credential',
      })
    }
  })

  test.each([
    ['alipay', { orderInfo: '' }],
    ['wx', { ...SDK.wx, sign: undefined }],
    ['wx_pub', { ...SDK.wx_pub, package: undefined }],
    ['wx_lite', { ...SDK.wx_pub, paySign: '' }],
    ['upacp', { mode: '00' }],
    ['upacp_pc', { orderId: 'x' }],
    ['alipay_wap', { app_id: '2016' }],
    ['wx_wap', 'weixin://wap/pay'],
  ])('%s without what makes it one: %p', async (product, value) => {
    expect((await given(product, value)).kind).toBe('unknown')
  })
})
