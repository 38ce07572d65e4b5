import { X509Certificate } from 'node:crypto'

/** More than any vendor's file holds, roots and intermediates together. */
const CERTIFICATES_MAX = 10
/** A leaf, and at most this many certificates above it. */
const CHAIN_LENGTH_MAX = 5
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of a PEM text as texts of their own, in file order. */
export const splitPem = (text: string): readonly string[] =>
  (text.match(PEM) ?? []).slice(0, CERTIFICATES_MAX)

/** The certificates of a PEM text in file order. What our library cannot read (SM2 perhaps) is left out. */
export const readCertificates = (text: string): readonly X509Certificate[] =>
  splitPem(text)
    .map(readCertificate)
    .filter((certificate) => certificate !== undefined)

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    // Not a certificate, or of a kind that signs nothing for us.
    return undefined
  }
}

export interface Trust {
  /** What a chain must end in: the self-signed ones among these. The others may stand in between. */
  readonly roots: readonly X509Certificate[]
  /** What came with the certificate; it may only stand in between. */
  readonly between: readonly X509Certificate[]
  readonly now: Date
}

/**
 * Whether a certificate chains to one of our roots: every link signed by the next, which is a CA, and every
 * certificate within its dates.
 */
export function isTrusted(leaf: X509Certificate, trust: Trust): boolean {
  const pool = [...trust.roots, ...trust.between]
  let link = leaf
  for (let length = 0; length < CHAIN_LENGTH_MAX && isInForce(link, trust.now); length += 1) {
    if (length > 0 && isRoot(link, trust.roots)) return true
    const issuer = pool.find((candidate) => isIssuer(candidate, link))
    if (issuer === undefined) return false
    link = issuer
  }
  return false
}

const isInForce = (certificate: X509Certificate, now: Date): boolean =>
  new Date(certificate.validFrom) <= now && now < new Date(certificate.validTo)

const isRoot = (certificate: X509Certificate, roots: readonly X509Certificate[]): boolean =>
  isIssuer(certificate, certificate) && roots.some((root) => root.raw.equals(certificate.raw))

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    // A key that our library cannot use signs nothing for us.
    return false
  }
}
