import { beginGrant, finishGrant, refuseGrant, shortenGrant } from '#db/points'
import { unreachable } from '#domain/assert'
import type { PointsAwardJob } from '#domain/job'
import { addMs } from '#domain/time'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'

const MS_PER_SECOND = 1000

/**
 * Gives an order's points, or takes them back, once. Marked as sent before the call; a time-out is unknown and
 * repeated. A take-back waits for its grant: the sweeper comes back.
 */
export async function runPointsAward(
  deps: WorkerDeps,
  job: PointsAwardJob,
  signal: AbortSignal,
): Promise<void> {
  const dueAt = addMs(deps.clock.now(), deps.retrySeconds * MS_PER_SECOND)
  const grant = await beginGrant(deps.db, job.merchantId, job.grantId, dueAt)
  if (grant === undefined) return
  const outcome = await deps.points.send(grant, signal)
  switch (outcome.kind) {
    case 'done':
      return finishGrant(deps.db, grant)
    case 'refused':
      return refuseGrant(deps.db, grant, outcome.reason)
    case 'short':
      return shortenGrant(deps.db, grant)
    case 'unknown':
      throw new TryAgain(`points for ${grant.id}: ${outcome.cause}`)
    default:
      return unreachable(outcome)
  }
}
