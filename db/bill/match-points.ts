import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { pointsGrantIdFrom } from '#domain/id'
import type { MerchantId, PointsGrantId } from '#domain/id'
import { addMs } from '#domain/time'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { keepDayCase } from './day-case.ts'
import { findLastScope, lockVendorMerchant } from './day-version.ts'
import { accountsOf, insertFound } from './found.ts'
import type { Scope } from './found.ts'
import type { DayToMatch } from './reconcile.ts'

/** A grant or take-back that the points system has told something else about than we have. */
export interface PointsElsewhere {
  readonly grantId: PointsGrantId
  readonly userId: string
  readonly ours: bigint
  /** Null: the points system does not know it. */
  readonly theirs: bigint | null
  readonly theirUser: string | null
}

export interface PointsMatched {
  readonly orders: number
  readonly differ: number
}

/**
 * The second reconciliation of a day: what its payments earned, less what its refunds take back, against the
 * points that were given (design, section 8).
 *
 * Per order, of everything that was paid or given back on that day, with all that is known by now. The orders are
 * those of the bill's vendor merchant, and what is found belongs to the day's last version. `elsewhere` is what
 * the points system itself says. `undefined` while the day has no version.
 */
export function matchPoints(
  db: Db,
  day: DayToMatch,
  elsewhere: readonly PointsElsewhere[],
): Promise<PointsMatched | undefined> {
  return commit(db, 'points.match', async (trx) => {
    await lockVendorMerchant(trx, day)
    const scope = await findLastScope(trx, day)
    if (scope === undefined) return undefined
    const found = sql`SELECT * FROM (${ordersThatDiffer(scope)}) o UNION ALL ${told(elsewhere, scope)}`
    const differ = await insertFound(trx, scope, found)
    await resolveGone(trx, scope, found)
    await keepDayCase(trx, day, day.now)
    const { rows } = await sql<{ count: bigint }>`
      SELECT count(*) AS count FROM (${orderIdsOf(scope)}) o`.execute(trx)
    return { orders: Number(rows[0]?.count ?? 0n), differ }
  })
}

type Of = Pick<Scope, 'merchantId' | 'vendorMerchantId' | 'from' | 'to'>

/** Points younger than this have their own job: the day is not the place to say that they are missing. */
const ON_THE_WAY_MS = 60_000
/** Each attempt pushes `due_at`, so the row's age counts, too. By the server's clock, as the row has it. */
const isYoung = sql`g.created_at >= now() - interval '1 minute'`

/**
 * What orders should have by now, and what they have: rounded down once, as it is taken back.
 *
 * What is on its way since `onTheWaySince` counts as given.
 */
const pointsOf = (
  merchantId: MerchantId,
  ids: RawBuilder<unknown>,
  onTheWaySince: Date | null,
): RawBuilder<unknown> => sql`
  SELECT o.id, o.user_id, p.id AS payment_id,
         CASE WHEN p.id IS NULL THEN 0
              -- Payment rules, section 4: what is kept is rounded down from all that is left.
              ELSE floor(coalesce(p.received_amount, p.amount) / 100 * m.points_per_yuan
                * (coalesce(p.received_amount, p.amount) - p.refunded)::numeric
                / coalesce(p.received_amount, p.amount))::bigint END AS earned,
         g.given, g.is_stuck, g.states
  FROM customer_order o
  JOIN merchant m ON m.id = o.merchant_id
  LEFT JOIN payment p ON p.merchant_id = o.merchant_id AND p.id = o.paid_payment_id
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(CASE WHEN g.kind = 'grant' THEN g.points ELSE -g.points END) FILTER (
             WHERE g.state IN ('granted', 'taken')
                OR g.state IN ('pending', 'sent') AND g.due_at >= ${onTheWaySince} AND ${isYoung}
           ), 0)::bigint AS given,
           coalesce(bool_or(g.state IN ('refused', 'short')), false) AS is_stuck,
           coalesce(jsonb_agg(g.kind || ' ' || g.state ORDER BY g.id), '[]') AS states
    FROM (
      -- Each from key to key: no index leads from an order to what is taken back of it.
      SELECT * FROM points_grant one
      WHERE one.merchant_id = o.merchant_id AND one.order_id = o.id AND one.kind = 'grant'
      UNION ALL
      SELECT back.* FROM refund r
      JOIN points_grant back ON back.merchant_id = r.merchant_id AND back.refund_id = r.id AND back.kind = 'revoke'
      WHERE r.merchant_id = o.merchant_id AND r.payment_id = p.id) g) g
  WHERE o.merchant_id = ${merchantId} AND o.id IN (${ids})`

