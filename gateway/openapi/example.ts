import type { Shown } from './component.ts'

/** Examples that several operations show. The ids belong to no real row. */
export const paymentExample: Shown<'Payment'> = {
  id: 'p01mvz0p4x2mhd3k8c0y9f6q7ra',
  object: 'payment',
  state: 'pending',
  disposition: null,
  method: 'qr',
  wallet: null,
  amount: 1999,
  received_amount: null,
  refunded: 0,
  currency: 'CNY',
  subject: 'Tea set',
  channel_account: 'a01mvz0nq7c5t2w9e4r8y1u3o6p',
  channel_payment_id: null,
  wallet_payment_id: null,
  refusal_code: null,
  order: { order_number: 'order-1001', state: 'unpaid', user_id: 'user-1' },
  next_action: {
    type: 'qr_code',
    content: 'weixin://wxpay/bizpayurl?pr=7Xq2',
    svg_url: 'https://pay.example.com/v1/payments/p01mvz0p4x2mhd3k8c0y9f6q7ra/qr.svg',
    png_url: 'https://pay.example.com/v1/payments/p01mvz0p4x2mhd3k8c0y9f6q7ra/qr.png',
  },
  pay_url: 'https://pay.example.com/pay/p01mvz0p4x2mhd3k8c0y9f6q7ra',
  created_at: '2026-03-01T04:00:00.000Z',
  expires_at: '2026-03-01T04:15:00.000Z',
  paid_at: null,
}

export const paidExample: Shown<'Payment'> = {
  ...paymentExample,
  state: 'paid',
  disposition: 'counted',
  channel_payment_id: '4200002001202603011234567890',
  order: { order_number: 'order-1001', state: 'paid', user_id: 'user-1' },
  next_action: null,
  paid_at: '2026-03-01T04:01:07.000Z',
}

export const orderExample: Shown<'Order'> = {
  object: 'order',
  order_number: 'order-1001',
  user_id: 'user-1',
  amount: 1999,
  currency: 'CNY',
  state: 'paid',
  close_wanted: false,
  paid_payment: paymentExample.id,
  created_at: '2026-03-01T04:00:00.000Z',
}

export const refundExample: Shown<'Refund'> = {
  id: 'r01mvz1c8s4g6h2j9k3l5m7n0bv',
  object: 'refund',
  payment: paymentExample.id,
  refund_number: 'refund-77',
  state: 'requested',
  origin: 'merchant',
  amount: 500,
  currency: 'CNY',
  reason: 'One cup arrived broken',
  channel_refund_id: null,
  refusal_code: null,
  points_taken_back: 0,
  created_at: '2026-03-02T08:30:00.000Z',
  succeeded_at: null,
}

export const eventExample: Shown<'Event'> = {
  id: 'e01mvz0pk3d5f7g9h1j2k4l6z8x',
  object: 'event',
  subject: paymentExample.id,
  content: {
    type: 'payment.paid',
    timestamp: '2026-03-01T04:01:08.120Z',
    data: {
      payment: { id: paymentExample.id, state: 'paid', amount: 1999, currency: 'CNY' },
      order: { order_number: 'order-1001', state: 'paid', user_id: 'user-1' },
      sequence: 1,
    },
  },
}

export const endpointExample: Shown<'EventEndpoint'> = {
  id: 'w01mvz0m2n4b6v8c0x1z3a5s7df',
  object: 'event_endpoint',
  url: 'https://shop.example.com/pingzhang',
  failures: 0,
  paused_until: null,
  created_at: '2026-02-28T02:00:00.000Z',
}

export const caseExample: Shown<'Case'> = {
  id: 'c01mvz2d9f1g3h5j7k8l0q2w4er',
  object: 'case',
  kind: 'amount_differs',
  subject: paymentExample.id,
  state: 'open',
  evidence: { notification: 'n01mvz2d8r6t4y2u0i9o7p5a3sd', expected: 1999, received: 1998 },
  opened_at: '2026-03-01T04:01:08.120Z',
  resolved_at: null,
}

export const reconciliationExample: Shown<'Reconciliation'> = {
  id: 'h01mw0k5z7x9c1v3b5n2m4q6w8e',
  object: 'reconciliation',
  channel: 'wechat_pay',
  vendor_merchant: '1900000109',
  business_date: '2026-03-01',
  version: 1,
  lines: 1204,
  matched: 1203,
  our_amount: 2405998,
  their_amount: 2407997,
  created_at: '2026-03-02T02:05:00.000Z',
}

export const discrepancyExample: Shown<'Discrepancy'> = {
  id: 'f01mw0k60a2s4d6f8g1h3j5k7lz',
  object: 'discrepancy',
  kind: 'missing_here',
  subject_kind: 'payment',
  subject: paymentExample.id,
  business_date: '2026-03-01',
  state: 'repairing',
  our_amount: null,
  their_amount: 1999,
  evidence: { channel_payment_id: '4200002001202603011234567890' },
  decision: null,
  reason: null,
  decided_by: null,
  version: 1,
  opened_at: '2026-03-02T02:05:00.000Z',
  resolved_at: null,
}
