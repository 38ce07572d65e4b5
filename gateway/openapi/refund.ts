import { refundFilter } from '../route/refund-list.ts'
import { refundExample } from './example.ts'
import { show } from './operation.ts'
import type { Operation } from './operation.ts'

/** Refunds. */
export const refundOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/payments/{id}/refunds',
    id: 'createRefund',
    tag: 'refund',
    scope: 'refund:write',
    summary: 'Give money of a payment back',
    isKeyed: true,
    body: show('RefundRequest', 'How much, and why', {
      amount: 500,
      refund_number: 'refund-77',
      reason: 'One cup arrived broken',
    }),
    answers: { 202: show('Refund', 'Reserved; the vendor is asked next', refundExample) },
    problems: {
      404: ['payment_not_found'],
      409: ['not_refundable', 'refund_number_differs'],
      422: ['refund_not_available'],
    },
  },
  {
    method: 'get',
    path: '/v1/payments/{id}/refunds',
    id: 'listRefundsOfPayment',
    tag: 'refund',
    scope: 'refund:read',
    summary: 'The refunds of a payment, the oldest first',
    answers: { 200: show('RefundList', 'All of them', { object: 'list', data: [refundExample] }) },
    problems: { 404: ['payment_not_found'] },
  },
  {
    method: 'get',
    path: '/v1/refunds',
    id: 'listRefunds',
    tag: 'refund',
    scope: 'refund:read',
    summary:
      "Refunds, the newest first; by `refund_number`, the one that has the merchant's number",
    query: refundFilter,
    answers: {
      200: show('RefundPage', 'A page', {
        object: 'list',
        data: [refundExample],
        next_cursor: null,
      }),
    },
  },
  {
    method: 'get',
    path: '/v1/refunds/{id}',
    id: 'readRefund',
    tag: 'refund',
    scope: 'refund:read',
    summary: 'A refund',
    answers: {
      200: show('Refund', 'As it stands', {
        ...refundExample,
        state: 'succeeded',
        channel_refund_id: '50300007032026030212345678901',
        points_taken_back: 5,
        succeeded_at: '2026-03-02T08:30:09.000Z',
      }),
    },
    problems: { 404: ['refund_not_found'] },
  },
]
