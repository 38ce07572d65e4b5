import type { ChannelDeps } from '#channel/registry'
import { buildChannel, rawOf, signedBy } from './support.ts'
import type { Built, ChannelSetup, Message } from './support.ts'

export interface Heard {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The body's fields, escapes undone. */
  readonly fields: Message
}

export type Reply = (heard: Heard) => Response | Promise<Response>

export interface TinyVendor extends AsyncDisposable, Built {
  readonly heard: readonly Heard[]
  readonly host: string
}

/** What the vendor repeats of a request in its answer. */
const ECHOED = [
  'accessType',
  'bizType',
  'encoding',
  'merId',
  'orderId',
  'txnSubType',
  'txnTime',
  'txnType',
  'version',
]

/** An answer signed as the vendor signs it, with the request's own fields repeated. */
export const answering =
  (changes: Message, options: { readonly status?: number } = {}): Reply =>
  ({ fields }) => {
    const echo = Object.fromEntries(ECHOED.map((name) => [name, fields[name] ?? '']))
    return new Response(rawOf(signedBy({ ...echo, ...changes })), { status: options.status ?? 200 })
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
      const body = await request.text()
      const item = {
        path: new URL(request.url).pathname,
        headers: Object.fromEntries(request.headers),
        body,
        fields: Object.fromEntries(new URLSearchParams(body)),
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
