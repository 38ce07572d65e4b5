import type { NewCase } from '../case/case.ts'
import { openCases } from '../case/case.ts'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import { changeRun } from './run.ts'
import type { RunRow } from './run.ts'

/**
 * Ends a run that is for a person now, in the commit that tells one: nothing wakes a failed run up again, so that
 * without its case nobody would hear of the day. Changes nothing when it was taken or moved since it was read.
 */
export const giveUpRun = (
  db: Db,
  run: RunRow,
  why: string,
  told: Pick<NewCase, 'kind' | 'subject'>,
): Promise<void> =>
  commit(db, 'run.give-up', async (trx) => {
    if (!(await changeRun(trx, run, { state: 'failed', dueAt: null, note: why }))) return
    const evidence = { why, run: run.id, business_date: run.business_date }
    await openCases(trx, [{ merchantId: run.merchant_id, ...told, evidence }])
  })
