import { holdRun } from '#db/bill/run'
import type { RunRow } from '#db/bill/run'
import { addMs } from '#domain/time'
import type { WorkerDeps } from './deps.ts'

/** How long a run is held. After a worker that was killed nobody waits longer. */
export const HOLD_MS = 60_000
/** How long a job that is queued, or that its queue repeats, is left alone. */
export const QUEUED_MS = 30 * 60_000
const RENEW_MS = 15_000

export interface HoldTimes {
  readonly holdMs: number
  readonly renewMs: number
}

/**
 * Works on a run that was taken, and holds it for as long as that takes: nobody else begins it meanwhile.
 *
 * Work that throws is the queue's to repeat, so the hold ends at once. A process that dies says nothing: then the
 * hold ends by itself, and whoever comes next finishes the run.
 */
export async function whileHeld<T>(
  deps: WorkerDeps,
  run: RunRow,
  work: () => Promise<T>,
  { holdMs, renewMs }: HoldTimes = { holdMs: HOLD_MS, renewMs: RENEW_MS },
): Promise<T> {
  const attempt = async (step: () => Promise<unknown>): Promise<void> => {
    try {
      await step()
    } catch (error) {
      // The next renewal is soon, and a hold that ends is taken over: then this job's word does not count.
      deps.log.warn({ run: run.id, error: String(error) }, 'the hold on a run was not kept')
    }
  }
  let renewal = Promise.resolve()
  const renew = (): void => {
    const until = addMs(deps.clock.now(), holdMs)
    renewal = renewal.then(() => attempt(() => holdRun(deps.db, run, { until, dueAt: until })))
  }
  const timer = setInterval(renew, renewMs)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    await renewal
    const dueAt = addMs(deps.clock.now(), QUEUED_MS)
    await attempt(() => holdRun(deps.db, run, { until: null, dueAt }))
  }
}
