import { lookup } from 'node:dns/promises'
import { isAllowedUrl, isLocalHost, isPublicAddress, isStandardPort } from '#channel/host'

/** Addresses of a name. Another one is for tests. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

export const resolveName: Resolve = async (hostname) => {
  const found = await lookup(hostname, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}

/** Where a call goes: to an address that was checked, under the name that was given. */
export interface CheckedAddress {
  readonly url: string
  readonly host: string
  /** For TLS; absent where the operator allows plain http. */
  readonly serverName?: string
}

/**
 * Resolves a name once, refuses it unless all it resolves to is public, and names the address to connect to.
 *
 * A name that changes between the check and the call (rebinding) changes nothing: the call goes to the
 * address. `undefined` for what must not be called.
 */
export async function checkAddress(
  text: string,
  localHosts: readonly string[],
  resolve: Resolve,
): Promise<CheckedAddress | undefined> {
  if (!isAllowedUrl(text, localHosts)) return undefined
  const url = new URL(text)
  if (isLocalHost(url, localHosts)) return { url: url.href, host: url.host }
  if (!isStandardPort(url)) return undefined
  const addresses = await resolve(url.hostname)
  const [first] = addresses
  if (first === undefined || !addresses.every(isPublicAddress)) return undefined
  const address = first.includes(':') ? `[${first}]` : first
  const { host, hostname: serverName } = url
  return { url: `https://${address}${url.pathname}${url.search}`, host, serverName }
}
