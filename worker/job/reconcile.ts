import { hit } from '#failpoint'
import { reconcileDay } from '#db/reconcile'
import { changeRun, findRun } from '#db/run'
import type { RunJob } from '#domain/job'
import { findBillAccount } from '#db/vendor-merchant'
import { findAccount } from '#db/account'
import { TryAgain } from '../deps.ts'
import type { WorkerDeps } from '../deps.ts'

/** Matches a loaded day. A repeat is a new version of the same day, and harmless. */
export async function runReconcile(deps: WorkerDeps, job: RunJob): Promise<void> {
  const run = await findRun(deps.db, job.merchantId, job.runId)
  if (run?.state !== 'loaded') return
  const id = await findBillAccount(deps.db, run.merchant_id, run.vendor_merchant_id)
  const account = id && (await findAccount(deps.db, deps.sealKey, id))
  if (account === undefined) throw new TryAgain(`vendor merchant ${run.vendor_merchant_id} is gone`)
  const dayEndHour = deps.registry.strategy(account.strategy).billTimes?.dayEndHour ?? 24
  const now = deps.clock.now()
  const matched = await reconcileDay(deps.billDb, {
    merchantId: run.merchant_id,
    vendorMerchantId: run.vendor_merchant_id,
    channel: account.channel,
    businessDate: run.business_date,
    dayEndHour,
    now,
  })
  if (matched === undefined) throw new TryAgain(`no bill of ${run.business_date}`)
  const note = `${matched.matched} of ${matched.lines} lines agree`
  hit('reconcile.done:before')
  await changeRun(deps.db, run, { state: 'done', dueAt: null, note, finishedAt: now })
  hit('reconcile.done:after')
}
