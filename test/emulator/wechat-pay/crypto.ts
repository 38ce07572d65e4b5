import { createCipheriv, createDecipheriv } from 'node:crypto'

const AEAD = 'aes-256-gcm'
const TAG_BYTES = 16

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
