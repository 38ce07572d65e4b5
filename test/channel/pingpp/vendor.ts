import { vendorStarter } from '../tiny-vendor.ts'
import type { ReplyTo, TinyVendorOf } from '../tiny-vendor.ts'
import { buildChannel, vendorHeaders } from './support.ts'

export interface Heard {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Reply = ReplyTo<Heard>
export type TinyVendor = TinyVendorOf<Heard>

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

export const startVendor = vendorStarter<Heard>({
  build: buildChannel,
  settingsAt: (url) => ({ base_url: url }),
  hear: async (request) => ({
    method: request.method,
    // As sent: an empty query is a query where the address is signed.
    target: request.url.slice(new URL(request.url).origin.length),
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  }),
})
