import { FUND_RUN_VERSION } from '#domain/job'
import type { RunJob } from '#domain/job'
import type { RunRow } from './run.ts'

/**
 * The job of a run. A worker that is older than fund bills would take a fund run for a transaction bill, and end it:
 * the payload's version lets it leave the job to a newer one. The others stay as they are, for either to do.
 */
export const jobOfRun = (run: Pick<RunRow, 'merchant_id' | 'id' | 'task'>): RunJob => ({
  merchantId: run.merchant_id,
  runId: run.id,
  ...(run.task === 'fund' ? { version: FUND_RUN_VERSION } : {}),
})
