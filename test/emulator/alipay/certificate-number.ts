import { X509Certificate, createHash } from 'node:crypto'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
/** `1.2.840.113549.1.1`, the family of RSA signatures. */
const RSA_FAMILY = Buffer.from('2a864886f70d0101', 'hex')

/** The serial-number digest of a certificate, the first one of a file (dossier 1.7). */
export function certificateNumber(pem: string): string {
  const certificate = new X509Certificate(certificatesOf(pem)[0] ?? pem)
  // The most specific part first, as in RFC 2253; the certificate holds the country first.
  const issuer = certificate.issuer.split('\n').toReversed().join(',')
  return numberDigest(issuer, BigInt(`0x${certificate.serialNumber}`).toString())
}

export const numberDigest = (issuer: string, serial: string): string =>
  createHash('md5').update(`${issuer}${serial}`).digest('hex')

/** The digests of the bundle's RSA certificates in the order of the file. */
export const rootNumber = (bundlePem: string): string =>
  certificatesOf(bundlePem).filter(isRsaSigned).map(certificateNumber).join('_')

export const certificatesOf = (pem: string): readonly string[] => pem.match(CERTIFICATE) ?? []

/** Reads the algorithm that follows the signed part, so that SM2 certificates need not be understood. */
function isRsaSigned(pem: string): boolean {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  const signedPart = contentAt(der, 0)
  const algorithm = contentAt(der, endAt(der, signedPart))
  const identifier = contentAt(der, algorithm)
  return der.subarray(identifier, identifier + RSA_FAMILY.length).equals(RSA_FAMILY)
}

/** Where the content of the DER element begins. */
function contentAt(der: Buffer, start: number): number {
  const length = der[start + 1] ?? 0
  return start + 2 + (length < 0x80 ? 0 : length & 0x7f)
}

function endAt(der: Buffer, start: number): number {
  const length = der[start + 1] ?? 0
  const content = contentAt(der, start)
  if (length < 0x80) return content + length
  return content + der.readUIntBE(start + 2, length & 0x7f)
}
