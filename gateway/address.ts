/** The address of a listener. A URL takes an IPv6 address in brackets alone (RFC 3986, section 3.2.2). */
export const addressOf = (hostname: string, port: number | undefined): string =>
  `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
