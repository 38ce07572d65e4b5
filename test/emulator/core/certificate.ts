import { X509Certificate, randomBytes } from 'node:crypto'

import type { PemPair } from './rsa.ts'

const SERIAL_BYTES = 20
const YEARS = 5

const RSA_SHA256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const

/** Who vouches for a certificate. */
export interface Issuer {
  readonly certificatePem: string
  readonly privatePem: string
}

export interface CertificateWish {
  /** Like `CN=Tenpay.com Root CA, O=Emulated, C=CN`. */
  readonly subject: string
  readonly pair: PemPair
  /** Signs itself unless given. */
  readonly issuer?: Issuer
  /** May sign other certificates. */
  readonly isAuthority?: boolean
  /** Now unless given. */
  readonly notBefore?: Date
  /** Five years later unless given. */
  readonly notAfter?: Date
  /** Hex; of chance unless given. */
  readonly serial?: string
}

/** A positive serial of 40 upper-case hex digits without a leading zero. */
export function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex').toUpperCase()
}

/** Issues an RSA certificate with SHA-256, as PEM. */
export async function issueCertificate(wish: CertificateWish): Promise<string> {
  // x509 registers its parts with tsyringe, which needs the metadata polyfill first.
  await import('reflect-metadata')
  const { BasicConstraintsExtension, X509CertificateGenerator, cryptoProvider } =
    await import('@peculiar/x509')
  cryptoProvider.set(crypto)
  const notBefore = wish.notBefore ?? new Date()
  const certificate = await X509CertificateGenerator.create({
    serialNumber: (wish.serial ?? newSerial()).toLowerCase(),
    subject: wish.subject,
    issuer: wish.issuer === undefined ? wish.subject : await subjectOf(wish.issuer),
    notBefore,
    notAfter: wish.notAfter ?? yearsAfter(notBefore),
    signingAlgorithm: RSA_SHA256,
    publicKey: await publicKeyOf(wish.pair.publicPem),
    signingKey: await privateKeyOf(wish.issuer?.privatePem ?? wish.pair.privatePem),
    extensions: wish.isAuthority ? [new BasicConstraintsExtension(true, undefined, true)] : [],
  })
  return certificate.toString('pem')
}

/** Hex, upper case. */
export const serialOfCertificate = (pem: string): string =>
  new X509Certificate(pem).serialNumber.toUpperCase()

async function subjectOf({ certificatePem }: Issuer): Promise<string> {
  const { X509Certificate: Certificate } = await import('@peculiar/x509')
  return new Certificate(certificatePem).subject
}

const derOf = (pem: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64'))

const privateKeyOf = (pem: string) =>
  crypto.subtle.importKey('pkcs8', derOf(pem), RSA_SHA256, true, ['sign'])

const publicKeyOf = (pem: string) =>
  crypto.subtle.importKey('spki', derOf(pem), RSA_SHA256, true, ['verify'])

function yearsAfter(moment: Date): Date {
  const later = new Date(moment)
  later.setUTCFullYear(later.getUTCFullYear() + YEARS)
  return later
}
