import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { verify as verifyRsa } from 'node:crypto'
import { formatYuan, cny, parseYuan } from '#domain/money'
import { assert } from '#domain/assert'
import { parsePaymentId } from '#domain/id'
import type { PaymentRequest } from '#channel/channel'
import { importSigningKey } from '#channel/crypto'
import { signParams } from '#channel/alipay/signature'
import derived from '../../fixture/alipay/derived.json'
import { paymentId, publicOf } from '../support.ts'
import { buildChannel, merchantPem, now, requestOf, without } from './support.ts'
import type { Fields } from './support.ts'
import { create } from './vendor.ts'

const { channel } = buildChannel()

/** The business fields that would be sent; a refusal as its message. */
function orderOf(changes: Partial<PaymentRequest>, settings: Fields = {}) {
  const outcome = buildChannel({ settings }).channel.preparePayment(requestOf(changes))
  if (outcome.kind === 'refused') return outcome.message
  const content = new URLSearchParams(outcome.prepared.body).get('biz_content') ?? ''
  const order: unknown = JSON.parse(content)
  return order
}

const messageOf = (changes: Partial<PaymentRequest>): string => {
  const outcome = channel.preparePayment(requestOf(changes))
  return outcome.kind === 'refused' ? outcome.message : 'prepared'
}

const inSeconds = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)

/** What the vendor receives: of an address its query, of a form its fields too. */
async function received(changes: Partial<PaymentRequest>, settings: Fields = {}) {
  const outcome = await create(buildChannel({ settings }), changes)
  assert(outcome.kind === 'created', 'page, wap and app are always handed out')
  const action = outcome.nextAction
  switch (action.type) {
    case 'form':
      return { ...queryOf(action.action), ...action.fields }
    case 'redirect':
      return queryOf(action.url)
    case 'sdk':
      return queryOf(`?${action.params['orderString'] ?? ''}`)
    case 'qr_code':
      return {}
    default:
      return action satisfies never
  }
}

const queryOf = (url: string): Fields =>
  Object.fromEntries(new URLSearchParams(url.slice(url.indexOf('?') + 1)))

