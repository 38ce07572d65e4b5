import { expect, test } from 'bun:test'
import { createSecretKey } from 'node:crypto'
import { readCertificate } from '#channel/wechat-pay/key'
import { verify } from '#channel/crypto-native'
import { mint } from '#domain/brand'
import { makeVendorKeys } from '../emulator/wechat-pay/keys.ts'

test('CB-13: a key that the library cannot verify with is no success, and no exception', () => {
  const signature = Buffer.alloc(256, 1).toString('base64')
  expect(verify(mint(createSecretKey(Buffer.alloc(32))), new Uint8Array(), signature)).toBe(false)
})

test('CB-13: what was announced as a certificate and is none brings no key', async () => {
  const { certificatePem, certificateSerial } = await makeVendorKeys()
  expect(readCertificate(certificatePem, certificateSerial)?.pem).toBe(certificatePem)
  expect(readCertificate(certificatePem, '1')).toBeUndefined()
  for (const pem of ['', 'x', certificatePem.slice(0, 200), certificatePem.replace('MII', 'AAA')]) {
    expect(readCertificate(pem, certificateSerial)).toBeUndefined()
  }
})
