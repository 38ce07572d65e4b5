/** What an operator can decide about a case. `refused` and `succeeded` are his word about a refund. */
export const CASE_DECISIONS = [
  'keep_open',
  'write_off',
  'accept',
  'refund',
  'revive',
  'retry',
  'refused',
  'succeeded',
] as const

export type CaseDecision = (typeof CASE_DECISIONS)[number]

/** What can be decided about any case: nothing yet, or that it is to be left as it is. */
const ALWAYS: readonly CaseDecision[] = ['keep_open', 'write_off']

/** Payment rules, section 4: what else a kind allows. */
const BY_KIND: ReadonlyMap<string, readonly CaseDecision[]> = new Map<
  string,
  readonly CaseDecision[]
>([
  ['amount_differs', ['accept', 'refund']],
  // A second payment cannot revive an order that is paid.
  ['late_payment', ['revive', 'refund']],
  ['excess_payment', ['refund']],
  ['refund_refused', ['retry']],
  ['refund_abnormal', ['retry', 'refused', 'succeeded']],
  ['refund_unknown', ['retry', 'refused', 'succeeded']],
  // It was never sent, or surely not executed, so nobody can have paid it.
  ['refund_not_available', ['refused']],
  ['refund_waiting', ['refused']],
  ['points_refused', ['retry']],
  ['event_dead', ['retry']],
  // Its payment may have turned up: it is judged anew (OR-04).
  ['unknown_payment', ['retry']],
  ['payment_not_paid', ['retry']],
])

/** The decisions that a case of this kind allows. */
export const decisionsFor = (kind: string): readonly CaseDecision[] => [
  ...ALWAYS,
  ...(BY_KIND.get(kind) ?? []),
]

/**
 * Kinds behind `money_in_doubt`: money of the payment may have moved in another way than we think. While one is open, the payment is neither closed nor paid anew. */
export const DOUBT_KINDS = ['amount_differs', 'currency_differs', 'identity_differs'] as const

export const isDoubtKind = (kind: string): boolean => DOUBT_KINDS.some((doubt) => doubt === kind)