/**
 * Orders that the day has touched: those that it paid, those that it gave money back of, and those that got points
 * that day without being paid.
 */
export const orderIdsOf = ({
  merchantId,
  vendorMerchantId,
  from,
  to,
}: Of): RawBuilder<unknown> => sql`
  SELECT q.order_id FROM payment q
  WHERE q.merchant_id = ${merchantId} AND q.state = 'paid' AND q.disposition = 'counted'
    AND q.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    AND q.paid_at >= ${from} AND q.paid_at < ${to}
  UNION
  SELECT q.order_id FROM refund r
  JOIN payment q ON q.merchant_id = r.merchant_id AND q.id = r.payment_id AND q.disposition = 'counted'
  WHERE r.merchant_id = ${merchantId} AND r.state = 'succeeded'
    AND r.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    AND r.succeeded_at >= ${from} AND r.succeeded_at < ${to}
  UNION
  SELECT g.order_id FROM points_grant g
  JOIN payment q ON q.merchant_id = g.merchant_id AND q.order_id = g.order_id
  WHERE g.merchant_id = ${merchantId}
    AND g.id >= ${pointsGrantIdFrom(from)} AND g.id < ${pointsGrantIdFrom(to)}
    AND q.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})`

/** What is late is looked at again by a job; what the points system has refused is for people. */
const ordersThatDiffer = (scope: Scope): RawBuilder<unknown> => sql`
  SELECT 'points_differ' AS kind, 'points' AS subject_kind, o.id AS subject,
         o.earned AS our_amount, o.given AS their_amount,
         jsonb_build_object('order', o.id, 'payment', o.payment_id, 'user', o.user_id, 'states', o.states) AS evidence,
         CASE WHEN o.is_stuck OR o.payment_id IS NULL THEN 'open' ELSE 'repairing' END AS state,
         CASE WHEN o.is_stuck OR o.payment_id IS NULL THEN NULL ELSE ${scope.now}::timestamptz END AS due_at
  FROM (${pointsOf(scope.merchantId, orderIdsOf(scope), addMs(scope.now, -ON_THE_WAY_MS))}) o
  WHERE o.earned <> o.given`

/** Whether one order has by now what it should have. */
export async function hasItsPoints(
  db: Db,
  merchantId: MerchantId,
  orderId: string,
): Promise<boolean> {
  const { rows } = await sql<{ agrees: boolean }>`
    SELECT o.earned = o.given AS agrees FROM (${pointsOf(merchantId, sql`${orderId}`, null)}) o`.execute(
    db,
  )
  return rows[0]?.agrees === true
}

/** What the points system says itself; only a person can tell which side is right. */
const told = (
  elsewhere: readonly PointsElsewhere[],
  { merchantId }: Scope,
): RawBuilder<unknown> => sql`
  SELECT 'points_differ', 'points', t.grant_id, t.ours, t.theirs,
         jsonb_build_object('grant', t.grant_id, 'order', g.order_id, 'user', g.user_id, 'their_user', t.their_user),
         'open', NULL::timestamptz
  FROM unnest(${elsewhere.map((one) => one.grantId)}::text[], ${elsewhere.map((one) => one.ours)}::bigint[],
              ${elsewhere.map((one) => one.theirs)}::bigint[], ${elsewhere.map((one) => one.theirUser)}::text[])
         AS t (grant_id, ours, theirs, their_user)
  JOIN points_grant g ON g.merchant_id = ${merchantId} AND g.id = t.grant_id`

/** What agrees by now is resolved, unless a person has decided it. */
async function resolveGone(trx: Trx, scope: Scope, found: RawBuilder<unknown>): Promise<void> {
  await sql`
    UPDATE discrepancy d
    SET state = 'resolved', decision = 'gone', decided_by = 'machine', reason = 'the points agree by now',
        due_at = NULL, resolved_at = ${scope.now}, version = d.version + 1
    WHERE d.merchant_id = ${scope.merchantId} AND d.vendor_merchant_id = ${scope.vendorMerchantId}
      AND d.business_date = ${scope.businessDate}::date AND d.kind = 'points_differ'
      AND d.state IN ('held', 'open', 'repairing')
      AND d.subject NOT IN (SELECT f.subject FROM (${found}) f)`.execute(trx)
}
