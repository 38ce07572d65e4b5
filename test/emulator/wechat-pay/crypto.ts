import type { KeyObject } from 'node:crypto'
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'

const ALGORITHM = 'sha256'
const AEAD = 'aes-256-gcm'
const TAG_BYTES = 16
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

/** RSASSA-PKCS1-v1_5 with SHA-256, base64 (dossier 1.8). */
export const signText = (privateKeyPem: string, message: string): string =>
  sign(ALGORITHM, Buffer.from(message), keyOf(privateKeyPem, createPrivateKey)).toString('base64')

/** Checks a signature over text. A signature that is not base64 is a wrong one, never an error. */
export const verifyText = (publicKeyPem: string, message: string, signature: string): boolean =>
  verify(
    ALGORITHM,
    Buffer.from(message),
    keyOf(publicKeyPem, createPublicKey),
    Buffer.from(signature, 'base64'),
  )

export interface SealInput {
  /** 32 ASCII characters, used as bytes. */
  readonly apiV3Key: string
  /** 12 characters. */
  readonly nonce: string
  readonly associatedData: string
  readonly plaintext: string
}

/** AEAD_AES_256_GCM: base64 of the ciphertext and its tag (dossier 1.8). */
export function sealText(input: SealInput): string {
  const cipher = createCipheriv(AEAD, Buffer.from(input.apiV3Key), Buffer.from(input.nonce))
  cipher.setAAD(Buffer.from(input.associatedData))
  const body = Buffer.concat([cipher.update(input.plaintext, 'utf8'), cipher.final()])
  return Buffer.concat([body, cipher.getAuthTag()]).toString('base64')
}

/** The inverse of `sealText`. Throws if the tag does not fit. */
export function openText(input: Omit<SealInput, 'plaintext'>, ciphertext: string): string {
  const bytes = Buffer.from(ciphertext, 'base64')
  const decipher = createDecipheriv(AEAD, Buffer.from(input.apiV3Key), Buffer.from(input.nonce))
  decipher.setAAD(Buffer.from(input.associatedData))
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  const body = decipher.update(bytes.subarray(0, bytes.length - TAG_BYTES))
  return Buffer.concat([body, decipher.final()]).toString('utf8')
}

/** A nonce of `length` hex characters. */
export const newNonce = (length: number): string =>
  randomBytes(Math.ceil(length / 2))
    .toString('hex')
    .slice(0, length)
