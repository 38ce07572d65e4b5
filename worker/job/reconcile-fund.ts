import type { DayToMatch } from '#db/bill/reconcile'
import { reconcileFund } from '#db/bill/reconcile-fund'
import { changeRun } from '#db/bill/run'
import type { RunRow } from '#db/bill/run'
import { addDays } from '#domain/business-day'
import type { WorkerDeps } from '../deps.ts'

/**
 * The fund bill of a day is loaded: it is compared with the transaction bill, or will be when that one is matched.
 *
 * What was paid late in the evening before may have moved the account on this day, so that day is compared, too.
 */
export async function runReconcileFund(
  deps: WorkerDeps,
  run: RunRow,
  day: DayToMatch,
): Promise<void> {
  await reconcileFund(deps.billDb, { ...day, businessDate: addDays(day.businessDate, -1) })
  const differ = await reconcileFund(deps.billDb, day)
  const note =
    differ === undefined
      ? 'compared when the transaction bill is matched'
      : `${differ} differences from the transaction bill`
  await changeRun(deps.db, run, { state: 'done', dueAt: null, note, finishedAt: day.now })
}

/**
 * The transaction bill of a day is matched: the next day, which may be compared already, has its evening's movements.
 */
export async function compareNextFund(deps: WorkerDeps, day: DayToMatch): Promise<void> {
  await reconcileFund(deps.billDb, { ...day, businessDate: addDays(day.businessDate, 1) })
}
