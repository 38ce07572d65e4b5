import type { ChannelAccountId } from '#domain/id'
import type { Clock } from '#domain/time'

const MINUTE_MS = 60_000

interface Window {
  readonly startedAt: number
  readonly count: number
}

export interface QueryLimit {
  /** Takes one call of an account's minute; false when the minute is used up. */
  take(account: ChannelAccountId, perMinuteMax: number): boolean
}

/**
 * Keeps this worker's queries below what a vendor allows an account.
 *
 * Each worker counts for itself and takes half of the allowance, so that two fit; a vendor that is asked
 * too often says so, and that answer is unknown like any other.
 */
export function createQueryLimit(clock: Clock): QueryLimit {
  const windows = new Map<ChannelAccountId, Window>()
  return {
    take(account, perMinuteMax) {
      const now = clock.now().getTime()
      const known = windows.get(account)
      const window =
        known !== undefined && now - known.startedAt < MINUTE_MS
          ? known
          : { startedAt: now, count: 0 }
      if (window.count >= Math.max(1, Math.floor(perMinuteMax / 2))) return false
      windows.set(account, { ...window, count: window.count + 1 })
      return true
    },
  }
}
