import { vendorStarter } from '../tiny-vendor.ts'
import type { ReplyTo, TinyVendorOf } from '../tiny-vendor.ts'
import { buildChannel, notifiedAt, vendorHeaders } from './support.ts'

export interface Heard {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Reply = ReplyTo<Heard>
export type TinyVendor = TinyVendorOf<Heard>

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

export const startVendor = vendorStarter<Heard>({
  build: buildChannel,
  settingsAt: (url) => ({ base_url: url }),
  async hear(request) {
    const url = new URL(request.url)
    return {
      method: request.method,
      target: url.pathname + url.search,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    }
  },
})
