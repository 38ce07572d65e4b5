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
  if (isIP(address) === 4) {
    return (
      !INTERNAL_IPV4.some((network) => network.test(address)) &&
      !/^19[28]\.(?:0\.[02]|18|19|51\.100)\./.test(address)
    )
  }
  return isIP(address) === 6 && /^[23]/.test(address) && !INTERNAL_IPV6.test(address)
}

const INTERNAL_IPV6 = /^(?:2002:|2001:(?:0:|:|db8:|10:|20:)|3fff:)/i

export function isLocalHost(url: URL, localHosts: readonly string[]): boolean {
  const port = url.port === '' ? (url.protocol === 'https:' ? HTTPS_PORT : HTTP_PORT) : url.port
  return localHosts.includes(`${url.hostname}:${port}`)
}

function isInternalHost(hostname: string): boolean {
  // Vendors are reached by name: an address in brackets (IPv6) or a name without a dot is internal.
  if (hostname.startsWith('[') || !hostname.includes('.')) return true
  return INTERNAL_NAME.test(hostname) || INTERNAL_IPV4.some((network) => network.test(hostname))
}
