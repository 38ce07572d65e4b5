import { describe, expect, test } from 'bun:test'
import { readCertificates } from '#channel/certificate'
import {
  digestOf,
  digestOfNames,
  isKeyPair,
  readPrivateKey,
  readPublicKey,
  rootDigestOf,
} from '#channel/alipay/key'
import certificates from '../../fixture/alipay/certificate.json'
import derived from '../../fixture/alipay/derived.json'
import published from '../../fixture/alipay/published.json'

describe('certificates', () => {
  test.each(certificates.digests)(
    'alipay checklist 24: $name has the digest $digest',
    ({ issuer, serial, digest }) => {
      expect(digestOfNames(issuer, BigInt(serial))).toBe(digest)
    },
  )

  test('alipay checklist 24: the files give the same digests', () => {
    const [app] = readCertificates(certificates.app)
    const [platform] = readCertificates(certificates.platform)
    const listed = certificates.digests.map((row) => row.digest)
    expect(
      [app, platform, ...readCertificates(certificates.rootBundle)].map(
        (item) => item && digestOf(item),
      ),
    ).toEqual(listed.slice(0, 6))
  })

  test('alipay checklist 25: the root digest skips SM2 and ECDSA certificates', () => {
    expect(readCertificates(certificates.rootBundle)).toHaveLength(4)
    expect(rootDigestOf(certificates.rootBundle)).toBe(certificates.rootDigest)
  })

  test('the platform certificate holds the published key', () => {
    const key = readPublicKey(certificates.platform)
    expect(key?.export({ type: 'spki', format: 'der' }).toString('base64')).toBe(
      certificates.platformKey,
    )
  })
})

describe('keys', () => {
  const spaced = (text: string): string => ` ${text.replace(/.{50}/g, '$& \r\n')}\t`
  const armoured = (name: string, text: string): string =>
    `-----BEGIN ${name}-----\n${text.replace(/.{64}/g, '$&\n')}\n-----END ${name}-----`

  test.each([
    ['PKCS#8', derived.pkcs8],
    ['PKCS#1', derived.pkcs1],
    ['PKCS#8 with blanks', spaced(derived.pkcs8)],
    ['PKCS#1 with blanks', spaced(derived.pkcs1)],
    ['PKCS#8 in PEM', armoured(`${'PRIVATE'} KEY`, derived.pkcs8)],
    ['PKCS#1 in PEM', armoured(`${'RSA PRIVATE'} KEY`, derived.pkcs1)],
  ])('alipay checklist 10: %s loads to the same key', (_, text) => {
    expect(isKeyPair(text, derived.publicKey)).toBe(true)
    expect(readPrivateKey(text)?.export({ format: 'jwk' })).toEqual(
      readPrivateKey(derived.pkcs8)?.export({ format: 'jwk' }),
    )
  })

  test.each(['', 'x', 'AAAA', published.r1.publicKey])('%p is no private key', (text) => {
    expect(readPrivateKey(text)).toBeUndefined()
  })
})
