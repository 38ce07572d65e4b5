import type { ChannelDeps } from '#channel/registry'
import { buildChannel, notifiedAt, vendorHeaders } from './support.ts'
import type { Built, ChannelSetup } from './support.ts'

export interface Heard {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Reply = (heard: Heard) => Response | Promise<Response>

export interface TinyVendor extends AsyncDisposable, Built {
  readonly heard: readonly Heard[]
  readonly host: string
}

/** A body signed as the vendor signs it. */
export const signed = (
  status: number,
  body = '',
  options: Parameters<typeof vendorHeaders>[1] = {},
): Response =>
  new Response(status === 204 ? null : body, {
    status,
    headers: {
      ...vendorHeaders(body, { seconds: notifiedAt, ...options }),
      'content-type': 'application/json',
    },
  })

export const refusal = (status: number, code: string, message = '', requestId = ''): Response =>
  Response.json(
    { code, message },
    { status, headers: requestId === '' ? {} : { 'request-id': requestId } },
  )

/** A probe: the documented prefix and a signature of impossible length (dossier, section 1.9). */
export function probed(status: number, body: string): Response {
  const headers = vendorHeaders(body, { seconds: notifiedAt })
  const signature = headers['wechatpay-signature'] ?? ''
  return new Response(body, {
    status,
    headers: {
      ...headers,
      'wechatpay-signature': `WECHATPAY/SIGNTEST/${signature.slice(-336)}`,
    },
  })
}

/**
 * A vendor on a loopback port, and a channel that talks to it.
 *
 * Replies are used in turn; the last one is used on. Not the emulator: one test, a few answers.
 */
export function startVendor(replies: readonly Reply[], setup: ChannelSetup = {}): TinyVendor {
  const heard: Heard[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const url = new URL(request.url)
      const item = {
        method: request.method,
        target: url.pathname + url.search,
        headers: Object.fromEntries(request.headers),
        body: await request.text(),
      }
      heard.push(item)
      const reply = replies[Math.min(heard.length, replies.length) - 1]
      return reply?.(item) ?? new Response('no reply', { status: 500 })
    },
  })
  const host = `127.0.0.1:${server.port}`
  const deps: Partial<ChannelDeps> = {
    fetch: (url, init) => fetch(url, init),
    localHosts: [host, '127.0.0.1:1'],
    ...setup.deps,
  }
  const settings = { base_url: `http://${host}`, ...setup.settings }
  const built = buildChannel({ ...setup, settings, deps })
  return { ...built, heard, host, [Symbol.asyncDispose]: () => server.stop(true) }
}
