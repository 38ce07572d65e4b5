import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  decodeBase64,
  importSigningKey,
  importSymmetricKey,
  importVerifyingKey,
  sign,
  utf8,
  verify,
} from '#channel/crypto'
import * as native from '#channel/crypto-native'
import { assert } from '#domain/assert'
import { publicOf } from './support.ts'
import { merchantPem } from './wechat-pay/support.ts'

describe('base64', () => {
  test.each([
    'A',
    'AB=',
    'A===',
    'AB*D',
    'AB D',
    'ABCD\n',
    'AB-_',
    '=AAA',
    'AAAA=',
    'AB==',
    'AAB=',
  ])('CB-13: refuses "%s"', (text) => {
    expect(decodeBase64(text)).toBeUndefined()
  })

  test('reads what it should', () => {
    expect(decodeBase64('')).toEqual(new Uint8Array())
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeBase64(Buffer.from(bytes).toString('base64'))).toEqual(Uint8Array.from(bytes))
      }),
    )
  })
})

describe('keys', () => {
  test.each([
    '',
    'x',
    '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
  ])('CB-13: "%s" is no key', async (pem) => {
    expect(await importSigningKey(pem)).toBeUndefined()
    expect(await importVerifyingKey(pem)).toBeUndefined()
    expect(native.importVerifyingKey(pem)).toBeUndefined()
  })

  test.each([0, 1, 15, 17, 31, 33, 64])('CB-11: %i bytes are no symmetric key', async (bytes) => {
    expect(native.importSymmetricKey(new Uint8Array(bytes))).toBeUndefined()
    expect(await importSymmetricKey(new Uint8Array(bytes))).toBeUndefined()
  })
})

test('CB-13: both libraries agree on any signature, and raise nothing', async () => {
  const [signing, slow] = await Promise.all([
    importSigningKey(merchantPem),
    importVerifyingKey(publicOf(merchantPem)),
  ])
  const fast = native.importVerifyingKey(publicOf(merchantPem))
  assert(signing !== undefined && slow !== undefined && fast !== undefined, 'key V is a pair')
  const good = await sign(signing, 'text')
  const signature = fc.oneof(
    fc.constant(good),
    fc.base64String(),
    fc.string(),
    fc
      .uint8Array({ minLength: 256, maxLength: 256 })
      .map((bytes) => Buffer.from(bytes).toString('base64')),
  )
  await fc.assert(
    fc.asyncProperty(signature, async (text) => {
      expect(await verify(slow, utf8('text'), text)).toBe(text === good)
      expect(native.verify(fast, utf8('text'), text)).toBe(text === good)
    }),
  )
})
