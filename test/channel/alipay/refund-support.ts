import type { RefundPart, RefundRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import { parseRefundId } from '#domain/id'
import type { RefundId } from '#domain/id'
import { cny } from '#domain/money'
import { channelPaymentId, reference } from './support.ts'
import type { Built } from './support.ts'

export const refundId: RefundId = (() => {
  const id = parseRefundId('r0123456789abcdefghijklmno')
  assert(id !== undefined, 'the test id is a refund id')
  return id
})()

/** A part of a payment of 88.88. */
export const refundRequest: RefundRequest = {
  refundId,
  payment: { ...reference, channelPaymentId },
  paid: cny(8888n),
  amount: cny(3005n),
  reason: '退货',
  callbackUrl: 'https://pay.example.com/callback/a',
}

export function partOf({ channel }: Pick<Built, 'channel'>): RefundPart {
  assert(channel.refund !== undefined, 'the channel has refunds')
  return channel.refund
}
