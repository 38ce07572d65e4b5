import { openCase } from '#db/case/case'
import { beginGrant, delayGrant, finishGrant, refuseGrant, shortenGrant } from '#db/points/points'
import type { GrantRow } from '#db/points/points'
import { unreachable } from '#domain/assert'
import type { PointsAwardJob } from '#domain/job'
import { addMs } from '#domain/time'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'

const MS_PER_SECOND = 1000
const HOUR_MS = 3_600_000

/**
 * Gives an order's points, or takes them back, once. Marked as sent before the call; a time-out is unknown and
 * repeated. A take-back waits for its grant: the sweeper comes back.
 *
 * While the points system rests nothing is marked and nothing is sent: the job and the sweeper come back.
 */
export async function runPointsAward(
  deps: WorkerDeps,
  job: PointsAwardJob,
  signal: AbortSignal,
): Promise<void> {
  const rest = deps.points.restsUntil()
  if (rest !== undefined) throw resting(job.grantId, rest)
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
    case 'resting':
      throw resting(grant.id, outcome.until)
    case 'unknown':
      return waitLonger(deps, grant, outcome.cause)
    default:
      return unreachable(outcome)
  }
}

const resting = (id: string, until: Date): TryAgain =>
  new TryAgain(`points for ${id}: the points system rests until ${until.toISOString()}`)

/**
 * Leaves a grant alone for half as long as it has waited already, at most an hour: an outage of days costs
 * each grant a few dozen calls. After an hour a person hears of it, once however many wait.
 */
async function waitLonger(deps: WorkerDeps, grant: GrantRow, cause: string): Promise<never> {
  const now = deps.clock.now()
  const waitedMs = now.getTime() - grant.created_at.getTime()
  // The attempt at the hour is the one that tells: it is not slept through.
  const pauseMsMax = waitedMs < HOUR_MS ? HOUR_MS - waitedMs : HOUR_MS
  const pauseMs = Math.max(deps.retrySeconds * MS_PER_SECOND, Math.min(waitedMs / 2, pauseMsMax))
  await delayGrant(deps.db, grant, addMs(now, pauseMs))
  if (waitedMs >= HOUR_MS) {
    const since = grant.created_at.toISOString()
    deps.log.error({ grant: grant.id, since, cause }, 'points are overdue: a case is open')
    const evidence = { grant: grant.id, since, cause }
    const { merchant_id: merchantId } = grant
    await openCase(deps.db, { merchantId, kind: 'points_overdue', subject: 'points', evidence })
  }
  throw new TryAgain(`points for ${grant.id}: ${cause}`)
}
