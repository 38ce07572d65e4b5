import { caseFilter } from '../route/case.ts'
import { discrepancyFilter, reconciliationFilter } from '../route/reconciliation.ts'
import { caseExample, discrepancyExample, reconciliationExample } from './example.ts'
import { show } from './operation.ts'
import type { Operation } from './operation.ts'

const notFound = { 404: ['reconciliation_not_found'] }

/** What merchants only read: cases, reconciliations, and what the channels can do. */
export const bookOperations: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/cases',
    id: 'listCases',
    tag: 'case',
    scope: 'case:read',
    summary: 'What waits for a person, the oldest first; operators decide',
    query: caseFilter,
    answers: {
      200: show('CasePage', 'A page', { object: 'list', data: [caseExample], next_cursor: null }),
    },
  },
  {
    method: 'get',
    path: '/v1/cases/{id}',
    id: 'readCase',
    tag: 'case',
    scope: 'case:read',
    summary: 'A case',
    answers: {
      200: show('Case', 'As it stands', {
        ...caseExample,
        state: 'resolved',
        resolved_at: '2026-03-01T06:00:00.000Z',
      }),
    },
    problems: { 404: ['case_not_found'] },
  },
  {
    method: 'get',
    path: '/v1/reconciliations',
    id: 'listReconciliations',
    tag: 'reconciliation',
    scope: 'reconciliation:read',
    summary: "How each day's bill compares with our books, the newest first",
    query: reconciliationFilter,
    answers: {
      200: show('ReconciliationPage', 'A page', {
        object: 'list',
        data: [reconciliationExample],
        next_cursor: null,
      }),
    },
  },
  {
    method: 'get',
    path: '/v1/reconciliations/{id}',
    id: 'readReconciliation',
    tag: 'reconciliation',
    scope: 'reconciliation:read',
    summary: 'A comparison',
    answers: { 200: show('Reconciliation', 'Its figures', reconciliationExample) },
    problems: notFound,
  },
  {
    method: 'get',
    path: '/v1/reconciliations/{id}/discrepancies',
    id: 'listDiscrepancies',
    tag: 'reconciliation',
    scope: 'reconciliation:read',
    summary: 'What did not match',
    query: discrepancyFilter,
    answers: {
      200: show('DiscrepancyPage', 'A page', {
        object: 'list',
        data: [discrepancyExample],
        next_cursor: null,
      }),
    },
    problems: notFound,
  },
  {
    method: 'get',
    path: '/v1/reconciliations/{id}/discrepancies.csv',
    id: 'downloadDiscrepancies',
    tag: 'reconciliation',
    scope: 'reconciliation:read',
    summary: 'What did not match, as a file',
    answers: { 200: { about: 'The file, in UTF-8', file: 'text/csv' } },
    problems: { ...notFound, 409: ['reconciliation_superseded'] },
  },
  {
    method: 'get',
    path: '/v1/capabilities',
    id: 'listCapabilities',
    tag: 'capability',
    scope: 'payment:read',
    summary: 'What the channels of this program can do, whatever accounts a merchant has',
    answers: {
      200: show('CapabilityList', 'All of them', {
        object: 'list',
        data: [
          {
            channel: 'wechat_pay',
            methods: ['qr', 'h5', 'jsapi', 'mini_program', 'app'],
            wallets: null,
            close: true,
            refund: true,
            bill: true,
            expires_in_s: { min: 60, max: 604800 },
          },
        ],
      }),
    },
  },
]
