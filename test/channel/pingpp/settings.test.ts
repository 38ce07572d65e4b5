import { describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { pingpp } from '#channel/pingpp/index'
import { checkAccount, settingsSchema } from '#channel/pingpp/settings'
import { keyOf, publicOf } from '../support.ts'
import {
  app,
  buildChannel,
  defaultKeys,
  liveSecret,
  merchantPem,
  reference,
  testKeys,
  testSecret,
  vendorPem,
} from './support.ts'

const settings = { app }
const without = (purpose: string) => defaultKeys.filter((key) => key.purpose !== purpose)
const withSecret = (value: string) => [...without('api_secret'), keyOf('api_secret', 's', value)]

describe('accounts', () => {
  test('a complete account has no problem, in either mode', () => {
    expect(checkAccount(settings, defaultKeys)).toEqual([])
    expect(checkAccount({ app, mode: 'live' }, defaultKeys)).toEqual([])
    expect(checkAccount({ app, mode: 'test' }, testKeys)).toEqual([])
  })

  test.each(['api_secret', 'merchant_private', 'vendor_public'])(
    'needs a key for %s',
    (purpose) => {
      expect(checkAccount(settings, without(purpose)).join()).toContain(purpose)
    },
  )

  test('pingpp checklist 3: a test secret with a live setting is refused, and the reverse', () => {
    expect(checkAccount(settings, testKeys).join()).toContain('sk_live_')
    expect(checkAccount({ app, mode: 'test' }, defaultKeys).join()).toContain('sk_test_')
    expect(() => buildChannel({ keys: testKeys })).toThrow('cannot be used')
    const both = [...defaultKeys, keyOf('api_secret', 'other', testSecret)]
    expect(checkAccount(settings, both)).toHaveLength(1)
  })

  test.each([
    '',
    ' ',
    'sk_live_',
    'sk_other_abcdefghijkl',
    `${liveSecret}\n`,
    'pk_live_abcdefghijk',
  ])('the secret "%s" is none', (value) => {
    expect(checkAccount(settings, withSecret(value))).toHaveLength(1)
  })

  test('keys that are not RSA, too short, or of another purpose are refused', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const pem = String(weak.publicKey.export({ type: 'spki', format: 'pem' }))
    for (const key of [
      keyOf('vendor_public', 'x', ''),
      keyOf('vendor_public', 'x', 'AAAA'),
      keyOf('vendor_public', 'x', pem),
      keyOf('merchant_private', 'x', publicOf(vendorPem)),
      keyOf('symmetric', 'x', 'k'.repeat(32)),
      keyOf('vendor_root', 'x', pem),
    ]) {
      expect(checkAccount(settings, [...defaultKeys, key])).toHaveLength(1)
    }
  })

  test('our own public key in place of the vendor’s is refused', () => {
    for (const value of [publicOf(merchantPem), merchantPem]) {
      const keys = [...defaultKeys, keyOf('vendor_public', 'own', value)]
      expect(checkAccount(settings, keys).join()).toContain('is our own')
    }
  })

  test('more keys of the vendor than a callback may try are refused', () => {
    const key = (index: number) => keyOf('vendor_public', `k${index}`, publicOf(vendorPem))
    const keys = (count: number) => Array.from({ length: count }, (_, index) => key(index))
    expect(checkAccount(settings, [...without('vendor_public'), ...keys(8)])).toEqual([])
    expect(checkAccount(settings, [...without('vendor_public'), ...keys(9)])).toHaveLength(1)
  })

  test.each([
    {},
    { app: 'x' },
    { app: 7 },
    { app, mode: 'sandbox' },
    { app, mode: null },
    { app, base_url: 'https://api.pingxx.com/v1' },
    { app, base_url: 'file:///etc' },
    { app, unionpay_form_url: 'javascript:alert(1)' },
    { app, answer_signature: false },
    { app, answer_signature: 'never' },
    { app, verify: false },
    null,
  ])('refuses the settings %p', (value) => {
    expect(checkAccount(value, defaultKeys).length).toBeGreaterThan(0)
  })

  test('pingpp checklist 1: the defaults are the vendor’s own addresses, checked strictly', () => {
    expect(settingsSchema.parse(settings)).toEqual({
      app,
      mode: 'live',
      base_url: 'https://api.pingxx.com',
      unionpay_form_url: 'https://gateway.95516.com/gateway/api/frontTransReq.do',
      answer_signature: 'required',
    })
  })

  test('the strategy knows the identity and the merchant number', () => {
    expect(pingpp.identity(settings)).toEqual({ app })
    expect(buildChannel().channel.identity).toEqual({ app })
    expect(pingpp.vendorMerchant(settings)).toEqual({ vendor: 'pingpp', number: app })
    expect(pingpp.channelName).toBe('pingpp')
  })

  test('pingpp checklist 2: problems and errors never repeat a key', () => {
    const keys = [
      keyOf('api_secret', 'a', testSecret),
      keyOf('merchant_private', 'b', merchantPem.replace('BEGIN', 'BEGUN')),
      keyOf('vendor_public', 'c', merchantPem),
    ]
    const texts = [checkAccount(settings, keys).join(), inspect(keys), JSON.stringify(keys)]
    try {
      buildChannel({ keys })
    } catch (error) {
      texts.push(inspect(error))
    }
    expect(texts).toHaveLength(4)
    for (const text of texts) {
      expect(text).not.toContain(testSecret)
      expect(text).not.toContain(merchantPem.slice(40, 100))
    }
  })

  test('a secret or key of ours that has ended is trouble, not a refusal', async () => {
    for (const purpose of ['api_secret', 'merchant_private']) {
      const keys = defaultKeys.map((key) =>
        key.purpose === purpose ? { ...key, validUntil: new Date(0) } : key,
      )
      const built = buildChannel({ keys })
      const asked = built.channel.queryPayment(reference, built.record)
      const [outcome] = await Promise.allSettled([asked])
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'ChannelUnavailable' } })
    }
  })
})