/** The vendor's check of a request, written again. */
function isSigned(fields: Fields): boolean {
  const text = Object.entries(without(fields, 'sign'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const signature = Buffer.from(fields['sign'] ?? '', 'base64')
  return verifyRsa('sha256', Buffer.from(text), publicOf(merchantPem), signature)
}

describe('alipay checklist 35: each product has its code', () => {
  test.each([
    ['page', 'FAST_INSTANT_TRADE_PAY', 'alipay.trade.page.pay'],
    ['wap', 'QUICK_WAP_WAY', 'alipay.trade.wap.pay'],
    ['app', 'QUICK_MSECURITY_PAY', 'alipay.trade.app.pay'],
  ] as const)('%s: %s', async (method, product, api) => {
    const fields = await received({ method })
    expect(fields['method']).toBe(api)
    expect(JSON.parse(fields['biz_content'] ?? '')).toMatchObject({ product_code: product })
  })

  test('a code for scanning is of the product that the account has', () => {
    expect(orderOf({ method: 'qr' })).toMatchObject({ product_code: 'FACE_TO_FACE_PAYMENT' })
    expect(orderOf({ method: 'qr' }, { qr_product_code: 'QR_CODE_OFFLINE' })).toMatchObject({
      product_code: 'QR_CODE_OFFLINE',
    })
  })
})

describe('what is ordered', () => {
  test('alipay checklist 36: every order carries its deadline, in Beijing time', () => {
    for (const method of channel.capabilities.methods) {
      const payerOpenId = '2088722003899169'
      expect(orderOf({ method, payerOpenId })).toMatchObject({
        out_trade_no: paymentId,
        total_amount: '88.88',
        subject: '测试 商品+A',
        time_expire: '2026-02-01 00:14:59',
      })
    }
    // Ours ends later than the vendor's.
    expect(channel.capabilities.closeMarginSeconds).toBeGreaterThan(0)
  })

  test('alipay checklist 53: `passback_params` is not used at all', () => {
    for (const method of channel.capabilities.methods) {
      const payerOpenId = '2088722003899169'
      expect(JSON.stringify(orderOf({ method, payerOpenId }))).not.toContain('passback_params')
    }
  })

  test.each([
    ['2088722003899169', {}, { op_app_id: '2021000000000001', buyer_id: '2088722003899169' }],
    [
      '01501o8f93I3nJAGB1',
      {},
      { op_app_id: '2021000000000001', buyer_open_id: '01501o8f93I3nJAGB1' },
    ],
    [
      '01501o8f93I3nJAGB1',
      { op_app_id: '2021000000000009' },
      { op_app_id: '2021000000000009', op_buyer_open_id: '01501o8f93I3nJAGB1' },
    ],
  ])('the payer %s of the settings %p is named as the app knows them', (payer, settings, names) => {
    const order = orderOf({ method: 'mini_program', payerOpenId: payer }, settings)
    expect(order).toMatchObject({ ...names, product_code: 'JSAPI_PAY' })
    expect(Object.keys(order ?? {}).filter((name) => name.includes('buyer'))).toHaveLength(1)
  })

  test('a wap page leads back to the shop when the buyer leaves', () => {
    expect(orderOf({ method: 'wap' })).toMatchObject({
      quit_url: 'https://pay.example.com/return/a/p',
    })
  })
})

describe('alipay checklist 9: amounts', () => {
  test.each([
    [1n, '0.01'],
    [8888n, '88.88'],
    [10_000_000_000n, '100000000.00'],
  ])('%p fen are sent as the text %s', (minor, text) => {
    expect(orderOf({ amount: cny(minor) })).toMatchObject({ total_amount: text })
  })

  test.each([0n, -1n, 10_000_000_001n])('%p fen are refused', (minor) => {
    expect(messageOf({ amount: cny(minor) })).toStartWith('amount: ')
  })

  test('every amount comes back as it was sent', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10_000_000_000n }), (minor) => {
        const order = orderOf({ amount: cny(minor) })
        const sent = JSON.stringify(order).match(/"total_amount":"(\d+\.\d\d)"/)?.[1] ?? ''
        expect(sent).toBe(formatYuan(cny(minor)))
        expect(parseYuan(sent)?.minor).toBe(minor)
      }),
      { numRuns: 30 },
    )
  })
})

describe('what the vendor would refuse is refused before it is sent', () => {
  test('alipay checklist 12: a number with other characters', () => {
    for (const id of ['p-1', 'p 1', '', 'p/1', 'p'.repeat(65), 'pé']) {
      // A payment's id has 26 letters and digits; another is forced in here.
      const request = { ...requestOf(), paymentId: JSON.parse(JSON.stringify(id)) }
      expect(channel.preparePayment(request)).toMatchObject({ kind: 'refused' })
    }
    expect(parsePaymentId(paymentId)).toBe(paymentId)
    expect(messageOf({})).toBe('prepared')
  })

  test.each([
    ['a/b', false],
    ['a=b', false],
    ['a&b', false],
    ['', false],
    ['  ', false],
    ['商'.repeat(256), true],
    ['商'.repeat(257), false],
    ['😀'.repeat(256), true],
    ['a+b %2F "x" \\ <b>', true],
  ])('alipay checklist 13: the subject %p', (subject, isGood) => {
    expect(messageOf({ subject }) === 'prepared').toBe(isGood)
  })

  test.each([
    ['page', 59, false],
    ['page', 60, true],
    ['page', 15 * 86_400, true],
    ['page', 15 * 86_400 + 1, false],
    ['qr', 60, true],
    ['wap', 299, false],
    ['wap', 300, true],
    ['app', 299, false],
    ['app', 300, true],
  ] as const)('%s with a deadline in %p s', (method, seconds, isGood) => {
    expect(messageOf({ method, expiresAt: inSeconds(seconds) }) === 'prepared').toBe(isGood)
  })

  test.each([
    [{ method: 'h5' }, 'method: '],
    [{ callbackUrl: 'https://pay.example.com/c?x=1' }, 'callback_url: '],
    [{ callbackUrl: 'http://10.0.0.1/c' }, 'callback_url: '],
    [{ callbackUrl: `https://pay.example.com/${'c'.repeat(256)}` }, 'callback_url: '],
    [{ returnUrl: 'https://pay.example.com/r?x=1' }, 'return_url: '],
    [{ method: 'jsapi' }, 'payer_open_id: '],
    [{ method: 'mini_program', payerOpenId: 'a b' }, 'payer_open_id: '],
    [{ method: 'jsapi', payerOpenId: 'a'.repeat(129) }, 'payer_open_id: '],
  ] as const)('%p', (changes, start) => {
    expect(messageOf(changes)).toStartWith(start)
  })
})

