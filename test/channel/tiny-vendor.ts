import type { Built, BuildChannel, ChannelSetup } from './support.ts'

/** One answer to a request, which the vendor's tests see as they like. */
export type ReplyTo<Heard> = (heard: Heard) => Response | Promise<Response>

export interface TinyVendorOf<Heard> extends AsyncDisposable, Built {
  readonly heard: readonly Heard[]
  readonly host: string
}

interface Kind<Heard> {
  readonly build: BuildChannel
  /** The settings that lead to the vendor. */
  readonly settingsAt: (url: string) => Readonly<Record<string, unknown>>
  readonly hear: (request: Request) => Promise<Heard>
}

/**
 * Starts vendors on a loopback port, each with a channel that talks to it.
 *
 * Replies are used in turn; the last one is used on. Not the emulator: one test, a few answers.
 */
export const vendorStarter =
  <Heard>({ build, settingsAt, hear }: Kind<Heard>) =>
  (replies: readonly ReplyTo<Heard>[], setup: ChannelSetup = {}): TinyVendorOf<Heard> => {
    const heard: Heard[] = []
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch(request) {
        const item = await hear(request)
        heard.push(item)
        const reply = replies[Math.min(heard.length, replies.length) - 1]
        return reply?.(item) ?? new Response('no reply', { status: 500 })
      },
    })
    const host = `127.0.0.1:${server.port}`
    const built = build({
      ...setup,
      settings: { ...settingsAt(`http://${host}`), ...setup.settings },
      deps: {
        fetch: (url, init) => fetch(url, init),
        localHosts: [host, '127.0.0.1:1'],
        ...setup.deps,
      },
    })
    return { ...built, heard, host, [Symbol.asyncDispose]: () => server.stop(true) }
  }
