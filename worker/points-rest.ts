import { addMs } from '#domain/time'
import type { Clock } from '#domain/time'

const FAILURES_BEFORE_REST = 5
const REST_MS = 1000
const REST_MS_MAX = 60_000
const DOUBLINGS_MAX = 6
/** Longer than the points system may tell us to stay away: the sweeper's own pace is no slower. */
const WISH_MS_MAX = 3_600_000

/** Keeps this worker from hammering a points system that is down, or that asks for less. */
export interface PointsRest {
  /** Until when nothing may be asked; `undefined`: ask. */
  until(): Date | undefined
  /** As `until`, and counts a call that may go; each is followed by `hear`. */
  enter(): Date | undefined
  hear(answer: { readonly isFailure: boolean; readonly wishMs?: number | undefined }): void
}

/**
 * After five failures in a row everything rests, each time twice as long, up to a minute; then one call at a
 * time finds out. The points system's own wish (Retry-After) counts at once.
 */
export function createPointsRest(clock: Clock): PointsRest {
  let failures = 0
  let running = 0
  let restsUntil: Date | undefined

  function until(): Date | undefined {
    const now = clock.now()
    if (restsUntil !== undefined && now < restsUntil) return restsUntil
    const isProbed = failures >= FAILURES_BEFORE_REST && running > 0
    return isProbed ? addMs(now, REST_MS) : undefined
  }

  return {
    until,
    enter() {
      const rest = until()
      if (rest === undefined) running += 1
      return rest
    },
    hear({ isFailure, wishMs = 0 }) {
      running -= 1
      if (!isFailure) {
        failures = 0
        restsUntil = undefined
        return
      }
      failures += 1
      const doublings = Math.min(DOUBLINGS_MAX, failures - FAILURES_BEFORE_REST)
      const own = doublings < 0 ? 0 : Math.min(REST_MS * 2 ** doublings, REST_MS_MAX)
      const restMs = Math.max(own, Math.min(wishMs, WISH_MS_MAX))
      if (restMs > 0) restsUntil = addMs(clock.now(), restMs)
    },
  }
}
