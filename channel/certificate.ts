import { X509Certificate } from 'node:crypto'

/** More than any vendor's file holds, roots and intermediates together. */
const CERTIFICATES_MAX = 10
/** A leaf and all that stands above it. */
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

/** The first certificate of a PEM text; `undefined` when it is none that our library can read. */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return pem.includes('BEGIN CERTIFICATE') ? new X509Certificate(pem) : undefined
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
 * A certificate and all above it up to one of our roots; `undefined` without.
 *
 * Every link is signed by the next, which is a CA, and every certificate is within its dates.
 */
export function chainOf(
  leaf: X509Certificate,
  { roots, between, now }: Trust,
): readonly X509Certificate[] | undefined {
  // A renewed authority stands beside the ended one, with its name and perhaps its key.
  const pool = [...roots, ...between].filter((item) => isInForce(item, now))
  const chain: X509Certificate[] = []
  let link = isInForce(leaf, now) ? leaf : undefined
  while (link !== undefined && chain.length < CHAIN_LENGTH_MAX) {
    chain.push(link)
    if (chain.length > 1 && isRoot(link, roots)) return chain
    link = issuerOf(link, pool)
  }
  return undefined
}

/** Whether a certificate chains to one of our roots. */
export const isTrusted = (leaf: X509Certificate, trust: Trust): boolean =>
  chainOf(leaf, trust) !== undefined

const issuerOf = (
  certificate: X509Certificate,
  pool: readonly X509Certificate[],
): X509Certificate | undefined => pool.find((candidate) => isIssuedBy(certificate, candidate))

const isInForce = ({ validFromDate, validToDate }: X509Certificate, now: Date): boolean =>
  validFromDate <= now && now < validToDate

const isRoot = (certificate: X509Certificate, roots: readonly X509Certificate[]): boolean =>
  isSelfSigned(certificate) && roots.some((root) => root.raw.equals(certificate.raw))

/** Names, key ids and the signature itself: names alone prove nothing. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    // A key that our library cannot use signs nothing for us.
    return false
  }
}

export const isSelfSigned = (certificate: X509Certificate): boolean =>
  isIssuedBy(certificate, certificate)
