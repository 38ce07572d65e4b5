import { createDecipheriv, createSecretKey, verify as verifyRsa } from 'node:crypto'
import type { CipherGCMTypes, KeyObject } from 'node:crypto'
import { mint } from '#domain/brand'
import type { Brand } from '#domain/brand'
import { decodeBase64, readPublicPem } from './crypto.ts'
import type { Sealed } from './crypto.ts'

/**
 * The callback path of `crypto.ts` on Bun's own crypto: the same answers, about 1.7 times as many a second
 * (`test/bench/crypto.ts`), and synchronous. Its keys have their own brands.
 */
export type NativeVerifyingKey = Brand<KeyObject, 'NativeVerifyingKey'>
export type NativeSymmetricKey = Brand<KeyObject, 'NativeSymmetricKey'>

const TAG_BYTES = 16
const ALGORITHMS: Readonly<Record<number, CipherGCMTypes>> = {
  16: 'aes-128-gcm',
  24: 'aes-192-gcm',
  32: 'aes-256-gcm',
}

/** Reads a public RSA key or the key of a certificate in PEM; `undefined` when it is neither. */
export function importVerifyingKey(pem: string): NativeVerifyingKey | undefined {
  const key = readPublicPem(pem)
  return key && mint(key)
}

/** AES by the length of the key: 16, 24 or 32 bytes; `undefined` for another length. */
export function importSymmetricKey(raw: Uint8Array): NativeSymmetricKey | undefined {
  return ALGORITHMS[raw.length] === undefined ? undefined : mint(createSecretKey(raw))
}

/** RSASSA-PKCS1-v1_5 with SHA-256. A malformed signature is `false`, never an exception. */
export function verify(key: NativeVerifyingKey, message: Uint8Array, signature: string): boolean {
  const bytes = decodeBase64(signature)
  if (bytes === undefined) return false
  try {
    return verifyRsa('sha256', message, key, bytes)
  } catch {
    // A signature that the library cannot even try is one that does not verify.
    return false
  }
}

/** Opens AES-GCM; `undefined` when the key, nonce, associated data, text or tag is wrong. */
export function openSealed(key: NativeSymmetricKey, sealed: Sealed): Uint8Array | undefined {
  const algorithm = ALGORITHMS[key.symmetricKeySize ?? 0]
  const textBytes = sealed.ciphertext.length - TAG_BYTES
  if (algorithm === undefined || textBytes < 0) return undefined
  try {
    const decipher = createDecipheriv(algorithm, key, sealed.nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(sealed.associatedData)
    decipher.setAuthTag(sealed.ciphertext.subarray(textBytes))
    const start = decipher.update(sealed.ciphertext.subarray(0, textBytes))
    return Buffer.concat([start, decipher.final()])
  } catch {
    // A wrong key or a changed byte: nothing was opened, and why is nobody's business.
    return undefined
  }
}
