import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { cut } from '#channel/pingpp/prepare'
import { readPayment } from '#channel/pingpp/wire'
import { assert } from '#domain/assert'
import { mint } from '#domain/brand'
import type { Brand } from '#domain/brand'
import { WALLETS } from '#domain/method'
import { cny } from '#domain/money'
import { paymentId } from '../support.ts'
import { PRODUCTS, app, buildChannel, requestOf, signedAt, vendorPayment } from './support.ts'

const { channel } = buildChannel()

function bodyOf(changes: Parameters<typeof requestOf>[0] = {}): Record<string, unknown> {
  const outcome = channel.preparePayment(requestOf(changes))
  assert(outcome.kind === 'prepared', `prepared, found ${JSON.stringify(outcome)}`)
  const body: unknown = JSON.parse(outcome.prepared.body)
  assert(typeof body === 'object' && body !== null, 'the body is an object')
  return { ...body }
}

function refusedField(changes: Parameters<typeof requestOf>[0]): string {
  const outcome = channel.preparePayment(requestOf(changes))
  return outcome.kind === 'refused' ? (outcome.message.split(':')[0] ?? '') : 'prepared'
}

const inSeconds = (seconds: number): Date => new Date((signedAt + seconds) * 1000)

describe('the body', () => {
  test('is the one of the dossier, with a deadline', () => {
    expect(JSON.stringify(bodyOf())).toBe(
      `{"order_no":"${paymentId}","app":{"id":"${app}"},"channel":"alipay_qr","amount":12800,` +
        '"client_ip":"14.23.150.211","currency":"cny","subject":"测试商品","body":"测试商品",' +
        `"extra":{},"time_expire":${signedAt + 900}}`,
    )
  })

  test.each(PRODUCTS)('%s %s is the product %s', (wallet, method, product) => {
    expect(bodyOf({ wallet, method })).toMatchObject({ channel: product })
    const outcome = channel.preparePayment(requestOf({ wallet, method }))
    expect(outcome).toMatchObject({ prepared: { vendorProduct: product, method } })
  })

  test('capabilities list these products and no others', () => {
    const { methods, wallets } = channel.capabilities
    const listed = WALLETS.flatMap((wallet) =>
      (wallets?.[wallet] ?? []).map((method) => `${wallet} ${method}`),
    )
    expect(listed.toSorted()).toEqual(PRODUCTS.map(([w, m]) => `${w} ${m}`).toSorted())
    expect(new Set(methods)).toEqual(new Set(PRODUCTS.map(([, method]) => method)))
  })

  const returnUrl = 'https://pay.example.com/return/a/p'
  const open_id = 'o7xEMsySBFG3MVHI-9VsAJX-j50W'

  test.each([
    ['alipay_pc_direct', { success_url: returnUrl }],
    ['alipay_wap', { success_url: returnUrl }],
    ['alipay_qr', {}],
    ['alipay', {}],
    ['wx_pub', { open_id }],
    ['wx_pub_qr', { product_id: paymentId }],
    ['wx_lite', { open_id }],
    ['wx_wap', { result_url: returnUrl }],
    ['wx', {}],
    ['upacp_pc', { result_url: returnUrl }],
    ['upacp_wap', { result_url: returnUrl }],
    ['upacp', {}],
    ['upacp_qr', {}],
  ])('pingpp checklist 22: %s sends its extra keys', (product, extra) => {
    const [wallet, method] = PRODUCTS.find(([, , name]) => name === product) ?? []
    assert(wallet !== undefined && method !== undefined, 'the product is one of ours')
    expect(bodyOf({ wallet, method })['extra']).toEqual(extra)
  })

  test('pingpp checklist 19: every amount is an integer of fen, and comes back as it went', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }), (minor) => {
        const outcome = channel.preparePayment(requestOf({ amount: cny(minor) }))
        assert(outcome.kind === 'prepared', 'a whole amount is fine')
        expect(/"amount":(\d+),/.exec(outcome.prepared.body)?.[1]).toBe(minor.toString())
        const { amount } = bodyOf({ amount: cny(minor) })
        expect(readPayment(vendorPayment({ amount }))?.facts.amountMinor).toBe(minor)
      }),
      { numRuns: 60 },
    )
  })
})

