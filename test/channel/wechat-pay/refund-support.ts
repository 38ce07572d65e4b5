import type { RefundRequest } from '#channel/channel'
import { cny } from '#domain/money'
import { refundId } from '../support.ts'
import { reference } from './support.ts'

/** A part of a payment of 100.00. */
export const refundRequest: RefundRequest = {
  refundId,
  payment: reference,
  paid: cny(10_000n),
  amount: cny(3000n),
  reason: 'demo',
  callbackUrl: 'https://pay.example.com/callback/a',
}
