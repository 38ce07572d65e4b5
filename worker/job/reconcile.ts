import { commit } from '#db/commit'
import { planPointsRun } from '#db/bill/points-run'
import { reconcileDay } from '#db/bill/reconcile'
import type { DayToMatch } from '#db/bill/reconcile'
import { changeRun, claimRun } from '#db/bill/run'
import type { RunRow } from '#db/bill/run'
import type { RunJob } from '#domain/job'
import { findBillAccount } from '#db/account/vendor-merchant'
import { findAccount } from '#db/account/account'
import { addMs } from '#domain/time'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'
import { HOLD_MS, whileHeld } from '../hold.ts'
import { compareNextFund, runReconcileFund } from './reconcile-fund.ts'
import { runReconcilePoints } from './reconcile-points.ts'

/** How long the points system may be away before a person hears that a day was not compared. */
const POINTS_PATIENCE_MS = 86_400_000

/**
 * Matches a loaded day, and then, as runs of their own, its fund bill and its points. A repeat is a new version of the same day, and
 * harmless.
 */
export async function runReconcile(
  deps: WorkerDeps,
  job: RunJob,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const now = deps.clock.now()
  const claim = { id: job.runId, state: 'loaded', now, heldUntil: addMs(now, HOLD_MS) } as const
  const run = await claimRun(deps.db, job.merchantId, claim)
  if (run !== undefined) await whileHeld(deps, run, () => compare(deps, run, signal))
}

async function compare(deps: WorkerDeps, run: RunRow, signal: AbortSignal): Promise<void> {
  const day = await loadDay(deps, run)
  if (run.task === 'fund') return runReconcileFund(deps, run, day)
  if (run.task === 'points') return runReconcilePoints(deps, run, day, signal)
  const matched = await reconcileDay(deps.billDb, day)
  if (matched === undefined) throw new TryAgain(`no bill of ${run.business_date}`)
  await compareNextFund(deps, day)
  const note = `${matched.matched} of ${matched.lines} lines agree`
  await commit(deps.db, 'reconcile.done', async (trx) => {
    const change = { state: 'done', dueAt: null, note, finishedAt: day.now } as const
    if (!(await changeRun(trx, run, change))) return
    const deadlineAt = addMs(day.now, POINTS_PATIENCE_MS)
    await planPointsRun(trx, deps.jobs, run, { now: day.now, deadlineAt })
  })
}

async function loadDay(deps: WorkerDeps, run: RunRow): Promise<DayToMatch> {
  const id = await findBillAccount(deps.db, run.merchant_id, run.vendor_merchant_id)
  const account = id && (await findAccount(deps.db, deps.sealKey, id))
  if (account === undefined) throw new TryAgain(`vendor merchant ${run.vendor_merchant_id} is gone`)
  const { billTimes } = deps.registry.strategy(account.strategy)
  return {
    merchantId: run.merchant_id,
    vendorMerchantId: run.vendor_merchant_id,
    channel: account.channel,
    businessDate: run.business_date,
    dayEndHour: billTimes?.dayEndHour ?? 24,
    refundsBy: billTimes?.refundsBy ?? 'sent',
    hasWalletNumbers: billTimes?.hasWalletNumbers ?? false,
    now: deps.clock.now(),
  }
}
