import type { ChannelDeps } from '#channel/registry'
import { buildChannel, vendorHeaders } from './support.ts'
import type { Built, ChannelSetup } from './support.ts'

export interface Heard {
  readonly method: string
  /** Path and query. */
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
export function signed(status: number, content: unknown, pem?: string): Response {
  const body = typeof content === 'string' ? content : JSON.stringify(content)
  const headers = { ...vendorHeaders(body, pem), 'content-type': 'application/json' }
  return new Response(body, { status, headers })
}

/** An error as recorded: without a signature. */
export const refusal = (
  status: number,
  error: { readonly type?: string; readonly code?: string; readonly param?: string } = {},
): Response =>
  Response.json(
    { error: { type: 'invalid_request_error', message: '出错了', ...error } },
    { status },
  )

export const listOf = (data: readonly unknown[], has_more = false) => ({
  object: 'list',
  url: '/v1/charges',
  has_more,
  data,
})

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
        // As sent: an empty query is a query where the address is signed.
        target: request.url.slice(url.origin.length),
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
    localHosts: [host],
    ...setup.deps,
  }
  const settings = { base_url: `http://${host}`, ...setup.settings }
  const built = buildChannel({ ...setup, settings, deps })
  return { ...built, heard, host, [Symbol.asyncDispose]: () => server.stop(true) }
}