describe('texts', () => {
  const long = '测'.repeat(200)

  test('pingpp checklist 21: a subject is cut at 32 characters, the body at 128', () => {
    expect(bodyOf({ subject: long })).toMatchObject({
      subject: '测'.repeat(32),
      body: '测'.repeat(128),
    })
    expect(bodyOf({ subject: '😀'.repeat(40) })['subject']).toBe('😀'.repeat(32))
  })

  test.each(['page', 'wap', 'app', 'qr'] as const)(
    'pingpp checklist 21: a subject of UnionPay %s is cut at 32 bytes',
    (method) => {
      const subject = bodyOf({ wallet: 'unionpay', method, subject: long })['subject']
      expect(subject).toBe('测'.repeat(10))
    },
  )

  test('pingpp checklist 21: no character is split, whatever it is made of', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 32 }), (subject, max) => {
        for (const kept of [cut(subject, max), cut(subject, Infinity, max)]) {
          expect(subject.startsWith(kept)).toBe(true)
          expect(kept.isWellFormed()).toBe(subject.isWellFormed())
        }
        expect(Array.from(cut(subject, max)).length).toBeLessThanOrEqual(max)
        expect(Buffer.byteLength(cut(subject, Infinity, max))).toBeLessThanOrEqual(max)
      }),
      { numRuns: 100 },
    )
    expect(cut('a👩‍👩‍👧', 3)).toBe('a')
    expect(cut('cafe\u0301', 4)).toBe('caf')
  })

  test('a subject of which nothing is left is refused', () => {
    for (const subject of ['', ' ', '\n\t']) expect(refusedField({ subject })).toBe('subject')
    const family = '👩‍👩‍👧‍👦'.repeat(2)
    expect(refusedField({ subject: `${family}` })).toBe('prepared')
    const tower = `a${'\u0301'.repeat(40)}`
    expect(refusedField({ subject: tower })).toBe('subject')
  })
})

describe('refusing', () => {
  type Id = Brand<string, 'PaymentId'>
  const idOf = (length: number): Id => mint('p'.repeat(length))

  test.each([
    ['alipay', 1, 64],
    ['wechat_pay', 2, 32],
    ['unionpay', 8, 40],
  ] as const)(
    'pingpp checklist 20: numbers of %s have %i to %i letters and digits',
    (wallet, min, max) => {
      const outcome = (id: Id) => refusedField({ wallet, method: 'app', paymentId: id })
      for (const length of [min, max]) expect(outcome(idOf(length))).toBe('prepared')
      for (const length of [min - 1, max + 1]) expect(outcome(idOf(length))).toBe('payment_id')
      for (const odd of ['p-123456789', 'p_123456789', 'p 123456789', '支付123456789']) {
        expect(outcome(mint(odd))).toBe('payment_id')
      }
    },
  )

  test.each([0n, -1n, 2n ** 53n])('pingpp checklist 19: refuses %p fen', (minor) => {
    expect(refusedField({ amount: cny(minor) })).toBe('amount')
  })

  test.each([
    ['alipay', 15 * 86_400],
    ['wechat_pay', 7 * 86_400],
    ['unionpay', 3600],
  ] as const)('a deadline of %s lies within 1 minute and %i seconds', (wallet, max) => {
    const outcome = (seconds: number) =>
      refusedField({ wallet, method: 'app', expiresAt: inSeconds(seconds) })
    for (const seconds of [60, max]) expect(outcome(seconds)).toBe('prepared')
    for (const seconds of [-60, 0, 59, max + 1]) expect(outcome(seconds)).toBe('expires_in_s')
  })

  test('pairs that the vendor does not have are refused, and so is no wallet', () => {
    for (const [wallet, method] of [
      ['alipay', 'jsapi'],
      ['alipay', 'h5'],
      ['wechat_pay', 'page'],
      ['unionpay', 'mini_program'],
    ] as const) {
      expect(refusedField({ wallet, method })).toBe('method')
    }
    const { wallet: _, ...request } = requestOf()
    expect(channel.preparePayment(request).kind).toBe('refused')
  })

  test.each(['jsapi', 'mini_program'] as const)(
    'pingpp checklist 22: wechat_pay %s without a payer is refused',
    (method) => {
      const { payerOpenId: _, ...request } = requestOf({ wallet: 'wechat_pay', method })
      for (const payerOpenId of [undefined, '', 'o'.repeat(129)]) {
        const outcome = channel.preparePayment({
          ...request,
          ...(payerOpenId === undefined ? {} : { payerOpenId }),
        })
        expect(outcome).toMatchObject({ kind: 'refused' })
        expect(outcome.kind === 'refused' && outcome.message).toContain('payer_open_id')
      }
    },
  )

  test.each([
    'https://pay.example.com/return?a=1',
    'https://pay.example.com/return#a',
    'http://localhost:8080/return',
    'ftp://pay.example.com/return',
    'return',
    '',
  ])('the return address "%s" is refused where it is sent, and only there', (returnUrl) => {
    for (const [wallet, method, product] of PRODUCTS) {
      const isSent = /pc|wap/.test(product)
      expect(refusedField({ wallet, method, returnUrl })).toBe(isSent ? 'return_url' : 'prepared')
    }
  })

  test.each(['', 'somewhere', '1.2.3', '2001:db8::1'])(
    'the address "%s" is refused',
    (clientIp) => {
      expect(refusedField({ clientIp })).toBe('client_ip')
    },
  )

  test('an IPv4 address in the clothes of IPv6 is sent as what it is', () => {
    expect(bodyOf({ clientIp: '::ffff:14.23.150.211' })['client_ip']).toBe('14.23.150.211')
  })
})
