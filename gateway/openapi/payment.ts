import { paymentFilter } from '../route/payment-list.ts'
import { orderExample, paidExample, paymentExample } from './example.ts'
import { show } from './operation.ts'
import type { Operation } from './operation.ts'

const notFound = { 404: ['payment_not_found'] }

const closedOrder = {
  ...orderExample,
  state: 'closed',
  close_wanted: true,
  paid_payment: null,
} as const

/** Payments, their orders and their codes. */
export const paymentOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/payments',
    id: 'createPayment',
    tag: 'payment',
    scope: 'payment:write',
    summary: 'Ask for a payment',
    isKeyed: true,
    body: show('PaymentRequest', 'What is to be paid, and how', {
      order_number: 'order-1001',
      user_id: 'user-1',
      amount: 1999,
      currency: 'CNY',
      method: 'qr',
      subject: 'Tea set',
      client_ip: '203.0.113.7',
      channel: 'wechat_pay',
    }),
    answers: {
      201: show('Payment', 'A new attempt; `next_action` says what comes next', paymentExample),
      200: show('Payment', 'The live attempt of the same order and method', paymentExample),
      202: show('Payment', "The vendor's answer is not known yet; ask again", {
        ...paymentExample,
        state: 'created',
        next_action: null,
      }),
    },
    problems: {
      409: [
        'order_amount_differs',
        'order_not_payable',
        'money_in_doubt',
        'several_channel_accounts',
      ],
      422: [
        'no_channel_account',
        'expires_in_s_invalid',
        'method_not_available',
        'wallet_missing',
        'wallet_not_available',
      ],
      502: ['channel_refused'],
    },
  },
  {
    method: 'get',
    path: '/v1/payments',
    id: 'listPayments',
    tag: 'payment',
    scope: 'payment:read',
    summary: 'Payments, the newest first; by `order_number`, all attempts of an order',
    query: paymentFilter,
    answers: {
      200: show('PaymentPage', 'A page', {
        object: 'list',
        data: [paidExample],
        next_cursor: paidExample.id,
      }),
    },
  },
  {
    method: 'get',
    path: '/v1/payments/{id}',
    id: 'readPayment',
    tag: 'payment',
    scope: 'payment:read',
    summary: 'A payment',
    answers: { 200: show('Payment', 'As it stands', paidExample) },
    problems: notFound,
  },
  {
    method: 'post',
    path: '/v1/payments/{id}/close',
    id: 'closePayment',
    tag: 'payment',
    scope: 'payment:write',
    summary: 'End a payment at the vendor; one that is paid or closed is returned as it is',
    isKeyed: true,
    answers: {
      200: show('Payment', 'As it stands', {
        ...paymentExample,
        state: 'closed',
        next_action: null,
      }),
    },
    problems: {
      ...notFound,
      409: ['close_not_available', 'close_too_early', 'payment_is_paid', 'payment_moved'],
      503: ['close_unknown'],
    },
  },
  {
    method: 'post',
    path: '/v1/payments/{id}/query',
    id: 'queryPayment',
    tag: 'payment',
    scope: 'payment:write',
    summary: 'Ask the vendor soon, and not only when its time has come',
    answers: { 202: show('Payment', 'As it stands before the answer', paymentExample) },
    problems: notFound,
  },
  {
    method: 'get',
    path: '/v1/payments/{id}/timeline',
    id: 'readTimeline',
    tag: 'payment',
    scope: 'payment:read',
    summary: 'The whole story of a payment: every message and every move, the oldest first',
    answers: {
      200: show('Timeline', 'The story', {
        object: 'list',
        data: [
          {
            at: '2026-03-01T04:01:08.120Z',
            kind: 'state',
            subject: `payment ${paymentExample.id}`,
            content: { from: 'pending', to: 'paid', witness: 'callback' },
          },
        ],
        has_more: false,
      }),
    },
    problems: notFound,
  },
  {
    method: 'get',
    path: '/v1/payments/{id}/qr.svg',
    id: 'drawCodeAsSvg',
    tag: 'payment',
    summary: 'The code of a payment that can be paid',
    answers: { 200: { about: 'The code', file: 'image/svg+xml' } },
    problems: { 404: ['qr_code_not_found'] },
  },
  {
    method: 'get',
    path: '/v1/payments/{id}/qr.png',
    id: 'drawCodeAsPng',
    tag: 'payment',
    summary: 'The code of a payment that can be paid',
    answers: { 200: { about: 'The code', file: 'image/png' } },
    problems: { 404: ['qr_code_not_found'] },
  },
  {
    method: 'get',
    path: '/v1/orders/{order_number}',
    id: 'readOrder',
    tag: 'payment',
    scope: 'payment:read',
    summary: "An order by the merchant's own number",
    answers: { 200: show('Order', 'As it stands', orderExample) },
    problems: { 404: ['order_not_found'] },
  },
  {
    method: 'post',
    path: '/v1/orders/{order_number}/close',
    id: 'closeOrder',
    tag: 'payment',
    scope: 'payment:write',
    summary: 'Take no money for an order any more',
    isKeyed: true,
    answers: {
      200: show('Order', 'It is closed', closedOrder),
      202: show('Order', 'It closes when its last attempt has ended', {
        ...closedOrder,
        state: 'unpaid',
      }),
    },
    problems: { 404: ['order_not_found'], 409: ['order_is_paid'] },
  },
]
