import type { RefundPart, RefundRequest } from '#channel/channel'
import { assert } from '#domain/assert'
import { parseRefundId } from '#domain/id'
import type { RefundId } from '#domain/id'
import { cny } from '#domain/money'
import { reference } from './support.ts'
import type { Built } from './support.ts'

export const refundId: RefundId = (() => {
  const id = parseRefundId('r0123456789abcdefghijklmno')
  assert(id !== undefined, 'the test id is a refund id')
  return id
})()

/** A part of a payment of 100.00. */
export const refundRequest: RefundRequest = {
  refundId,
  payment: reference,
  paid: cny(10_000n),
  amount: cny(3000n),
  reason: 'demo',
  callbackUrl: 'https://pay.example.com/callback/a',
}

export function partOf({ channel }: Pick<Built, 'channel'>): RefundPart {
  assert(channel.refund !== undefined, 'the channel has refunds')
  return channel.refund
}
