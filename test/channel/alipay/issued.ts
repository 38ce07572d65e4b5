import 'reflect-metadata'
import { X509Certificate, createHash, generateKeyPairSync } from 'node:crypto'
import { BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509'
import type { X509Certificate as Generated } from '@peculiar/x509'

/** A certificate and its key, made for a test. */
export interface Issued {
  readonly pem: string
  readonly privatePem: string
  readonly serial: string
  /** The vendor's digest of it, computed here once more (dossier, section 1.7). */
  readonly digest: string
  readonly certificate: Generated
  readonly signingKey: CryptoKey
}

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const

export interface IssueOptions {
  readonly issuer?: Issued
  readonly isCa?: boolean
  readonly from?: string
  readonly until?: string
  readonly bits?: number
}

let serials = 0x2020_0518_6203_9d40n

export async function issue(name: string, options: IssueOptions = {}): Promise<Issued> {
  const pair = generateKeyPairSync('rsa', { modulusLength: options.bits ?? 2048 })
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, RSA, true, ['sign'])
  const subject = `C=CN, O=Ant Financial, OU=Certification Authority, CN=${name}`
  serials += 1n
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: serials.toString(16),
      subject,
      issuer: options.issuer?.certificate.subject ?? subject,
      notBefore: new Date(options.from ?? '2025-01-01T00:00:00Z'),
      notAfter: new Date(options.until ?? '2028-01-01T00:00:00Z'),
      signingAlgorithm: RSA,
      publicKey: await crypto.subtle.importKey('spki', spki, RSA, true, ['verify']),
      signingKey: options.issuer?.signingKey ?? signingKey,
      extensions: [new BasicConstraintsExtension(options.isCa ?? false, undefined, true)],
    },
    crypto,
  )
  const pem = `${certificate.toString('pem')}\n`
  return {
    pem,
    privatePem: String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })),
    serial: new X509Certificate(pem).serialNumber,
    digest: digestOf(options.issuer?.certificate.subject ?? subject, serials),
    certificate,
    signingKey,
  }
}

/** The most specific part comes first, the other way round than in the certificate. */
const digestOf = (issuer: string, serial: bigint): string =>
  createHash('md5')
    .update(issuer.split(', ').toReversed().join(',') + serial.toString())
    .digest('hex')
