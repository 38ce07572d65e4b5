import { giveUpRun } from '#db/bill/give-up'
import { matchPoints } from '#db/bill/match-points'
import type { PointsElsewhere } from '#db/bill/match-points'
import type { GrantRow } from '#db/points/points'
import { findGiven } from '#db/bill/points-run'
import type { DayToMatch } from '#db/bill/reconcile'
import { changeRun } from '#db/bill/run'
import type { RunRow } from '#db/bill/run'
import { unreachable } from '#domain/assert'
import { boundsOf } from '#domain/business-day'
import type { PointsGrantId } from '#domain/id'
import { addMs } from '#domain/time'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'

const PAGE_ROWS = 5000
const AT_ONCE = 8
/** Of one day; a larger one is compared with our own rows alone beyond this, and its note says so. */
const ASKED_MAX = 100_000
const RETRY_MS = 30 * 60_000

/** The points system gave no answer: the day comes back. */
class PointsAway extends Error {
  override readonly name = 'PointsAway'
}

/**
 * The points of a day against its payments: our own rows, and what the points system says about each of them.
 *
 * It is asked by reading alone, so nothing is given twice. No answer is no answer: the day comes back until its
 * deadline, and then a person hears of it.
 */
export async function runReconcilePoints(
  deps: WorkerDeps,
  run: RunRow,
  day: DayToMatch,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { asked, elsewhere } = await askAll(deps, day, signal)
    const matched = await matchPoints(deps.billDb, day, elsewhere)
    if (matched === undefined) throw new TryAgain(`the bill of ${run.business_date} is not matched`)
    const { orders, differ } = matched
    const cut = asked >= ASKED_MAX ? `, of which ${asked} points were asked about` : ''
    const note = `points of ${orders} orders, ${differ} differ${cut}`
    await changeRun(deps.db, run, { state: 'done', dueAt: null, note, finishedAt: day.now })
  } catch (error) {
    if (!(error instanceof PointsAway)) throw error
    await later(deps, run, day.now, error.message)
  }
}

async function later(deps: WorkerDeps, run: RunRow, now: Date, why: string): Promise<void> {
  if (now < run.deadline_at) {
    await changeRun(deps.db, run, { state: 'loaded', dueAt: addMs(now, RETRY_MS), note: why })
    return
  }
  await giveUpRun(deps.db, run, why, {
    kind: 'points_not_compared',
    subject: `${run.vendor_merchant_id} ${run.business_date}`,
  })
}

async function askAll(deps: WorkerDeps, day: DayToMatch, signal: AbortSignal) {
  const bounds = { ...day, ...boundsOf(day.businessDate, day.dayEndHour) }
  const elsewhere: PointsElsewhere[] = []
  let asked = 0
  let after: PointsGrantId | undefined
  do {
    const page = await findGiven(deps.db, bounds, { after, limit: PAGE_ROWS })
    for (let at = 0; at < page.length; at += AT_ONCE) {
      const some = page.slice(at, at + AT_ONCE)
      const answers = await Promise.all(some.map((grant) => askOne(deps, grant, signal)))
      elsewhere.push(...answers.filter((one) => one !== undefined))
    }
    asked += page.length
    after = page.length === PAGE_ROWS ? page.at(-1)?.id : undefined
  } while (after !== undefined && asked < ASKED_MAX)
  return { asked, elsewhere }
}

/** `undefined` when the points system says the same as we. */
async function askOne(
  deps: WorkerDeps,
  grant: GrantRow,
  signal: AbortSignal,
): Promise<PointsElsewhere | undefined> {
  const answer = await deps.points.read(grant, signal)
  const ours = { grantId: grant.id, userId: grant.user_id, ours: grant.points }
  switch (answer.kind) {
    case 'found': {
      const isSame = answer.userId === grant.user_id && answer.points === grant.points
      return isSame ? undefined : { ...ours, theirs: answer.points, theirUser: answer.userId }
    }
    case 'absent':
      return { ...ours, theirs: null, theirUser: null }
    case 'unknown':
      throw new PointsAway(`the points system did not answer: ${answer.cause}`)
    case 'resting':
      throw new PointsAway(`the points system rests until ${answer.until.toISOString()}`)
    default:
      return unreachable(answer)
  }
}
