import type { Channel, CreateOutcome, PaymentRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import { paymentId } from '../support.ts'
import type { Built } from '../support.ts'
import { vendorStarter } from '../tiny-vendor.ts'
import type { ReplyTo, TinyVendorOf } from '../tiny-vendor.ts'
import { buildChannel, channelPaymentId, requestOf, signText, vendorPem } from './support.ts'
import type { Fields } from './support.ts'

export interface Heard {
  readonly query: Fields
  readonly body: Fields
  readonly headers: Fields
  readonly api: string
}

export type Reply = ReplyTo<Heard>
export type TinyVendor = TinyVendorOf<Heard>

/** The name of an answer's node. */
export const nodeName = (api: string): string => `${api.replaceAll('.', '_')}_response`

/** An answer signed as the vendor signs it. The vendor says text/html of its JSON, and so does this. */
export const answer = (
  name: string,
  node: string,
  { pem = vendorPem, digest = '' }: { readonly pem?: string; readonly digest?: string } = {},
): Response => {
  const certificate = digest === '' ? '' : `"alipay_cert_sn":"${digest}",`
  return html(`{"${name}":${node},${certificate}"sign":"${signText(node, pem)}"}`)
}

export const html = (body: string, status = 200): Response =>
  new Response(body, { status, headers: { 'content-type': 'text/html;charset=utf-8' } })

export const done =
  (changes: Readonly<Record<string, unknown>> = {}): Reply =>
  ({ api }) =>
    answer(
      nodeName(api),
      JSON.stringify({ code: '10000', msg: 'Success', out_trade_no: paymentId, ...changes }),
    )

export const failure = (code: string, subCode: string, more: object = {}): string =>
  JSON.stringify({ code, msg: 'Business Failed', sub_code: subCode, sub_msg: '失败', ...more })

export const refusal =
  (code: string, subCode: string): Reply =>
  ({ api }) =>
    answer(nodeName(api), failure(code, subCode))

/** The gateway's refusals before it knows the app carry no signature (dossier, section 1.5). */
export const unsigned =
  (code: string, subCode: string, name?: string): Reply =>
  ({ api }) =>
    html(`{"${name ?? nodeName(api)}":${failure(code, subCode)}}`)

/** What a query answers of a payment (dossier, section 3.1). */
export const paymentOf = (changes: Readonly<Record<string, unknown>> = {}) => ({
  trade_no: channelPaymentId,
  trade_status: 'TRADE_SUCCESS',
  total_amount: '88.88',
  receipt_amount: '80.00',
  buyer_pay_amount: '80.00',
  point_amount: '0.00',
  invoice_amount: '80.00',
  send_pay_date: '2026-01-31 23:59:58',
  buyer_logon_id: '159****5620',
  ...changes,
})

export const startVendor = vendorStarter<Heard>({
  build: buildChannel,
  settingsAt: (url) => ({ gateway_url: `${url}/gateway.do` }),
  async hear(request) {
    const query = Object.fromEntries(new URL(request.url).searchParams)
    return {
      query,
      api: query['method'] ?? '',
      headers: Object.fromEntries(request.headers),
      body: Object.fromEntries(new URLSearchParams(await request.text())),
    }
  },
})

/** Prepares and creates a payment. */
export function create(
  { channel, record }: { readonly channel: Channel; readonly record: Built['record'] },
  changes: Partial<PaymentRequest> = {},
): Promise<CreateOutcome> {
  const outcome = channel.preparePayment(requestOf(changes))
  assert(outcome.kind === 'prepared', 'the test request is good')
  return channel.createPayment(outcome.prepared, record)
}
