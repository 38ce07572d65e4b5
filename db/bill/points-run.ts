import { sql } from 'kysely'
import { newRunId } from '#domain/id'
import type { PointsGrantId } from '#domain/id'
import type { Db, Trx } from '../database.ts'
import type { Jobs } from '../job.ts'
import { orderIdsOf } from './match-points.ts'
import type { GrantRow } from '../points/points.ts'
import type { DayToMatch } from './reconcile.ts'
import type { RunRow } from './run.ts'

/**
 * Lets the points of a day be compared once its bill is: in the commit that ends the bill's run. The day that is
 * matched again has its points compared again.
 */
export async function planPointsRun(
  trx: Trx,
  jobs: Jobs,
  run: RunRow,
  { now, deadlineAt }: { readonly now: Date; readonly deadlineAt: Date },
): Promise<void> {
  const planned = await trx
    .insertInto('schedule_run')
    .values({
      merchant_id: run.merchant_id,
      task: 'points',
      vendor_merchant_id: run.vendor_merchant_id,
      business_date: run.business_date,
      id: newRunId(),
      state: 'loaded',
      due_at: now,
      deadline_at: deadlineAt,
    })
    .onConflict((conflict) =>
      conflict.columns(['merchant_id', 'task', 'vendor_merchant_id', 'business_date']).doUpdateSet({
        state: 'loaded',
        due_at: now,
        deadline_at: deadlineAt,
        held_until: null,
        attempts: sql`schedule_run.attempts + 1`,
      }),
    )
    .returning('id')
    .executeTakeFirstOrThrow()
  await jobs.send(trx, 'reconcile', [{ data: { merchantId: run.merchant_id, runId: planned.id } }])
}

/** Grants and take-backs of a day's orders that the points system must know, by their ids. */
export async function findGiven(
  db: Db,
  day: Pick<DayToMatch, 'merchantId' | 'vendorMerchantId'> & {
    readonly from: Date
    readonly to: Date
  },
  page: { readonly after: PointsGrantId | undefined; readonly limit: number },
): Promise<readonly GrantRow[]> {
  const { rows } = await sql<GrantRow>`
    SELECT g.* FROM points_grant g
    WHERE g.merchant_id = ${day.merchantId} AND g.points > 0 AND g.state IN ('granted', 'taken')
      AND g.id > ${page.after ?? ''}
      AND g.order_id IN (${orderIdsOf(day)})
    ORDER BY g.id LIMIT ${page.limit}`.execute(db)
  return rows
}
