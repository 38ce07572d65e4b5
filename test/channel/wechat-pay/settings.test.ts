import { describe, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { checkAccount, hostsOf, settingsSchema } from '#channel/wechat-pay/settings'
import { clockAt, keyOf } from '../support.ts'
import {
  apiv3Key,
  appid,
  buildChannel,
  certificateSerial,
  defaultKeys,
  mchid,
  merchantPem,
  merchantSerial,
  publicKeyId,
  reference,
  vendorPublicPem,
} from './support.ts'
import { signed, startVendor } from './vendor.ts'

const settings = { mchid, appid }
const without = (purpose: string) => defaultKeys.filter((key) => key.purpose !== purpose)
const withSecret = (value: string) => [...without('symmetric'), keyOf('symmetric', 's', value)]

describe('accounts', () => {
  test('a complete account has no problem', () => {
    expect(checkAccount(settings, defaultKeys)).toEqual([])
  })

  test.each(['', ' ', ' '.repeat(32), '0'.repeat(32), 'short', `${apiv3Key}x`, '密'.repeat(11)])(
    'CB-11: the symmetric key "%s" cannot be enabled',
    (value) => {
      expect(checkAccount(settings, withSecret(value))).toHaveLength(1)
      expect(() => buildChannel({ keys: withSecret(value) })).toThrow('cannot be used')
    },
  )

  test.each([16, 24, 31, 33])(
    'wechatpay checklist 26: an APIv3 key of %i bytes is refused',
    (bytes) => {
      expect(checkAccount(settings, withSecret('ab'.repeat(17).slice(0, bytes)))).toHaveLength(1)
    },
  )

  test.each(['merchant_private', 'vendor_public', 'symmetric'])('needs a key for %s', (purpose) => {
    expect(checkAccount(settings, without(purpose)).join()).toContain(purpose)
  })

  test('CB-11: empty and blank RSA keys cannot be enabled', () => {
    for (const value of ['', ' ', 'AAAA', apiv3Key]) {
      const keys = [...defaultKeys, keyOf('vendor_public', 'ABCDEF', value)]
      expect(checkAccount(settings, keys)).toHaveLength(1)
    }
  })

  test('short RSA keys and foreign serials are refused', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const pem = String(weak.publicKey.export({ type: 'spki', format: 'pem' }))
    const short = [...defaultKeys, keyOf('vendor_public', 'ABCDEF', pem)]
    expect(checkAccount(settings, short).join()).toContain('2048')
    const named = [...defaultKeys, keyOf('vendor_public', 'newest key', vendorPublicPem)]
    expect(checkAccount(settings, named).join()).toContain('serial')
  })

  test('public-key mode needs a public key id, certificate mode does not', () => {
    const keys = defaultKeys.filter((key) => key.serial !== publicKeyId)
    expect(checkAccount(settings, keys).join()).toContain('PUB_KEY_ID_')
    expect(checkAccount({ ...settings, key_mode: 'certificate' }, keys)).toEqual([])
  })

  test.each([
    {},
    { mchid },
    { mchid: 'abc', appid },
    { mchid: 1_900_000_109, appid },
    { mchid, appid: 'wx"' },
    { mchid, appid, base_url: 'https://api.mch.weixin.qq.com/v3' },
    { mchid, appid, base_url: 'file:///etc' },
    { mchid, appid, key_mode: 'none' },
    { mchid, appid, verify: false },
    null,
  ])('refuses the settings %p', (value) => {
    expect(checkAccount(value, defaultKeys).length).toBeGreaterThan(0)
  })

  test('hosts are the vendor pair by default, and nothing stands behind another host', () => {
    expect(hostsOf(settingsSchema.parse(settings))).toEqual([
      'https://api.mch.weixin.qq.com',
      'https://api2.mch.weixin.qq.com',
    ])
    const base_url = 'http://127.0.0.1:8080'
    expect(hostsOf(settingsSchema.parse({ ...settings, base_url }))).toEqual([base_url])
  })

  test('the strategy knows the identity and the merchant number', () => {
    expect(strategies['wechat-pay']?.identity(settings)).toEqual({ mchid, appid })
    expect(buildChannel().channel.identity).toEqual({ mchid, appid })
    expect(strategies['wechat-pay']?.vendorMerchant(settings)).toEqual({
      vendor: 'wechat_pay',
      number: mchid,
    })
    expect(strategies['wechat-pay']?.channelName).toBe('wechat_pay')
  })

  test('wechatpay checklist 74: problems and errors never repeat a key', () => {
    const secrets = [apiv3Key, merchantPem.slice(40, 100)]
    const keys = [
      keyOf('merchant_private', merchantSerial, merchantPem.replace('BEGIN', 'BEGUN')),
      keyOf('vendor_public', certificateSerial, merchantPem.slice(10)),
      keyOf('symmetric', 's', `${apiv3Key} `),
    ]
    const texts = [checkAccount(settings, keys).join(), inspect(keys), JSON.stringify(keys)]
    try {
      buildChannel({ keys })
    } catch (error) {
      texts.push(inspect(error))
    }
    for (const text of texts) for (const secret of secrets) expect(text).not.toContain(secret)
    expect(texts).toHaveLength(4)
  })
})

test('wechatpay checklist 77: the switch to the public key and back is a new version of the row', async () => {
  await using vendor = startVendor([() => signed(200, '{}')])
  const registry = createRegistry(strategies, {
    clock: clockAt(new Date(0)),
    fetch,
    localHosts: [vendor.host],
    newNonce: () => 'n'.repeat(32),
  })
  const announced: (string | undefined)[] = []
  for (const [version, key_mode] of [
    ['1', 'certificate'],
    ['2', 'public_key'],
    ['3', 'certificate'],
  ] as const) {
    const rowSettings = { ...settings, base_url: `http://${vendor.host}`, key_mode }
    const channel = registry.get({ ...vendor.account, settings: rowSettings }, version)
    await channel.queryPayment(reference, vendor.record)
    announced.push(vendor.heard.at(-1)?.headers['wechatpay-serial'])
  }
  expect(announced).toEqual([undefined, publicKeyId, undefined])
})
