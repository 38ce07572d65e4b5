import { isIP } from 'node:net'

const INTERNAL_NAME = /(?:^|\.)(?:localhost|local|internal|lan|home|arpa)\.?$/i
const HTTPS_PORT = '443'
const HTTP_PORT = '80'

/** First and last bits of IPv4 networks that are never a vendor's. */
const INTERNAL_IPV4 = [
  /^0\./,
  /^10\./,
  /^127\./,
  /^169\.254\./,
  /^192\.168\./,
  /^172\.(?:1[6-9]|2\d|3[01])\./,
  /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./,
  /^(?:22[4-9]|2[3-5]\d)\./,
]

/**
 * Whether we may talk to this address: https to a public name, or one of the operator's local hosts.
 *
 * `localHosts` holds `host:port` (PINGZHANG_LOCAL_HOSTS) and is empty in production. It is the only way to
 * plain http and to internal hosts. Names are judged as written; what they resolve to is the network's.
 */
export function isAllowedUrl(text: string, localHosts: readonly string[]): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.username !== '' || url.password !== '') return false
  if (isLocalHost(url, localHosts)) return url.protocol === 'http:' || url.protocol === 'https:'
  return url.protocol === 'https:' && !isInternalHost(url.hostname)
}

/**
 * Whether an address that a name resolves to is out in the world.
 *
 * Of IPv6 only the global range counts, without what carries IPv4 inside (6to4, Teredo, NAT64) or is for
 * documentation: those lead back into our network.
 */
export function isPublicAddress(address: string): boolean {
  const isInternal = (network: RegExp): boolean => network.test(address)
  if (isIP(address) === 4) return !INTERNAL_IPV4.some(isInternal) && !SPECIAL_IPV4.some(isInternal)
  const text = isIP(address) === 6 ? canonicalIpv6(address) : ''
  return /^[23][0-9a-f]{3}:/.test(text) && !INTERNAL_IPV6.test(text)
}

/** Protocol assignments, documentation, the 6to4 relay, benchmarks (RFC 6890 and the IANA registry). */
const SPECIAL_IPV4 = [
  /^192\.0\.[02]\./,
  /^192\.88\.99\./,
  /^198\.1[89]\./,
  /^198\.51\.100\./,
  /^203\.0\.113\./,
]
/** All of 2001:0000::/23 is for protocols: Teredo, ORCHID and their like. */
const INTERNAL_IPV6 = /^(?:2002:|2001:(?::|1?[0-9a-f]{1,2}:|db8:)|3fff:)/

/** The one way to write an address that a pattern can be held against; a zone makes it a local one. */
function canonicalIpv6(address: string): string {
  const url = `http://[${address}]/`
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : ''
}

/** Whether a merchant's address is at the port of https: the others are our own services' (section 6.5). */
export const isStandardPort = (url: URL): boolean => url.port === ''

export function isLocalHost(url: URL, localHosts: readonly string[]): boolean {
  const port = url.port === '' ? (url.protocol === 'https:' ? HTTPS_PORT : HTTP_PORT) : url.port
  return localHosts.includes(`${url.hostname}:${port}`)
}

function isInternalHost(hostname: string): boolean {
  // Vendors are reached by name: an address in brackets (IPv6) or a name without a dot is internal.
  if (hostname.startsWith('[') || !hostname.includes('.')) return true
  return INTERNAL_NAME.test(hostname) || INTERNAL_IPV4.some((network) => network.test(hostname))
}
