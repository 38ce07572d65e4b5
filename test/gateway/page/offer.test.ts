import { describe, expect, test } from 'bun:test'
import { strategies } from '#channel/strategies'
import type { Capabilities } from '#channel/channel'
import { assert } from '#domain/assert'
import type { Method, Wallet } from '#domain/method'
import { browserOf } from '#gateway/browser'
import { offerOf } from '#gateway/pay-offer'

const AGENTS = {
  wechat: 'Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.50',
  alipay: 'Mozilla/5.0 (Linux; Android 14) AlipayClient/10.5.90',
  phone: 'Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/120 Mobile Safari/537.36',
  desktop: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
} as const

test.each(Object.entries(AGENTS))('a %s browser is known by its user agent', (name, userAgent) => {
  expect<string>(browserOf(userAgent)).toBe(name)
})

test('an empty user agent is a desktop', () => expect(browserOf('')).toBe('desktop'))

const capabilities: Capabilities = (() => {
  const strategy = strategies['wechat-pay']
  assert(strategy !== undefined, 'WeChat Pay is a strategy')
  return strategy.capabilities
})()

const offer = (
  channel: string,
  method: Method,
  browser: keyof typeof AGENTS,
  options: { methods?: readonly Method[]; wallet?: Wallet; payer?: string } = {},
) => {
  const payment = { method, wallet: options.wallet ?? null, payer_open_id: options.payer ?? null }
  const offered = options.methods ?? ['qr', 'page', 'wap', 'h5', 'jsapi', 'mini_program', 'app']
  return offerOf(payment, channel, { ...capabilities, methods: offered }, browser)
}

describe('the method is chosen by the browser', () => {
  test.each([
    ['wechat_pay', 'qr', 'wechat', 'jsapi'],
    ['wechat_pay', 'h5', 'wechat', 'jsapi'],
    ['wechat_pay', 'qr', 'phone', 'h5'],
    ['wechat_pay', 'jsapi', 'phone', 'h5'],
    ['wechat_pay', 'h5', 'desktop', 'qr'],
    ['alipay', 'qr', 'alipay', 'wap'],
    ['alipay', 'page', 'phone', 'wap'],
    ['alipay', 'wap', 'desktop', 'qr'],
    ['unionpay', 'page', 'phone', 'wap'],
    ['unionpay', 'qr', 'wechat', 'wap'],
    ['unionpay', 'wap', 'desktop', 'page'],
  ] as const)('%s %s in a %s browser becomes %s', (channel, method, browser, expected) => {
    expect(offer(channel, method, browser, { payer: 'o1' })).toEqual({
      kind: 'switch',
      method: expected,
    })
  })

  test.each([
    ['wechat_pay', 'qr', 'desktop'],
    ['wechat_pay', 'jsapi', 'wechat'],
    ['wechat_pay', 'h5', 'phone'],
    ['wechat_pay', 'app', 'wechat'],
    ['wechat_pay', 'mini_program', 'desktop'],
    ['alipay', 'page', 'desktop'],
    ['alipay', 'jsapi', 'alipay'],
    ['unionpay', 'qr', 'desktop'],
  ] as const)('%s %s in a %s browser stays', (channel, method, browser) => {
    expect(offer(channel, method, browser, { payer: 'o1' })).toEqual({ kind: 'as_created' })
  })

  test.each([
    ['alipay', 'wechat'],
    ['wechat_pay', 'alipay'],
    ['unionpay', 'alipay'],
  ] as const)('%s cannot be paid in the browser of %s', (channel, browser) => {
    expect(offer(channel, 'qr', browser, { payer: 'o1' })).toEqual({ kind: 'elsewhere' })
  })

  test('without payer_open_id WeChat cannot pay in its own browser', () => {
    expect(offer('wechat_pay', 'qr', 'wechat')).toEqual({ kind: 'payer_missing' })
  })

  test('a phone keeps what the account offers when nothing suits it better', () => {
    expect(offer('wechat_pay', 'qr', 'phone', { methods: ['qr'] })).toEqual({ kind: 'as_created' })
  })

  test('the wallet behind an aggregator decides, with the methods of that wallet', () => {
    const wallets = { alipay: ['qr'], wechat_pay: ['qr', 'jsapi'], unionpay: ['wap'] } as const
    const payment = { method: 'qr', wallet: 'wechat_pay', payer_open_id: 'o1' } as const
    const behind = { ...capabilities, wallets }
    expect(offerOf(payment, 'pingpp', behind, 'wechat')).toEqual({
      kind: 'switch',
      method: 'jsapi',
    })
    expect(offerOf(payment, 'pingpp', behind, 'phone')).toEqual({ kind: 'as_created' })
    expect(offerOf({ ...payment, wallet: null }, 'pingpp', behind, 'wechat')).toEqual({
      kind: 'as_created',
    })
  })
})
