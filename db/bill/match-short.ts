import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Trx } from '../database.ts'
import { accountsOf, insertFound } from './found.ts'
import type { Scope } from './found.ts'
import { JUDGED, nameWithin, walletNumbers } from './match.ts'
import { SUSPECT, missedAround } from './match-suspect.ts'
import { FEW_LEFT, stage, withPlan } from './stage.ts'

/** What the day's bill does not name: some of it, and only that is looked for in the bills around the day. */
const SHORT = { payments: SUSPECT.payments, refunds: sql.id('short_refund') } as const
/** Of that, and of what earlier days missed: what one of the bills names. */
const NAMED = sql.id('named_there')

/**
 * Looks for what is missing in the day's bill, and for what earlier days missed, in the bills of the days around.
 * To be called before `findShort` and `releaseHeld`, and after both matches.
 */
export async function lookAround(trx: Trx, scope: Scope): Promise<void> {
  await stageShortRefunds(trx, scope)
  await stage(trx, 'wanted_number', wantedOf(scope))
  const lines = await linesAround(trx, scope)
  // One kind of number after the other: by any of them at once would be every line with every number.
  const namedBy = (number: RawBuilder<unknown>, kind: 'payment' | 'refund') => sql`
    SELECT w.kind, w.id, w.business_date
    FROM (${lines}) l JOIN wanted_number w ON w.number = ${number}
    WHERE l.kind = ${sql.lit(kind)} AND w.kind = ${sql.lit(kind)}
      AND l.business_date BETWEEN w.business_date - 1 AND w.business_date + 3`
  const named = sql`
    ${namedBy(sql`l.payment_number`, 'payment')}
    UNION ${namedBy(sql`l.channel_payment_id`, 'payment')}
    ${scope.hasWalletNumbers ? sql`UNION ${namedBy(sql`l.wallet_payment_id`, 'payment')}` : sql``}
    UNION ${namedBy(sql`l.refund_number`, 'refund')}
    UNION ${namedBy(sql`l.channel_refund_id`, 'refund')}
    UNION ${namedBy(nameWithin, 'refund')}`
  await withPlan(trx, FEW_LEFT, () => stage(trx, 'named_there', named))
}

async function stageShortRefunds(trx: Trx, scope: Scope): Promise<void> {
  const { merchantId, vendorMerchantId } = scope
  const short = sql`
    SELECT r.id, r.payment_id, r.channel_refund_id, r.amount
    FROM refund r
    WHERE r.merchant_id = ${merchantId} AND r.state = 'succeeded'
      AND r.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
      AND ${refundedAt(scope)} >= ${scope.from} AND ${refundedAt(scope)} < ${scope.to}
      AND NOT EXISTS (SELECT 1 FROM ${JUDGED.refunds} j WHERE j.id = r.id)`
  await withPlan(trx, FEW_LEFT, () => stage(trx, 'short_refund', short))
}

/** A refund that was sent in the evening and carried out at night stands on one day's bill: which, the vendor says. */
const refundedAt = ({ refundsBy }: Scope): RawBuilder<unknown> =>
  refundsBy === 'sent' ? sql`coalesce(r.sent_at, r.succeeded_at)` : sql`r.succeeded_at`

/** Every number that the vendor may know something by, with the day that it is missing on. */
function wantedOf(scope: Scope): RawBuilder<unknown> {
  const missing = sql`
    SELECT 'payment' AS kind, s.id, s.channel_payment_id AS number, s.wallet_payment_id AS wallet_number,
           ${scope.businessDate}::date AS business_date
    FROM ${SHORT.payments} s
    UNION ALL
    SELECT 'refund', s.id, s.channel_refund_id, NULL, ${scope.businessDate}::date FROM ${SHORT.refunds} s
    UNION ALL ${missedAround(scope)}`
  return sql`
    SELECT m.kind, m.id, v.number, m.business_date
    FROM (${missing}) m CROSS JOIN LATERAL (VALUES (m.id), (m.number), (m.wallet_number)) v (number)
    WHERE v.number <> ''`
}

/** All lines of the bills around the day, and those of its own that may name what is missing. */
async function linesAround(trx: Trx, scope: Scope): Promise<RawBuilder<unknown>> {
  const columns = sql`l.business_date, l.kind, l.payment_number, l.channel_payment_id, l.refund_number,
    l.channel_refund_id, l.wallet_payment_id`
  const own = sql`SELECT ${columns} FROM ${SUSPECT.lines} l`
  const others = await findOtherBills(trx, scope)
  if (others.length === 0) return own
  return sql`${own} UNION ALL
    SELECT ${columns} FROM bill_line l
    WHERE l.merchant_id = ${scope.merchantId} AND l.bill_id = ANY (${others})
      AND l.business_date BETWEEN ${scope.businessDate}::date - 1 AND ${scope.lastHoldDate}::date`
}

