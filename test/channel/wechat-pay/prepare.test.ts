import { describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { cny } from '#domain/money'
import type { PaymentRequest } from '#channel/channel'
import { paymentId } from '../support.ts'
import { buildChannel, notifiedAt, requestOf } from './support.ts'

const inSeconds = (seconds: number): Date => new Date((notifiedAt + seconds) * 1000)

function prepare(changes: Partial<PaymentRequest> = {}, localHosts: readonly string[] = []) {
  const { channel } = buildChannel({ deps: { localHosts } })
  return channel.preparePayment(requestOf(changes))
}

function bodyOf(changes: Partial<PaymentRequest> = {}): unknown {
  const outcome = prepare(changes)
  assert(outcome.kind === 'prepared', `prepared, found ${JSON.stringify(outcome)}`)
  return JSON.parse(outcome.prepared.body)
}

const refusalOf = (changes: Partial<PaymentRequest>): string => {
  const outcome = prepare(changes)
  return outcome.kind === 'refused' ? outcome.message : 'prepared'
}

describe('preparing', () => {
  test('builds the documented body and sends nothing', () => {
    expect(bodyOf()).toEqual({
      appid: 'wxd678efh567hg6787',
      mchid: '1900000109',
      description: 'Image形象店-深圳腾大-QQ公仔',
      out_trade_no: paymentId,
      time_expire: '2026-03-14T09:30:03+08:00',
      notify_url: 'https://pay.example.com/callback/a',
      amount: { total: 10_000, currency: 'CNY' },
    })
  })

  test('is the same bytes for the same request', () => {
    expect(prepare()).toEqual(prepare())
  })

  test.each(['jsapi', 'mini_program'] as const)('%s names the payer', (method) => {
    expect(bodyOf({ method })).toMatchObject({ payer: { openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' } })
  })

  test('wechatpay checklist 39: H5 carries the address of the customer and its type', () => {
    expect(bodyOf({ method: 'h5', clientIp: '2001:db8::1' })).toMatchObject({
      scene_info: { payer_client_ip: '2001:db8::1', h5_info: { type: 'Wap' } },
    })
  })

  test('wechatpay checklist 31: whole fen of at least one, as an integer', () => {
    expect(refusalOf({ amount: cny(0n) })).toContain('amount')
    expect(refusalOf({ amount: cny(-1n) })).toContain('amount')
    expect(bodyOf({ amount: cny(1n) })).toMatchObject({ amount: { total: 1 } })
    expect(bodyOf({ amount: cny(1999n) })).toMatchObject({ amount: { total: 1999 } })
    expect(refusalOf({ amount: cny(2n ** 53n) })).toContain('amount')
  })

  test('wechatpay checklist 32: the number is ours, 26 safe characters', () => {
    expect(bodyOf()).toMatchObject({ out_trade_no: expect.stringMatching(/^[0-9A-Za-z]{26}$/) })
  })

  test('wechatpay checklist 33: description and notify_url are measured in characters', () => {
    expect(refusalOf({ subject: '公'.repeat(127) })).toBe('prepared')
    expect(refusalOf({ subject: '😀'.repeat(127) })).toBe('prepared')
    expect(refusalOf({ subject: '公'.repeat(128) })).toContain('subject')
    expect(refusalOf({ subject: ' ' })).toContain('subject')
    const long = `https://pay.example.com/${'a'.repeat(231)}`
    expect(refusalOf({ callbackUrl: long })).toBe('prepared')
    expect(refusalOf({ callbackUrl: `${long}a` })).toContain('callback_url')
  })

  test.each([
    'http://pay.example.com/callback/a',
    'https://pay.example.com/callback/a?b=1',
    'https://pay.example.com/callback/a#b',
    'https://localhost/callback/a',
    'https://10.0.0.1/callback/a',
    'ftp://pay.example.com/',
    'callback/a',
    '',
  ])('wechatpay checklist 33: refuses the address "%s" for callbacks', (callbackUrl) => {
    expect(refusalOf({ callbackUrl })).toContain('callback_url')
  })

  test('a local host may be called back by plain http', () => {
    const callbackUrl = 'http://127.0.0.1:8080/callback/a'
    expect(prepare({ callbackUrl }, ['127.0.0.1:8080']).kind).toBe('prepared')
    expect(prepare({ callbackUrl }, ['127.0.0.1:8081']).kind).toBe('refused')
  })

  test.each([
    [59, false],
    [60, true],
    [7 * 86_400, true],
    [7 * 86_400 + 1, false],
  ])('wechatpay checklist 34: a deadline in %i seconds is taken: %p', (seconds, isTaken) => {
    expect(prepare({ expiresAt: inSeconds(seconds) }).kind).toBe(isTaken ? 'prepared' : 'refused')
  })

  test.each(['jsapi', 'mini_program'] as const)('%s needs the open id of the payer', (method) => {
    const { payerOpenId: _, ...request } = requestOf({ method })
    expect(buildChannel().channel.preparePayment(request).kind).toBe('refused')
    expect(refusalOf({ method, payerOpenId: '' })).toContain('payer_open_id')
    expect(refusalOf({ method, payerOpenId: 'x'.repeat(129) })).toContain('payer_open_id')
  })

  test('H5 needs the address of the customer', () => {
    expect(refusalOf({ method: 'h5', clientIp: 'unknown' })).toContain('client_ip')
  })

  test.each(['page', 'wap'] as const)('there is no product for %s', (method) => {
    expect(refusalOf({ method })).toContain('method')
  })

  test('wechatpay checklist 36: credentials live 2 h, those of H5 5 min', () => {
    expect(buildChannel().channel.capabilities.credentialSeconds).toEqual({
      qr: 7200,
      jsapi: 7200,
      mini_program: 7200,
      app: 7200,
      h5: 300,
    })
  })
})
