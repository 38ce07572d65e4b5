import type { Digest } from '../core/rsa.ts'
import { isSignedBy, signMessage } from '../core/rsa.ts'
import type { Charset } from './charset.ts'
import { encode } from './charset.ts'

export type SignType = 'RSA2' | 'RSA'

const DIGESTS: Readonly<Record<SignType, Digest>> = { RSA2: 'sha256', RSA: 'sha1' }

/**
 * What a request's signature covers (dossier 1.3): every parameter that is sent but `sign`.
 *
 * Values are raw, and an empty one that was sent counts: then both sides must have signed it.
 */
export const requestText = (parameters: ReadonlyMap<string, string>): string =>
  joinSorted(parameters, ['sign'])

/** What the signature of a notice or of a return covers, the v1 rule (dossier 4.2). */
export const noticeText = (parameters: ReadonlyMap<string, string>): string =>
  joinSorted(parameters, ['sign', 'sign_type'])

function joinSorted(parameters: ReadonlyMap<string, string>, without: readonly string[]): string {
  return [...parameters]
    .filter(([name]) => !without.includes(name))
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

export interface SignatureWay {
  readonly charset: Charset
  readonly signType: SignType
}

export const RSA2_UTF8: SignatureWay = { charset: 'utf-8', signType: 'RSA2' }

export const signText = (
  privatePem: string,
  text: string,
  { charset, signType }: SignatureWay = RSA2_UTF8,
): string => signMessage(privatePem, encode(text, charset), DIGESTS[signType])

export const isTextSigned = (
  publicPem: string,
  { text, signature }: { readonly text: string; readonly signature: string },
  { charset, signType }: SignatureWay = RSA2_UTF8,
): boolean =>
  isSignedBy(publicPem, { message: encode(text, charset), signature }, DIGESTS[signType])

/** The armour that the vendor's files come without. */
export const armour = (base64: string, label: 'PUBLIC KEY' | 'PRIVATE KEY'): string =>
  `-----BEGIN ${label}-----\n${base64.match(/.{1,64}/g)?.join('\n') ?? ''}\n-----END ${label}-----\n`
