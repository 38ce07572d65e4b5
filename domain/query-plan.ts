import { addMs } from './time.ts'
import type { PaymentState } from './state.ts'

const MS_PER_SECOND = 1000
const DAY_SECONDS = 86_400
/** Until bills tell: a payment that nobody could decide in this time goes to a person. */
export const QUERY_DAYS_MAX = 7

export interface QueryPlanInput {
  readonly state: PaymentState
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly now: Date
  /** Seconds after creation at which the vendor is asked: a capability of the channel. */
  readonly paceSeconds: readonly number[]
  /** Seconds after expiry until the vendor's own deadline has surely passed. */
  readonly marginSeconds: number
}

/** `give_up`: nobody could decide it, so a person does; a closed payment simply rests. */
export type QueryPlan =
  | { readonly kind: 'at'; readonly at: Date }
  | { readonly kind: 'give_up' }
  | { readonly kind: 'rest' }

/**
 * When to ask about a payment next (design, section 6): at the vendor's pace, at expiry, then daily.
 *
 * A closed payment is asked about daily, too: its late money must not depend on a callback.
 */
export function planQuery(input: QueryPlanInput): QueryPlan {
  const { state, createdAt, now } = input
  if (state === 'paid') return { kind: 'rest' }
  const closeAt = addMs(input.expiresAt, input.marginSeconds * MS_PER_SECOND)
  const paced = input.paceSeconds
    .map((seconds) => addMs(createdAt, seconds * MS_PER_SECOND))
    .filter((at) => at < closeAt)
  const isOpen = state === 'created' || state === 'pending'
  const next = (isOpen ? [...paced, closeAt] : []).find((at) => at > now)
  if (next !== undefined) return { kind: 'at', at: next }
  const endsAt = addMs(closeAt, QUERY_DAYS_MAX * DAY_SECONDS * MS_PER_SECOND)
  if (now >= endsAt) return { kind: isOpen ? 'give_up' : 'rest' }
  return { kind: 'at', at: addMs(now, DAY_SECONDS * MS_PER_SECOND) }
}
