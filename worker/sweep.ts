import { countRepairs } from '#db/metrics'
import { sweep } from '#db/sweep'
import type { SweepCounts } from '#db/sweep'
import { addMs } from '#domain/time'
import type { WorkerDeps } from './deps.ts'

const MS_PER_SECOND = 1000

/** Sweeps now, past what waits for its turn in a queue that is behind, and counts what was fed. */
export async function sweepNow(deps: WorkerDeps, querySeconds: number): Promise<SweepCounts> {
  const { db, turns } = deps
  const now = deps.clock.now()
  const counts = await sweep(db, deps.jobs, {
    now,
    overdueSince: addMs(now, -deps.retrySeconds * MS_PER_SECOND),
    nextQueryAt: addMs(now, querySeconds * MS_PER_SECOND),
    reached: {
      notifications: turns.reached('order-status'),
      grants: turns.reached('points-award'),
      events: turns.reached('merchant-event'),
    },
  })
  // Queries and refunds are planned by their moment; the others had a job that is lost or late, or none.
  const { notifications, grants, events } = counts
  await countRepairs(db, { notifications, grants, events }, now)
  return counts
}
