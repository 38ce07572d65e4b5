import { SUMMARY_DIFFERS, findWrongSummaries } from '#db/bill/bill-summary'
import { openCase } from '#db/case/case'
import { findBillOwners, planRuns, wakeRuns } from '#db/bill/run'
import type { BillOwner, BillTask, NewRun } from '#db/bill/run'
import { wakeDiscrepancies } from '#db/bill/discrepancy'
import { addDays, availableAt, businessDateOf, datesDue } from '#domain/business-day'
import { addMs } from '#domain/time'
import type { BillKind } from '#channel/bill'
import type { WorkerDeps } from './deps.ts'
import { QUEUED_MS } from './hold.ts'

/** Vendors keep bills for some months; what is older is a person's. */
const DAYS_MAX = 90
const HOUR_MS = 3_600_000
const REPAIR_LEASE_MS = 5 * 60_000
/** Messages are repeated for a day, and a day's bill is waited for as long. */
const SUMMARY_DAYS = 4
const LAST_HOUR = 24

export interface BillTick {
  /** Days whose transaction bill is wanted from now on. */
  readonly planned: number
  /** The same of fund bills. */
  readonly funds: number
  readonly woken: number
  readonly repairs: number
}

/**
 * Finds every business day whose bill can be asked for and that nobody has begun, also after a week of
 * downtime, and wakes up what waits. Beside that it only looks for summaries that differ.
 */
export async function tickBills(deps: WorkerDeps): Promise<BillTick> {
  const now = deps.clock.now()
  const owners = await findBillOwners(deps.db)
  const plan = (kind: BillKind): Promise<number> =>
    planRuns(
      deps.db,
      deps.jobs,
      owners.flatMap((owner) => runsOf(deps, owner, { kind, now })),
    )
  const planned = await plan('transaction')
  const funds = await plan('fund')
  const woken = await wakeBills(deps)
  const repairs = await wakeDiscrepancies(deps.db, deps.jobs, {
    now,
    leaseUntil: addMs(now, REPAIR_LEASE_MS),
  })
  await compareSummaries(deps, now)
  return { planned, funds, woken, repairs }
}

/** Wakes up runs whose time has come: what a worker that was killed has left is one of them a minute later. */
export function wakeBills({ clock, db, jobs }: WorkerDeps): Promise<number> {
  const now = clock.now()
  return wakeRuns(db, jobs, { now, leaseUntil: addMs(now, QUEUED_MS) })
}

/** A summary may be told after the bill was read, and a bill may come after its summary. */
async function compareSummaries(deps: WorkerDeps, now: Date): Promise<void> {
  const since = addDays(businessDateOf(now, LAST_HOUR), -SUMMARY_DAYS)
  for (const { merchantId, ...wrong } of await findWrongSummaries(deps.db, since)) {
    const { vendorMerchantId, businessDate, ...evidence } = wrong
    const subject = `${vendorMerchantId} ${businessDate}`
    await openCase(deps.db, { merchantId, kind: SUMMARY_DIFFERS, subject, evidence })
  }
}

const TASKS: Readonly<Record<BillKind, BillTask>> = { transaction: 'bill', fund: 'fund' }

interface Wanted {
  readonly kind: BillKind
  readonly now: Date
}

function runsOf(deps: WorkerDeps, owner: BillOwner, { kind, now }: Wanted): readonly NewRun[] {
  const bill = deps.registry.strategy(owner.strategy).billTimes
  if (bill?.kinds.includes(kind) !== true) return []
  const { availableAtMinute, dayEndHour, deadlineHours } = bill
  const first = businessDateOf(owner.since, dayEndHour)
  return datesDue(first, now, { availableAtMinute, daysMax: DAYS_MAX }).map((businessDate) => ({
    owner,
    task: TASKS[kind],
    businessDate,
    // The oldest first: a day is done before the next one is asked about.
    dueAt: addMs(now, QUEUED_MS),
    deadlineAt: addMs(
      latest(now, availableAt(businessDate, availableAtMinute)),
      deadlineHours * HOUR_MS,
    ),
  }))
}

const latest = (a: Date, b: Date): Date => (a > b ? a : b)
