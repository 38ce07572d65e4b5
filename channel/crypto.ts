import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Crypto } from '@peculiar/webcrypto'
import { mint } from '#domain/brand'
import type { Brand } from '#domain/brand'

/**
 * Keys of this module. They are branded because keys do not cross crypto libraries: one made here is
 * refused by `crypto-native.ts`, and the compiler should say so before a vendor's callback does.
 */
export type SigningKey = Brand<CryptoKey, 'SigningKey'>
export type VerifyingKey = Brand<CryptoKey, 'VerifyingKey'>
export type SymmetricKey = Brand<CryptoKey, 'SymmetricKey'>

/** What AES-GCM needs beside the key. `ciphertext` ends with the 16-byte tag. */
export interface Sealed {
  readonly nonce: Uint8Array
  readonly associatedData: Uint8Array
  readonly ciphertext: Uint8Array
}

const subtle = new Crypto().subtle
const PKCS1_SHA256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const
const TAG_BITS = 128
const STRICT_BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** The bytes of a text in UTF-8. */
export const utf8 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(text, 'utf8'))

/** Decodes canonical base64 with padding; `undefined` for anything else, where others drop characters. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !STRICT_BASE64.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64')
  // Bits behind the last byte may be set: another text of the same bytes, and not the one that was sent.
  return bytes.toString('base64') === text ? Uint8Array.from(bytes) : undefined
}

const encodeBase64 = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString('base64')

/** Reads a private RSA key in PEM (PKCS#8 or PKCS#1); `undefined` when it is none. */
export const readPrivatePem = (pem: string): KeyObject | undefined =>
  rsaOnly(() => createPrivateKey(pem))

/** Reads a public RSA key or the key of a certificate in PEM; `undefined` when it is neither. */
export const readPublicPem = (pem: string): KeyObject | undefined =>
  rsaOnly(() =>
    pem.includes('BEGIN CERTIFICATE') ? new X509Certificate(pem).publicKey : createPublicKey(pem),
  )

/** Length of an RSA key's modulus. */
export const keyBits = (key: KeyObject): number => key.asymmetricKeyDetails?.modulusLength ?? 0

function rsaOnly(read: () => KeyObject): KeyObject | undefined {
  try {
    const key = read()
    return key.asymmetricKeyType === 'rsa' ? key : undefined
  } catch {
    // Bad PEM is an answer here, not an accident: what the library says about it helps nobody.
    return undefined
  }
}

export async function importSigningKey(pem: string): Promise<SigningKey | undefined> {
  const der = readPrivatePem(pem)?.export({ type: 'pkcs8', format: 'der' })
  if (der === undefined) return undefined
  return mint(await subtle.importKey('pkcs8', der, PKCS1_SHA256, false, ['sign']))
}

export async function importVerifyingKey(pem: string): Promise<VerifyingKey | undefined> {
  const der = readPublicPem(pem)?.export({ type: 'spki', format: 'der' })
  if (der === undefined) return undefined
  return mint(await subtle.importKey('spki', der, PKCS1_SHA256, false, ['verify']))
}

/** AES by the length of the key: 16, 24 or 32 bytes; `undefined` for another length. */
export async function importSymmetricKey(
  raw: Uint8Array<ArrayBuffer>,
): Promise<SymmetricKey | undefined> {
  if (![16, 24, 32].includes(raw.length)) return undefined
  return mint(await subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']))
}

/** RSASSA-PKCS1-v1_5 with SHA-256, in base64. */
export async function sign(key: SigningKey, message: string): Promise<string> {
  return encodeBase64(await subtle.sign(PKCS1_SHA256.name, key, utf8(message)))
}

/** Whether the base64 signature belongs to the message. Malformed is `false`, never an exception. */
export async function verify(
  key: VerifyingKey,
  message: Uint8Array<ArrayBuffer>,
  signature: string,
): Promise<boolean> {
  const bytes = decodeBase64(signature)
  if (bytes === undefined) return false
  return (await attempt(() => subtle.verify(PKCS1_SHA256.name, key, bytes, message))) ?? false
}

/** Opens AES-GCM; `undefined` when the key, nonce, associated data, text or tag is wrong. */
export async function openSealed(
  key: SymmetricKey,
  sealed: Sealed,
): Promise<Uint8Array | undefined> {
  const options = {
    name: 'AES-GCM',
    iv: Uint8Array.from(sealed.nonce),
    additionalData: Uint8Array.from(sealed.associatedData),
    tagLength: TAG_BITS,
  }
  const ciphertext = Uint8Array.from(sealed.ciphertext)
  const plain = await attempt(() => subtle.decrypt(options, key, ciphertext))
  return plain && new Uint8Array(plain)
}

/** SHA-256 in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await subtle.digest('SHA-256', Uint8Array.from(bytes))).toString('hex')
}

async function attempt<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch {
    // The library throws for what is only bad input: "does not verify" and "does not open" are answers.
    return undefined
  }
}
