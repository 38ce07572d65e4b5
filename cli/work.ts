import { loadNumber } from '#db/config'
import { PlanChanged } from '#db/payment/confirm-payment'
import type { ConfirmDeps } from '#db/payment/confirm-payment'
import type { Db } from '#db/database'
import { jobsOf, openSender } from '#db/job'
import type { Context } from './context.ts'
import { databaseUrlOf, withDatabase } from './database.ts'
import { Failure, sqlStateOf } from './failure.ts'

/** As for the worker. */
const COMPENSATION_SECONDS = 60
/** Deadlock and lock time-out: the rows are in use. */
const IN_USE = new Set(['40P01', '55P03'])

/** Opens database and queues for one command that moves something; a rerun of it is always safe. */
export async function withWork<T>(
  context: Context,
  work: (db: Db, deps: ConfirmDeps) => Promise<T>,
): Promise<T> {
  const compensationSeconds = loadNumber(
    context.env,
    'PINGZHANG_COMPENSATION_S',
    COMPENSATION_SECONDS,
  )
  return withDatabase(context, async (db) => {
    const boss = await openSender(databaseUrlOf(context), () => undefined)
    try {
      const now = (): Date => context.clock.now()
      return await work(db, { jobs: jobsOf(boss), compensationSeconds, now })
    } catch (error) {
      if (!(error instanceof PlanChanged) && !IN_USE.has(sqlStateOf(error))) throw error
      throw new Failure('environment', 'the payment is being worked on; repeat the command')
    } finally {
      await boss.stop({ graceful: false })
    }
  })
}
