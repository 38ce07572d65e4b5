import type { CompensationJob } from '#domain/job'
import type { MerchantId, NotificationId, PaymentId, PointsGrantId } from '#domain/id'
import { commit } from './commit.ts'
import type { Db } from './database.ts'
import { createGrants } from './points/grant.ts'
import type { GrantDeps } from './points/grant.ts'
import { recordRepair } from './repair.ts'

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

/**
 * Keeps a look-up in its place: it is done for each row by its key. A planner that knows nothing of a rush yet
 * would rather read the merchant's every grant once, for each job anew.
 */
const APART = 0

/** Creates the grant of every paid order that has none, and says which. The unique index makes a twin harmless. */
export async function repairGrants(
  db: Db,
  deps: GrantDeps,
  merchantId: MerchantId,
  paymentIds: readonly PaymentId[],
): Promise<readonly PointsGrantId[]> {
  if (paymentIds.length === 0) return []
  return commit(db, 'points.repair', async (trx) => {
    const rows = await trx
      .selectFrom('customer_order as o')
      .innerJoin('payment as p', (join) =>
        join
          .onRef('p.merchant_id', '=', 'o.merchant_id')
          // The order by its key: no index leads from a payment to the order that counts it.
          .onRef('p.order_id', '=', 'o.id')
          .onRef('p.id', '=', 'o.paid_payment_id'),
      )
      .select(['o.id', 'o.user_id', 'o.amount', 'p.received_amount'])
      .where('o.merchant_id', '=', merchantId)
      .where('p.id', 'in', [...paymentIds])
      .where('o.state', '=', 'paid')
      .where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom('points_grant as g')
              .select('g.id')
              .whereRef('g.merchant_id', '=', 'o.merchant_id')
              .whereRef('g.order_id', '=', 'o.id')
              .where('g.kind', '=', 'grant')
              .offset(APART),
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
    const ids = await createGrants(trx, deps, merchantId, sources)
    await recordRepair(trx, { merchantId, kind: 'grant_created', ids, at: deps.now() })
    return ids
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
  const named = await findNamed(db, job.merchantId, job.grantIds ?? [])
  const paymentIds = job.paymentIds ?? []
  const given = await findOverdueOf(db, job.merchantId, { paymentIds, overdueSince })
  return [...new Set([...named, ...given])]
}

async function findNamed(
  db: Db,
  merchantId: MerchantId,
  ids: readonly PointsGrantId[],
): Promise<PointsGrantId[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('points_grant')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', [...ids])
    .where('due_at', 'is not', null)
    .execute()
  return rows.map((row) => row.id)
}

interface OverdueOf {
  readonly paymentIds: readonly PaymentId[]
  readonly overdueSince: Date
}

/**
 * The grants of orders that these payments have paid, and what their refunds take back.
 *
 * Two queries, each from key to key: one with `or` would read every order of a backlog.
 */
async function findOverdueOf(
  db: Db,
  merchantId: MerchantId,
  { paymentIds, overdueSince }: OverdueOf,
): Promise<PointsGrantId[]> {
  if (paymentIds.length === 0) return []
  const given = await db
    .selectFrom('payment as p')
    .innerJoin('customer_order as o', (join) =>
      join
        .onRef('o.merchant_id', '=', 'p.merchant_id')
        .onRef('o.id', '=', 'p.order_id')
        .onRef('o.paid_payment_id', '=', 'p.id'),
    )
    .innerJoinLateral(
      (from) =>
        from
          .selectFrom('points_grant')
          .select(['points_grant.id', 'points_grant.due_at'])
          .whereRef('points_grant.merchant_id', '=', 'o.merchant_id')
          .whereRef('points_grant.order_id', '=', 'o.id')
          .where('points_grant.kind', '=', 'grant')
          .offset(APART)
          .as('g'),
      (join) => join.onTrue(),
    )
    .select('g.id')
    .where('p.merchant_id', '=', merchantId)
    .where('p.id', 'in', [...paymentIds])
    .where('g.due_at', '<', overdueSince)
    .execute()
  const takenBack = await db
    .selectFrom('refund as r')
    .innerJoinLateral(
      (from) =>
        from
          .selectFrom('points_grant')
          .select(['points_grant.id', 'points_grant.due_at'])
          .whereRef('points_grant.merchant_id', '=', 'r.merchant_id')
          .whereRef('points_grant.refund_id', '=', 'r.id')
          .where('points_grant.kind', '=', 'revoke')
          .offset(APART)
          .as('g'),
      (join) => join.onTrue(),
    )
    .select('g.id')
    .where('r.merchant_id', '=', merchantId)
    .where('r.payment_id', 'in', [...paymentIds])
    .where('g.due_at', '<', overdueSince)
    .execute()
  return [...given, ...takenBack].map((row) => row.id)
}
