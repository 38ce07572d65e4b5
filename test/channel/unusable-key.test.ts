import { describe, expect, test } from 'bun:test'
import { X509Certificate, createSecretKey } from 'node:crypto'
import { openContent, sealContent } from '#channel/alipay/key'
import { isTrusted, readCertificates } from '#channel/certificate'
import { verify } from '#channel/crypto-native'
import { readCertificate } from '#channel/wechat-pay/key'
import { mint } from '#domain/brand'
import { makeVendorKeys } from '../emulator/wechat-pay/keys.ts'

const NOTHING = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const
/** rsaEncryption, and a number that stands for no algorithm at all. */
const RSA_OID = '2a864886f70d010101'
const NO_OID = '2a864886f70d01017f'

/** A certificate authority that signed itself. */
async function makeAuthority(): Promise<X509Certificate> {
  // x509 registers its parts with tsyringe, which needs the metadata polyfill first.
  await import('reflect-metadata')
  const { BasicConstraintsExtension, X509CertificateGenerator, cryptoProvider } =
    await import('@peculiar/x509')
  cryptoProvider.set(crypto)
  const keys = await crypto.subtle.generateKey(
    { ...RSA, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
    true,
    ['sign', 'verify'],
  )
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Authority',
    notBefore: new Date('2026-01-01'),
    notAfter: new Date('2036-01-01'),
    signingAlgorithm: RSA,
    keys,
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  })
  return new X509Certificate(Buffer.from(certificate.rawData))
}

describe('CB-13: what our library cannot use', () => {
  test('is no key to verify with: false, and no exception', () => {
    const signature = Buffer.alloc(256, 1).toString('base64')
    const key = mint<ReturnType<typeof createSecretKey>, 'NativeVerifyingKey'>(
      createSecretKey(Buffer.alloc(32)),
    )
    expect(verify(key, new Uint8Array(), signature)).toBe(false)
  })

  test('announced as a certificate, brings no key', async () => {
    const { certificatePem, certificateSerial } = await makeVendorKeys()
    expect(readCertificate(certificatePem, certificateSerial)?.pem).toBe(certificatePem)
    expect(readCertificate(certificatePem, '1')).toBeUndefined()
    for (const pem of ['', 'x', NOTHING, certificatePem.replace('MII', 'AAA')]) {
      expect(readCertificate(pem, certificateSerial)).toBeUndefined()
    }
    expect(readCertificates(`${NOTHING}${certificatePem}${NOTHING}`).length).toBe(1)
  })

  test('signs nothing for us: a root with a key of an unknown kind is trusted by nobody', async () => {
    const authority = await makeAuthority()
    const now = new Date('2026-06-01')
    expect(isTrusted(authority, { roots: [authority], between: [], now })).toBe(true)
    const odd = new X509Certificate(
      Buffer.from(authority.raw.toString('hex').replace(RSA_OID, NO_OID), 'hex'),
    )
    expect(() => odd.publicKey).toThrow()
    expect(isTrusted(odd, { roots: [odd], between: [], now })).toBe(false)
  })

  test('or another key than ours, opens no content', () => {
    const key = Buffer.alloc(16, 1)
    const sealed = sealContent(key, '{"out_trade_no":"1"}')
    expect(Buffer.from(openContent(key, sealed) ?? []).toString()).toContain('out_trade_no')
    const opened = Array.from({ length: 20 }, (_, index) =>
      openContent(Buffer.alloc(16, index + 2), sealed),
    )
    // The padding alone tells: by chance one of 256 opens, to nonsense.
    expect(opened.filter((text) => text === undefined).length).toBeGreaterThan(10)
    expect(openContent(key, '!')).toBeUndefined()
  })
})
