import { createHash, timingSafeEqual } from 'node:crypto'

import type { Digest } from '../core/rsa.ts'
import { isSignedBy, signMessage } from '../core/rsa.ts'
import { encodeText, parseCharset } from './charset.ts'
import type { Fields } from './message.ts'

/** What is signed: every field but `signature` and the empty ones, sorted by byte (dossier 1.5). */
export function signingString(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => [name, value.trim()] as const)
    .filter(([name, value]) => name !== 'signature' && value !== '')
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** Lower-case hex of the signing string, in the charset of `encoding`. */
export function signingDigest(fields: Fields): string {
  const bytes = encodeText(signingString(fields), parseCharset(fields['encoding']) ?? 'UTF-8')
  return createHash(digestOf(fields)).update(bytes).digest('hex')
}

/** signMethod 01. The hex text of the digest is signed, so the string is hashed twice. */
export const signFields = (fields: Fields, privatePem: string): string =>
  signMessage(privatePem, signingDigest(fields), digestOf(fields))

/** signMethod 01. `publicPem` may be a certificate. A message without a signature is not signed. */
export function isSigned(fields: Fields, publicPem: string): boolean {
  const { signature = '' } = fields
  return isSignedBy(publicPem, { message: signingDigest(fields), signature }, digestOf(fields))
}

/** signMethod 11, the shared key. */
export function sharedKeySignature(fields: Fields, secureKey: string): string {
  const text = `${signingString(fields)}&${sha256Hex(secureKey)}`
  return sha256Hex(encodeText(text, parseCharset(fields['encoding']) ?? 'UTF-8'))
}

export function hasSharedKeySignature(fields: Fields, secureKey: string): boolean {
  const expected = Buffer.from(sharedKeySignature(fields, secureKey))
  const received = Buffer.from(fields['signature'] ?? '')
  return received.length === expected.length && timingSafeEqual(received, expected)
}

/** The result that the app's SDK hands to the app: SHA-1 even with 5.1.0 (dossier 2.2). */
export const signAppResult = (data: string, privatePem: string): string =>
  signMessage(privatePem, sha1Hex(data), 'sha1')

export const isAppResultSigned = (data: string, signature: string, publicPem: string): boolean =>
  isSignedBy(publicPem, { message: sha1Hex(data), signature }, 'sha1')

const sha256Hex = (value: string | Uint8Array): string =>
  createHash('sha256').update(value).digest('hex')

const sha1Hex = (value: string): string => createHash('sha1').update(value).digest('hex')

/** 5.0.0 and what came before hash with SHA-1 in both steps (dossier 1.6). */
const digestOf = ({ version }: Fields): Digest => (version === '5.1.0' ? 'sha256' : 'sha1')