/** The last revision of each transaction bill of the days around; an earlier one is withdrawn. */
async function findOtherBills(trx: Trx, scope: Scope): Promise<readonly string[]> {
  const rows = await trx
    .selectFrom('bill')
    .select('id')
    .distinctOn('business_date')
    .where('merchant_id', '=', scope.merchantId)
    .where('vendor_merchant_id', '=', scope.vendorMerchantId)
    .where('kind', '=', 'transaction')
    .where('business_date', '>=', sql<string>`${scope.businessDate}::date - 1`)
    .where('business_date', '<=', scope.lastHoldDate)
    .where('business_date', '!=', scope.businessDate)
    .orderBy('business_date')
    .orderBy('revision', 'desc')
    .execute()
  return rows.map(({ id }) => id)
}

const isNamed = (scope: Scope, kind: 'payment' | 'refund') =>
  sql`EXISTS (SELECT 1 FROM ${NAMED} n WHERE n.kind = ${sql.lit(kind)} AND n.id = s.id
    AND n.business_date = ${scope.businessDate}::date)`

/**
 * What is paid or given back here on that day and stands in no bill: held, because the vendor may cut the day
 * at another moment than its own clock says (payment rules, section 8).
 */
export async function findShort(trx: Trx, scope: Scope): Promise<void> {
  await insertFound(
    trx,
    scope,
    sql`
    SELECT 'missing_there' AS kind, 'payment' AS subject_kind, s.id AS subject, s.amount AS our_amount,
           NULL::bigint AS their_amount,
           jsonb_build_object('payment', s.id, 'vendor_number', s.channel_payment_id, 'paid_at', s.paid_at)
             || ${walletNumbers(sql`s.wallet_payment_id`)} AS evidence,
           'held' AS state, NULL::timestamptz AS due_at
    FROM ${SHORT.payments} s WHERE NOT ${isNamed(scope, 'payment')}`,
  )
  await insertFound(
    trx,
    scope,
    sql`
    SELECT 'missing_there' AS kind, 'refund' AS subject_kind, s.id AS subject, s.amount AS our_amount,
           NULL::bigint AS their_amount,
           jsonb_build_object('refund', s.id, 'payment', s.payment_id, 'vendor_number', s.channel_refund_id)
             AS evidence,
           'held' AS state, NULL::timestamptz AS due_at
    FROM ${SHORT.refunds} s WHERE NOT ${isNamed(scope, 'refund')}`,
  )
}

/**
 * Judges what earlier days missed again: found in a bill since, whatever became of it meanwhile, or still held
 * when all bills of the hold are in. Also on a day whose bill is empty. Returns the
 * days of which something was found.
 */
export async function releaseHeld(trx: Trx, scope: Scope): Promise<readonly string[]> {
  const { rows } = await sql<{ business_date: string }>`
    UPDATE discrepancy d
    SET state = 'resolved', decision = 'found', decided_by = 'machine', reason = 'a later bill brought it',
        due_at = NULL, resolved_at = ${scope.now}, version = d.version + 1
    FROM ${NAMED} n
    WHERE d.merchant_id = ${scope.merchantId} AND d.vendor_merchant_id = ${scope.vendorMerchantId}
      AND d.state IN ('held', 'repairing', 'open') AND d.kind = 'missing_there'
      AND d.subject_kind = n.kind AND d.subject = n.id AND d.business_date = n.business_date
    RETURNING d.business_date`.execute(trx)
  await sql`
    UPDATE discrepancy d SET state = 'repairing', due_at = ${scope.now}, version = d.version + 1
    WHERE d.merchant_id = ${scope.merchantId} AND d.vendor_merchant_id = ${scope.vendorMerchantId}
      AND d.state = 'held' AND d.kind = 'missing_there'
      AND (SELECT count(DISTINCT b.business_date) FROM bill b
           WHERE b.merchant_id = d.merchant_id AND b.vendor_merchant_id = d.vendor_merchant_id
             AND b.kind = 'transaction' AND b.business_date BETWEEN d.business_date AND d.business_date + 3) = 4`.execute(
    trx,
  )
  return [...new Set(rows.map((row) => row.business_date))]
}
