import type { CompensationJob } from '#domain/job'
import type { MerchantId, NotificationId, PaymentId, PointsGrantId } from '#domain/id'
import type { Db } from './database.ts'
import { createGrants } from './grant.ts'
import type { Jobs } from './job.ts'

/** Of these notifications, those that are still to be applied. */
export async function findUnappliedNotifications(
  db: Db,
  merchantId: MerchantId,
  ids: readonly NotificationId[],
): Promise<NotificationId[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('notification')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', [...ids])
    .where('state', '=', 'received')
    .execute()
  return rows.map((row) => row.id)
}

/** Creates the grant of every paid order that has none. The unique index makes a twin harmless. */
export async function repairGrants(
  db: Db,
  jobs: Jobs,
  merchantId: MerchantId,
  paymentIds: readonly PaymentId[],
): Promise<void> {
  if (paymentIds.length === 0) return
  await db.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('customer_order as o')
      .innerJoin('payment as p', (join) =>
        join.onRef('p.merchant_id', '=', 'o.merchant_id').onRef('p.id', '=', 'o.paid_payment_id'),
      )
      .select(['o.id', 'o.user_id', 'o.amount', 'p.received_amount'])
      .where('o.merchant_id', '=', merchantId)
      .where('o.paid_payment_id', 'in', [...paymentIds])
      .where('o.state', '=', 'paid')
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('points_grant as g')
              .select('g.id')
              .whereRef('g.merchant_id', '=', 'o.merchant_id')
              .whereRef('g.order_id', '=', 'o.id')
              .where('g.kind', '=', 'grant'),
          ),
        ),
      )
      .orderBy('o.id')
      .forNoKeyUpdate('o')
      .execute()
    const sources = rows.map((row) => ({
      orderId: row.id,
      userId: row.user_id,
      amountMinor: row.received_amount ?? row.amount,
    }))
    await createGrants(trx, jobs, merchantId, sources)
  })
}

/**
 * Grants that the job names and that still wait, and grants of its payments whose `due_at` has passed.
 *
 * The sweeper has judged the named ones and pushed their `due_at`, so it is not asked again.
 */
export async function findOverdueGrants(
  db: Db,
  job: CompensationJob,
  overdueSince: Date,
): Promise<PointsGrantId[]> {
  const grantIds = [...(job.grantIds ?? [])]
  const paymentIds = [...(job.paymentIds ?? [])]
  if (grantIds.length === 0 && paymentIds.length === 0) return []
  const rows = await db
    .selectFrom('points_grant as g')
    .innerJoin('customer_order as o', (join) =>
      join.onRef('o.merchant_id', '=', 'g.merchant_id').onRef('o.id', '=', 'g.order_id'),
    )
    .select('g.id')
    .where('g.merchant_id', '=', job.merchantId)
    .where('g.due_at', 'is not', null)
    .where((where) =>
      where.or([
        ...(grantIds.length === 0 ? [] : [where('g.id', 'in', grantIds)]),
        ...(paymentIds.length === 0
          ? []
          : [
              where.and([
                where('o.paid_payment_id', 'in', paymentIds),
                where('g.due_at', '<', overdueSince),
              ]),
            ]),
      ]),
    )
    .execute()
  return rows.map((row) => row.id)
}
