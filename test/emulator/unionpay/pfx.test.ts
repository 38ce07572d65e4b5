import { expect, test } from 'bun:test'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import forge from 'node-forge'

import { makeUnionpayKeys } from './keys.ts'
import { PFX_PASSWORD, makePfx } from './pfx.ts'

const open = (bytes: Uint8Array, password: string) =>
  forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(Buffer.from(bytes).toString('latin1')), password)

test('the file holds the merchant’s key and certificate, and opens with its password alone', async () => {
  const { merchant } = await makeUnionpayKeys()
  const bytes = makePfx(merchant)
  const file = open(bytes, PFX_PASSWORD)
  const { certBag: certificateType = '', pkcs8ShroudedKeyBag: keyType = '' } = forge.pki.oids
  const certificate = file.getBags({ bagType: certificateType })[certificateType]?.[0]?.cert
  const key = file.getBags({ bagType: keyType })[keyType]?.[0]?.key
  if (!certificate || !key) throw new Error('expected a certificate and a key')
  const held = new X509Certificate(forge.pki.certificateToPem(certificate))
  expect(held.raw.equals(new X509Certificate(merchant.certificatePem).raw)).toBe(true)
  const heldKey = createPrivateKey(forge.pki.privateKeyToPem(key))
  expect(heldKey.equals(createPrivateKey(merchant.privatePem))).toBe(true)
  expect(() => open(bytes, '000001')).toThrow()
})
