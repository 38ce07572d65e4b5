import { vendorStarter } from '../tiny-vendor.ts'
import type { ReplyTo, TinyVendorOf } from '../tiny-vendor.ts'
import { buildChannel, rawOf, signedBy } from './support.ts'
import type { Message } from './support.ts'

export interface Heard {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The body's fields, escapes undone. */
  readonly fields: Message
}

export type Reply = ReplyTo<Heard>
export type TinyVendor = TinyVendorOf<Heard>

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

export const startVendor = vendorStarter<Heard>({
  build: buildChannel,
  settingsAt: (url) => ({ base_url: url, file_url: url }),
  async hear(request) {
    const body = await request.text()
    return {
      path: new URL(request.url).pathname,
      headers: Object.fromEntries(request.headers),
      body,
      fields: Object.fromEntries(new URLSearchParams(body)),
    }
  },
})
