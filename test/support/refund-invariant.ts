import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '#db/database'
import type { AppliedEffect } from '../emulator/points/ledger.ts'
import type { Violation } from './invariant.ts'

/** I4 and the refund parts of I2 and I9, computed from single rows and never from our own sums. */
export async function findRefundViolations(
  db: Db,
  effects: readonly AppliedEffect[],
): Promise<Violation[]> {
  return [
    ...(await findExceedingRefunds(db)),
    ...(await findForgottenRefunds(db)),
    ...(await findWrongTakeBacks(db, effects)),
  ]
}

/** I4: refunds never exceed the payment, and what is reserved and refunded is what they add up to. */
export async function findExceedingRefunds(db: Db): Promise<Violation[]> {
  const sums = sql`
    SELECT p.merchant_id, p.id, p.order_id, p.state, p.disposition, p.refunded, p.refund_reserved, p.currency,
           coalesce(p.received_amount, p.amount) AS paid,
           coalesce(sum(r.amount) FILTER (WHERE r.state <> 'refused'), 0) AS promised,
           coalesce(sum(r.amount) FILTER (WHERE r.state = 'succeeded'), 0) AS done,
           bool_or(r.currency <> p.currency) AS is_mixed
    FROM payment p LEFT JOIN refund r ON r.merchant_id = p.merchant_id AND r.payment_id = p.id
    GROUP BY p.merchant_id, p.id`
  return [
    ...(await find(db, 'I4', 'refunds exceed the payment', {
      subjects: sql`SELECT id AS subject FROM (${sums}) s WHERE promised > paid`,
    })),
    ...(await find(db, 'I4', 'refunds of a payment that is not paid, or in another currency', {
      subjects: sql`SELECT id AS subject FROM (${sums}) s
                    WHERE (promised > 0 AND state <> 'paid') OR is_mixed`,
    })),
    ...(await find(db, 'I4', 'the reservation is not what the refunds add up to', {
      subjects: sql`SELECT id AS subject FROM (${sums}) s
                    WHERE promised <> refund_reserved OR done <> refunded`,
    })),
    ...(await find(db, 'I4', "the order's state is not that of its counted payment", {
      subjects: sql`SELECT o.id AS subject FROM customer_order o
                    JOIN (${sums}) s ON s.merchant_id = o.merchant_id AND s.id = o.paid_payment_id
                    WHERE o.state <> CASE WHEN s.done = 0 THEN 'paid' WHEN s.done < s.paid THEN 'partly_refunded'
                                          ELSE 'refunded' END`,
    })),
  ]
}

/** I9: a refund in doubt is due, and one that a machine cannot end has a case. */
export const findForgottenRefunds = (db: Db): Promise<Violation[]> =>
  find(db, 'I9', 'a refund that neither comes up again nor has a case', {
    subjects: sql`SELECT r.id AS subject FROM refund r
                  WHERE r.state <> 'succeeded' AND r.due_at IS NULL AND NOT EXISTS (
                    SELECT 1 FROM open_case c WHERE c.merchant_id = r.merchant_id AND c.subject = r.id)`,
  })

interface Kept {
  readonly order_id: string
  readonly user_id: string
  readonly points: bigint
  readonly paid: bigint
  readonly refunded: bigint
  readonly short: bigint
  readonly refund_ids: readonly string[]
}

/** I2: what the points system has given and not taken back is the order's share of what is not refunded. */
export async function findWrongTakeBacks(
  db: Db,
  effects: readonly AppliedEffect[],
): Promise<Violation[]> {
  const { rows } = await sql<Kept>`
    SELECT o.id AS order_id, o.user_id, o.amount / 100 * m.points_per_yuan AS points,
           coalesce(p.received_amount, p.amount) AS paid, coalesce(sum(r.amount), 0)::bigint AS refunded,
           coalesce((SELECT sum(g.points) FROM points_grant g JOIN open_case c ON c.subject = g.id
             WHERE g.merchant_id = o.merchant_id AND g.order_id = o.id AND g.state = 'short'), 0)::bigint AS short,
           coalesce(array_agg(r.id) FILTER (WHERE r.id IS NOT NULL), '{}') AS refund_ids
    FROM customer_order o JOIN merchant m ON m.id = o.merchant_id
    JOIN payment p ON p.merchant_id = o.merchant_id AND p.id = o.paid_payment_id
    LEFT JOIN refund r ON r.merchant_id = p.merchant_id AND r.payment_id = p.id AND r.state = 'succeeded'
    GROUP BY o.merchant_id, o.id, m.id, p.merchant_id, p.id`.execute(db)
  const revokes = new Map(
    effects.filter(({ kind }) => kind === 'revoke').map((effect) => [effect.key, effect]),
  )
  const granted = new Map(
    effects.filter(({ kind }) => kind === 'grant').map((effect) => [effect.key, effect]),
  )
  const owned = new Set(rows.flatMap((row) => row.refund_ids.map((id) => `revoke-${id}`)))
  // What others ask of the points system has other keys.
  const stray = [...revokes.values()].filter(
    ({ key }) => key.startsWith('revoke-') && !owned.has(key),
  )
  return [
    ...rows.flatMap((row) => judge(row, granted.get(`grant-${row.order_id}`), revokes)),
    ...stray.map(({ key }) => violation(key, 'points taken back without a refund that counts')),
  ]
}

function judge(
  row: Kept,
  grant: AppliedEffect | undefined,
  revokes: ReadonlyMap<string, AppliedEffect>,
): Violation[] {
  const own = row.refund_ids.flatMap((id) => revokes.get(`revoke-${id}`) ?? [])
  const odd = own.filter(({ applied_count: n, user_id: user }) => n !== 1 || user !== row.user_id)
  const taken = own.reduce((sum, { points }) => sum + BigInt(points), 0n)
  const net = BigInt(grant?.points ?? 0) - taken
  const keep = (row.points * (row.paid - row.refunded)) / row.paid + row.short
  return [
    ...odd.map(({ key }) => violation(key, 'applied twice, or to another user')),
    ...(net === keep ? [] : [violation(row.order_id, `${net} points left in place of ${keep}`)]),
  ]
}

const violation = (subject: string, problem: string): Violation => ({
  invariant: 'I2',
  subject,
  problem,
})

async function find(
  db: Db,
  invariant: Violation['invariant'],
  problem: string,
  { subjects }: { readonly subjects: RawBuilder<unknown> },
): Promise<Violation[]> {
  const { rows } = await subjects.$castTo<{ subject: string }>().execute(db)
  return rows.map(({ subject }) => ({ invariant, subject, problem }))
}
