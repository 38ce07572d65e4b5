import type { Metric } from '#db/metrics'
import type { GatewayDeps } from '../deps.ts'

const KEPT_MS = 3_600_000
const MS_PER_SECOND = 1000

/** Reads figures, and keeps them for an hour. */
export type KeptFigures = () => Promise<readonly Metric[]>

/**
 * Figures that cost a walk through whole tables: read at most once an hour per process, whoever asks how often.
 *
 * They come with their age. Where reading fails, for example because it takes too long for this pool, the other
 * figures still have to be shown: the last known ones stand, and their age grows until somebody looks.
 */
export function keepFigures(
  read: () => Promise<readonly Metric[]>,
  nowMs: () => number,
  { log }: Pick<GatewayDeps, 'log'>,
): KeptFigures {
  let triedAt = -Infinity
  let known: { readonly at: number; readonly figures: readonly Metric[] } | undefined

  async function refresh(): Promise<void> {
    const at = nowMs()
    triedAt = at
    try {
      known = { at, figures: await read() }
    } catch (error) {
      log.warn({ error: String(error) }, 'promises not checked')
    }
  }

  return async () => {
    if (nowMs() - triedAt >= KEPT_MS) await refresh()
    if (known === undefined) return []
    const value = Math.round((nowMs() - known.at) / MS_PER_SECOND)
    return [...known.figures, { name: 'invariants_age_seconds', label: '', value }]
  }
}
