import type { Fetch } from '#channel/http'
import type { Clock } from '#domain/time'
import type { WorkerDeps } from './deps.ts'

/** WeChat Pay refuses and is refused at 300 s; this leaves time to act. */
const ALARM_SECONDS = 60
const ALARM_PAUSE_MS = 60_000
const MS_PER_SECOND = 1000

export interface ClockSkew {
  /** A `fetch` that looks at the clock of whoever answers. */
  readonly fetch: Fetch
  /** Seconds by which our clock was ahead at the last answer; `undefined` before the first one. */
  seconds(): number | undefined
}

/**
 * Measures our clock against the vendors', by the `Date` of their answers.
 *
 * Signatures are refused when clocks differ too much, on both sides and without a word about clocks; a
 * clock that drifts must be seen earlier. The measure is rough by a second and by the way of the answer.
 */
export function watchClockSkew(
  fetch: Fetch,
  clock: Clock,
  log: Pick<WorkerDeps['log'], 'warn'>,
): ClockSkew {
  let last: number | undefined
  let alarmedAt = Number.NEGATIVE_INFINITY

  function look(host: string, date: string | null): void {
    const vendorMs = date === null ? Number.NaN : Date.parse(date)
    if (Number.isNaN(vendorMs)) return
    const nowMs = clock.now().getTime()
    last = Math.round((nowMs - vendorMs) / MS_PER_SECOND)
    if (Math.abs(last) < ALARM_SECONDS || nowMs - alarmedAt < ALARM_PAUSE_MS) return
    alarmedAt = nowMs
    log.warn({ host, clock_skew_s: last }, 'our clock and a vendor’s are apart')
  }

  return {
    async fetch(url, init) {
      const response = await fetch(url, init)
      look(new URL(url).host, response.headers.get('date'))
      return response
    },
    seconds: () => last,
  }
}
