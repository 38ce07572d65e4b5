import { beginGrant, finishGrant, refuseGrant } from '#db/points'
import { unreachable } from '#domain/assert'
import type { PointsAwardJob } from '#domain/job'
import { addMs } from '#domain/time'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'

const MS_PER_SECOND = 1000

/** Awards an order's points once. Marked as sent before the call; a time-out is unknown and repeated. */
export async function runPointsAward(
  deps: WorkerDeps,
  job: PointsAwardJob,
  signal: AbortSignal,
): Promise<void> {
  const dueAt = addMs(deps.clock.now(), deps.retrySeconds * MS_PER_SECOND)
  const grant = await beginGrant(deps.db, job.merchantId, job.grantId, dueAt)
  if (grant === undefined) return
  const outcome = await deps.points.grant(grant, signal)
  switch (outcome.kind) {
    case 'granted':
      return finishGrant(deps.db, grant)
    case 'refused':
      return refuseGrant(deps.db, grant, outcome.reason)
    case 'unknown':
      throw new TryAgain(`points for ${grant.id}: ${outcome.cause}`)
    default:
      return unreachable(outcome)
  }
}
