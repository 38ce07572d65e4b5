import type { RefundOutcome, RefundQueryOutcome, RefundRequest } from '#channel/channel'
import { cny } from '#domain/money'
import { partOf, paymentId, refundId } from '../support.ts'
import type { ChannelSetup } from '../support.ts'
import { reference } from './support.ts'
import type { Message } from './support.ts'
import { answering, startVendor } from './vendor.ts'
import type { Reply, TinyVendor } from './vendor.ts'

/** A later second than the payment's. */
export const refundTime = '20260315093000'
export const origQryId = '782603141015300001238'
export const queryId = '512603150930000002348'

export const request: RefundRequest = {
  refundId,
  payment: { ...reference, channelPaymentId: origQryId },
  paid: cny(12_800n),
  amount: cny(3000n),
  reason: 'too big',
  callbackUrl: 'https://pay.example.com/callback/a',
  vendorTime: refundTime,
}

export async function submit(
  reply: Reply,
  changes: Partial<RefundRequest> = {},
  setup: ChannelSetup = {},
) {
  await using vendor = startVendor([reply], setup)
  const outcome: RefundOutcome = await partOf(vendor).submit(
    { ...request, ...changes },
    vendor.record,
  )
  return { outcome, vendor }
}

export async function query(
  reply: Reply,
  changes: Partial<RefundRequest> = {},
  setup: ChannelSetup = {},
) {
  await using vendor = startVendor([reply], setup)
  const outcome: RefundQueryOutcome = await partOf(vendor).query(
    { ...request, ...changes },
    vendor.record,
  )
  return { outcome, vendor }
}

/** UnionPay dossier, section 6.4: an answer to a refund repeats its amount and the payment's number. */
export const accepted: Message = {
  origQryId,
  queryId,
  respCode: '00',
  respMsg: '成功',
  txnAmt: '3000',
}
/** Section 3.1: an answer to a query tells of the transaction, its kind included. */
export const ended: Message = {
  ...accepted,
  currencyCode: '156',
  origRespCode: '00',
  origRespMsg: '成功[0000000]',
  reqReserved: paymentId,
  settleAmt: '2980',
  settleDate: '0315',
  traceNo: '000234',
  traceTime: '0315093001',
  txnSubType: '00',
  txnType: '04',
}

export const fieldsOf = ({ heard }: TinyVendor): Message => heard[0]?.fields ?? {}

/** After each of these nobody knows whether the refund was taken (payment rules, section 5; RF-13). */
export const DOUBTS: readonly (readonly [string, Reply])[] = [
  ['no answer in time', () => new Promise<Response>(() => undefined)],
  ['502 with a page', () => new Response('<html>bad gateway</html>', { status: 502 })],
  ['a page with 200', () => new Response('<html>welcome</html>')],
  ['an empty body', () => new Response('')],
  ['500 with a genuine message', answering(ended, { status: 500 })],
  ['a signature over other bytes', (heard) => tampered(heard)],
  ['no signature', ({ fields }) => new Response(`respCode=00&orderId=${fields['orderId']}`)],
  ['no code', answering({ ...ended, respCode: '' })],
]

async function tampered(heard: Parameters<Reply>[0]): Promise<Response> {
  const good = await (await answering(ended)(heard)).text()
  return new Response(good.replace('txnAmt=3000', 'txnAmt=3001'))
}

export const SHORT = { deps: { timeoutMs: 50 } }
