import { addMs } from './time.ts'

/** What a merchant's own systems are told. */
export type EventType =
  'payment.paid' | 'payment.closed' | 'refund.succeeded' | 'refund.refused' | 'case.opened'

export const EVENT_TYPES: readonly EventType[] = [
  'payment.paid',
  'payment.closed',
  'refund.succeeded',
  'refund.refused',
  'case.opened',
]

const MINUTE = 60
const HOUR = 3600
/** Seconds before each attempt, counted from the one before: 16 attempts in about 23 hours. */
export const ATTEMPT_DELAYS_SECONDS: readonly number[] = [
  0,
  5,
  30,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  20 * MINUTE,
  30 * MINUTE,
  HOUR,
  HOUR,
  HOUR,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  5 * HOUR,
  8 * HOUR,
]

/** Endpoints that failed together must not be called together again. */
const JITTER = 0.1
const MS_PER_SECOND = 1000

/**
 * When to try again after so many attempts; `undefined` after the last. `chance` lies in [0, 1) and moves
 * the pause by up to a tenth.
 */
export function nextAttemptAt(attempts: number, last: Date, chance: number): Date | undefined {
  const seconds = ATTEMPT_DELAYS_SECONDS[attempts]
  if (seconds === undefined) return undefined
  const factor = 1 + JITTER * (2 * chance - 1)
  return addMs(last, Math.round(seconds * MS_PER_SECOND * factor))
}