describe('what is handed out', () => {
  const ways = [
    ['page', {}],
    ['page', { page_request: 'redirect' }],
    ['wap', {}],
    ['wap', { wap_request: 'redirect' }],
    ['app', {}],
  ] as const

  test.each(ways)('%s with %p carries what was signed, raw', async (method, settings) => {
    const fields = await received({ method, callbackUrl: 'https://pay.example.com/a+b' }, settings)
    expect(isSigned(fields)).toBe(true)
    expect(isSigned({ ...fields, notify_url: 'https://pay.example.com/a b' })).toBe(false)
    expect(fields).toMatchObject({
      app_id: '2021000000000001',
      charset: 'utf-8',
      timestamp: '2026-01-31 23:59:59',
      notify_url: 'https://pay.example.com/a+b',
      ...(method === 'app' ? {} : { return_url: 'https://pay.example.com/return/a/p' }),
    })
  })

  test('alipay checklist 5: values are signed raw and escaped only to be sent (D1)', async () => {
    const key = await importSigningKey(merchantPem)
    assert(key !== undefined, 'K-D is a private key')
    const [query = '', body = ''] = derived.d1.sent
    const sent = { ...queryOf(`?${query}`), ...queryOf(`?${body}`) }
    expect(sent['notify_url']).toBe('https://pay.example.com/n?x=1&y=a+b')
    expect((await signParams(key, sent))['sign']).toBe(derived.d1.sign)
    expect(isSigned(sent)).toBe(true)
  })

  test('alipay checklist 6: a repeat sends the very text that was stored', async () => {
    const built = buildChannel({ settings: { page_request: 'form' } })
    const outcome = built.channel.preparePayment(requestOf())
    assert(outcome.kind === 'prepared', 'the request is good')
    const again = channel.preparePayment(requestOf())
    expect(again).toEqual(outcome)
    const fields = await received({})
    const stored = new URLSearchParams(outcome.prepared.body).get('biz_content')
    expect(fields['biz_content']).toBe(stored ?? '')
  })

  test.each(['page', 'wap', 'app'] as const)(
    'alipay checklist 33: %s makes no call to the vendor',
    async (method) => {
      let calls = 0
      const deps = {
        fetch: () => {
          calls += 1
          return Promise.reject(new Error('no call was expected'))
        },
      }
      const built = buildChannel({ deps })
      expect((await create(built, { method })).kind).toBe('created')
      expect([calls, built.exchanges.length]).toEqual([0, 0])
    },
  )

  test('alipay checklist 7: `charset` stands in the query, as it was signed', async () => {
    const outcome = await create(buildChannel(), { method: 'page' })
    assert(outcome.kind === 'created' && outcome.nextAction.type === 'form', 'page is a form')
    expect(queryOf(outcome.nextAction.action)['charset']).toBe('utf-8')
    expect(Object.keys(outcome.nextAction.fields)).toEqual(['biz_content'])
  })

  test('a stored body that is not ours is refused and never sent', async () => {
    const body = 'biz_content=%'
    const prepared = { paymentId, method: 'page', body, returnUrl: '' } as const
    expect(await channel.createPayment(prepared, () => undefined)).toMatchObject({
      kind: 'refused',
    })
  })
})
