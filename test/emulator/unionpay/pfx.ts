import forge from 'node-forge'

import type { MerchantKeys } from './keys.ts'

/** The password of the vendor's own test file (dossier 1.4). */
export const PFX_PASSWORD = '000000'

/** What a merchant gets from CFCA: its key and its certificate in one file, in the old encryption of theirs. */
export function makePfx(
  { privatePem, certificatePem }: Pick<MerchantKeys, 'privatePem' | 'certificatePem'>,
  password: string = PFX_PASSWORD,
): Uint8Array<ArrayBuffer> {
  const key = forge.pki.privateKeyFromPem(privatePem)
  const certificate = forge.pki.certificateFromPem(certificatePem)
  const file = forge.pkcs12.toPkcs12Asn1(key, [certificate], password, { algorithm: '3des' })
  return new Uint8Array(Buffer.from(forge.asn1.toDer(file).getBytes(), 'latin1'))
}
