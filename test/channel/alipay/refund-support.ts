import type { RefundRequest } from '#channel/channel'
import { cny } from '#domain/money'
import { refundId } from '../support.ts'
import { channelPaymentId, reference } from './support.ts'

/** A part of a payment of 88.88. */
export const refundRequest: RefundRequest = {
  refundId,
  payment: { ...reference, channelPaymentId },
  paid: cny(8888n),
  amount: cny(3005n),
  reason: '退货',
  callbackUrl: 'https://pay.example.com/callback/a',
}
