import type { KeyObject } from 'node:crypto'
import { createPrivateKey, createPublicKey, generateKeyPair, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'

export type Digest = 'sha256' | 'sha1'

/** PKCS#8 and SPKI. */
export interface PemPair {
  readonly privatePem: string
  readonly publicPem: string
}

const RSA_BITS = 2048
const KEYS_MAX = 1_000

/** Parsed keys by their PEM text: a benchmark signs with the same few keys again and again. */
const keys = new Map<string, KeyObject>()

function keyOf(pem: string, parse: (pem: string) => KeyObject): KeyObject {
  const known = keys.get(pem)
  if (known !== undefined) return known
  if (keys.size >= KEYS_MAX) keys.clear()
  const key = parse(pem)
  keys.set(pem, key)
  return key
}

const newKeyPair = promisify(generateKeyPair)

export async function newRsaPair(): Promise<PemPair> {
  const pair = await newKeyPair('rsa', { modulusLength: RSA_BITS })
  return {
    privatePem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicPem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

/** Only its private half is used: to sign what nobody can check. */
export const newRogueKey = async (): Promise<string> => (await newRsaPair()).privatePem

/** RSASSA-PKCS1-v1_5, base64. Text is signed as UTF-8. */
export const signMessage = (
  privateKeyPem: string,
  message: string | Uint8Array,
  digest: Digest = 'sha256',
): string =>
  sign(digest, Buffer.from(message), keyOf(privateKeyPem, createPrivateKey)).toString('base64')

export interface SignedMessage {
  readonly message: string | Uint8Array
  /** Base64. */
  readonly signature: string
}

/** Checks a signature with a public key or a certificate. One that is no base64 is a wrong one. */
export const isSignedBy = (
  publicKeyPem: string,
  { message, signature }: SignedMessage,
  digest: Digest = 'sha256',
): boolean =>
  verify(
    digest,
    Buffer.from(message),
    keyOf(publicKeyPem, createPublicKey),
    Buffer.from(signature, 'base64'),
  )
