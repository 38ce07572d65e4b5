import type { DiscrepancyState } from './state.ts'

/** How a bill and our rows can differ (design, section 8; payment rules, section 8). */
export const DISCREPANCY_KINDS = [
  'missing_here',
  'missing_there',
  'amount_differs',
  'state_differs',
  'fee_differs',
  'number_differs',
  'duplicate',
  'foreign',
  'unclassified',
  'points_differ',
] as const

export type DiscrepancyKind = (typeof DISCREPANCY_KINDS)[number]

export const DISCREPANCY_STATES = [
  'held',
  'open',
  'repairing',
  'resolved',
] as const satisfies readonly DiscrepancyState[]

/** What an operator can decide about a discrepancy (design, section 8). */
export const DISCREPANCY_DECISIONS = [
  /** Ask the vendor again and take what it says; of points, give what is still to be given. */
  'recover',
  /** Give the money back. */
  'refund',
  'write_off',
  /** Take the vendor's amount as what was received. */
  'adjust',
  'keep_open',
  'reopen',
] as const

export type DiscrepancyDecision = (typeof DISCREPANCY_DECISIONS)[number]

/** What each decision needs beside a reason. */
interface Rule {
  readonly states: readonly string[]
  readonly kinds?: readonly string[]
  readonly subjects?: readonly string[]
}

const RULES: Readonly<Record<DiscrepancyDecision, Rule>> = {
  recover: {
    states: ['open', 'held'],
    kinds: ['missing_here', 'missing_there', 'state_differs', 'points_differ'],
    subjects: ['payment', 'refund', 'points'],
  },
  refund: {
    states: ['open'],
    kinds: ['missing_here', 'amount_differs', 'state_differs', 'duplicate'],
    subjects: ['payment'],
  },
  adjust: { states: ['open'], kinds: ['amount_differs'], subjects: ['payment'] },
  write_off: { states: ['open', 'held'] },
  keep_open: { states: ['open'] },
  reopen: { states: ['resolved'] },
}

/** Whether a decision fits a discrepancy as it stands. */
export function isAllowed(
  decision: DiscrepancyDecision,
  row: { readonly state: string; readonly kind: string; readonly subject_kind: string },
): boolean {
  const { states, kinds, subjects } = RULES[decision]
  return (
    states.includes(row.state) &&
    (kinds === undefined || kinds.includes(row.kind)) &&
    (subjects === undefined || subjects.includes(row.subject_kind))
  )
}
