import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { addMs } from '#domain/time'
import type { Trx } from './database.ts'
import { accountsOf, insertFound } from './found.ts'
import type { Scope } from './found.ts'
import { JUDGED, nameWithin } from './match.ts'
import { stage, withoutNestedLoops } from './stage.ts'

/**
 * Whether the day is the payment's: by the vendor's own clearing date where it told us one, as it told it
 * (`MMdd` or `yyyyMMdd`), else by its time of payment (payment rules, section 8).
 */
const isOfDay = ({ from, to, businessDate }: Scope) => sql`
  p.paid_at >= ${addMs(from, -CLEARING_SLACK_MS)} AND p.paid_at < ${addMs(to, CLEARING_SLACK_MS)}
  AND CASE WHEN p.clearing_date IS NULL THEN p.paid_at >= ${from} AND p.paid_at < ${to}
           ELSE p.clearing_date IN (to_char(${businessDate}::date, 'MMDD'), to_char(${businessDate}::date, 'YYYYMMDD'))
      END`

/** A clearing date names no year: only a payment of about that day can have it. */
const CLEARING_SLACK_MS = 5 * 86_400_000

/** What the day's bill does not name: some of it, and only that is looked for in the bills around the day. */
const SHORT = { payments: sql.id('short_payment'), refunds: sql.id('short_refund') } as const
/** Of that, and of what earlier days missed: what one of the bills names. */
const NAMED = sql.id('named_there')

/**
 * Looks for what is missing in the day's bill, and for what earlier days missed, in the bills of the days around.
 * To be called before `findShort` and `releaseHeld`, and after both matches.
 */
export async function lookAround(trx: Trx, scope: Scope): Promise<void> {
  await stageShortPayments(trx, scope)
  await stageShortRefunds(trx, scope)
  await stage(trx, 'wanted_number', wantedOf(scope))
  const bills = await findBills(trx, scope)
  // One kind of number after the other: by any of them at once would be every line with every number.
  const namedBy = (number: RawBuilder<unknown>, kind: 'payment' | 'refund') => sql`
    SELECT w.kind, w.id, w.business_date
    FROM bill_line l JOIN wanted_number w ON w.number = ${number}
    WHERE l.merchant_id = ${scope.merchantId} AND l.bill_id = ANY (${bills})
      AND l.business_date BETWEEN ${scope.businessDate}::date - 1 AND ${scope.lastHoldDate}::date
      AND l.kind = ${sql.lit(kind)} AND w.kind = ${sql.lit(kind)}
      AND l.business_date BETWEEN w.business_date - 1 AND w.business_date + 3`
  const named = sql`
    ${namedBy(sql`l.payment_number`, 'payment')}
    UNION ${namedBy(sql`l.channel_payment_id`, 'payment')}
    UNION ${namedBy(sql`l.refund_number`, 'refund')}
    UNION ${namedBy(sql`l.channel_refund_id`, 'refund')}
    UNION ${namedBy(nameWithin, 'refund')}`
  await withoutNestedLoops(trx, () => stage(trx, 'named_there', named))
}

async function stageShortPayments(trx: Trx, scope: Scope): Promise<void> {
  const { merchantId, vendorMerchantId, billId, businessDate } = scope
  const short = sql`
    SELECT p.id, p.channel_payment_id, coalesce(p.received_amount, p.amount) AS amount, p.paid_at
    FROM payment p
    WHERE p.merchant_id = ${merchantId} AND p.state = 'paid'
      AND p.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
      AND ${isOfDay(scope)}
      AND NOT EXISTS (SELECT 1 FROM bill_line l
        WHERE l.merchant_id = ${merchantId} AND l.bill_id = ${billId} AND l.business_date = ${businessDate}::date
          AND l.kind = 'payment' AND l.payment_number = p.id)`
  await withoutNestedLoops(trx, () => stage(trx, 'short_payment', short))
}

async function stageShortRefunds(trx: Trx, scope: Scope): Promise<void> {
  const { merchantId, vendorMerchantId } = scope
  const short = sql`
    SELECT r.id, r.payment_id, r.channel_refund_id, r.amount
    FROM refund r
    WHERE r.merchant_id = ${merchantId} AND r.state = 'succeeded'
      AND r.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
      AND coalesce(r.sent_at, r.succeeded_at) >= ${scope.from}
      AND coalesce(r.sent_at, r.succeeded_at) < ${scope.to}
      AND NOT EXISTS (SELECT 1 FROM ${JUDGED.refunds} j WHERE j.id = r.id)`
  await withoutNestedLoops(trx, () => stage(trx, 'short_refund', short))
}

/** Every number that the vendor may know something by, with the day that it is missing on. */
function wantedOf({ merchantId, vendorMerchantId, businessDate }: Scope): RawBuilder<unknown> {
  const earlier = sql`
    SELECT d.subject_kind AS kind, d.subject AS id, d.evidence ->> 'vendor_number' AS number, d.business_date
    FROM discrepancy d
    WHERE d.merchant_id = ${merchantId} AND d.vendor_merchant_id = ${vendorMerchantId}
      AND d.state IN ('held', 'repairing', 'open') AND d.kind = 'missing_there'
      AND ${businessDate}::date BETWEEN d.business_date - 1 AND d.business_date + 3`
  const missing = sql`
    SELECT 'payment' AS kind, id, channel_payment_id AS number, ${businessDate}::date AS business_date
    FROM ${SHORT.payments}
    UNION ALL
    SELECT 'refund', id, channel_refund_id, ${businessDate}::date FROM ${SHORT.refunds}
    UNION ALL ${earlier}`
  return sql`
    SELECT m.kind, m.id, v.number, m.business_date
    FROM (${missing}) m CROSS JOIN LATERAL (VALUES (m.id), (m.number)) v (number)
    WHERE v.number <> ''`
}

/** The last revision of each transaction bill of the days around; an earlier one is withdrawn. */
async function findBills(trx: Trx, scope: Scope): Promise<readonly string[]> {
  const rows = await trx
    .selectFrom('bill')
    .select('id')
    .distinctOn('business_date')
    .where('merchant_id', '=', scope.merchantId)
    .where('vendor_merchant_id', '=', scope.vendorMerchantId)
    .where('kind', '=', 'transaction')
    .where('business_date', '>=', sql<string>`${scope.businessDate}::date - 1`)
    .where('business_date', '<=', scope.lastHoldDate)
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
             AS evidence,
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
