import { describe, expect, test } from 'bun:test'
import { alipay } from '#channel/alipay/index'
import type { AccountKey } from '#channel/account'
import derived from '../../fixture/alipay/derived.json'
import certificates from '../../fixture/alipay/certificate.json'
import { keyOf, publicOf } from '../support.ts'
import {
  appId,
  buildChannel,
  defaultKeys,
  merchantKey,
  newPem,
  otherPem,
  sellerId,
  vendorPem,
} from './support.ts'
import { issue } from './issued.ts'

const settings = { app_id: appId, seller_id: sellerId }
const problems = (keys: readonly AccountKey[], more: object = {}): readonly string[] =>
  alipay.checkAccount({ ...settings, ...more }, keys)

const own = keyOf('merchant_private', 'app', merchantKey)
const vendor = keyOf('vendor_public', 'alipay', publicOf(vendorPem))

describe('settings', () => {
  test('the least is enough, and the rest has the vendor’s own values', () => {
    expect(alipay.settingsSchema.parse(settings)).toEqual({
      app_id: appId,
      seller_id: sellerId,
      gateway_url: 'https://openapi.alipay.com/gateway.do',
      key_mode: 'public_key',
      page_request: 'form',
      wap_request: 'form',
      qr_product_code: 'FACE_TO_FACE_PAYMENT',
    })
    expect(problems(defaultKeys)).toEqual([])
  })

  test.each([
    [{ app_id: '' }, 'app_id'],
    [{ app_id: 'wx1' }, 'app_id'],
    [{ seller_id: '2088' }, 'seller_id'],
    [{ seller_id: '1088000000000001' }, 'seller_id'],
    [{ gateway_url: 'https://a.example/gateway.do?x=1' }, 'gateway_url'],
    [{ gateway_url: 'ftp://a.example' }, 'gateway_url'],
    [{ key_mode: 'none' }, 'key_mode'],
    [{ page_request: 'get' }, 'page_request'],
    [{ op_app_id: 'x' }, 'op_app_id'],
    [{ another: 1 }, '(all)'],
  ])('%p is refused', (changes, field) => {
    expect(problems(defaultKeys, changes)[0]).toStartWith(`settings ${field}`)
  })

  test('name the account to everybody', () => {
    expect(alipay.identity(settings)).toEqual(settings)
    expect(alipay.vendorMerchant(settings)).toEqual({ vendor: 'alipay', number: sellerId })
  })
})

describe('keys in public-key mode', () => {
  test('alipay checklist 11: the app’s own public key in the place of Alipay’s is found', () => {
    const [problem = ''] = problems([own, keyOf('vendor_public', 'x', derived.publicKey)])
    expect(problem).toContain("the app's own")
    const other = keyOf('merchant_private', 'old', otherPem)
    const both = [own, other, vendor, keyOf('vendor_public', 'y', publicOf(otherPem))]
    expect(problems(both)).toHaveLength(1)
  })

  test.each([
    ['no key', [], ['no key for merchant_private', 'no key for vendor_public']],
    ['no private key', [vendor], ['no key for merchant_private']],
    [
      'a private key in the place of the public one',
      [own, keyOf('vendor_public', 'x', vendorPem)],
      ['vendor_public key x is not RSA in PEM or base64'],
    ],
    [
      'a public key in the place of the private one',
      [keyOf('merchant_private', 'x', publicOf(otherPem)), vendor],
      ['merchant_private key x is not RSA in PEM or base64'],
    ],
    [
      'a key for AES that is none',
      [own, vendor, keyOf('symmetric', 'aes', 'abc')],
      ['symmetric key aes is not base64 of 16 bytes'],
    ],
    [
      'a secret',
      [own, vendor, keyOf('api_secret', 's', 'abc')],
      ['key s has a purpose that Alipay does not use'],
    ],
  ] satisfies [string, AccountKey[], string[]][])('%s', (_, keys, expected) => {
    expect(problems(keys)).toEqual(expected)
  })

  test('short keys are refused, on both sides', () => {
    const short = newPem(1024)
    expect(
      problems([
        keyOf('merchant_private', 'a', short),
        keyOf('vendor_public', 'b', publicOf(newPem(1024))),
      ]),
    ).toEqual([
      'merchant_private key a is shorter than 2048 bits',
      'vendor_public key b is shorter than 2048 bits',
    ])
  })

  test('problems never repeat a key', () => {
    const keys = [keyOf('merchant_private', 'a', 'SECRET'), keyOf('symmetric', 'b', 'SECRET')]
    expect(JSON.stringify(problems(keys))).not.toContain('SECRET')
  })

  test('an account with problems is never a channel', () => {
    expect(() => buildChannel({ keys: [vendor] })).toThrow('no key for merchant_private')
  })
})

describe('keys in certificate mode', () => {
  const mode = { key_mode: 'certificate' }

  test('the account needs its own certificate and the root bundle', () => {
    expect(problems(defaultKeys, mode)).toEqual([
      'no key for merchant_certificate',
      'no key for vendor_root',
      'key_mode certificate needs a certificate, vendor_public key alipay is none',
    ])
  })

  test('the published files make an account but for their private key', async () => {
    const app = await issue('app')
    const good = [
      keyOf('merchant_private', 'app', app.privatePem),
      keyOf('merchant_certificate', app.serial, app.pem),
      keyOf('vendor_public', 'platform', certificates.platform),
      keyOf('vendor_root', 'root', certificates.rootBundle),
    ]
    expect(problems(good, mode)).toEqual([])
    expect(
      problems(
        [
          ...good.slice(0, 1),
          keyOf('merchant_certificate', 'c', certificates.app),
          ...good.slice(2),
        ],
        mode,
      ),
    ).toEqual(['merchant_certificate c belongs to no merchant_private key'])
    const [sm2 = ''] = certificates.rootBundle.split('\n\n')
    expect(problems([...good.slice(0, 3), keyOf('vendor_root', 'r', sm2)], mode)).toEqual([
      'vendor_root key r holds no RSA certificate; take alipayRootCert.crt as downloaded',
    ])
  })
})
