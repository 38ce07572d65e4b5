import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { addMs } from '#domain/time'
import type { Trx } from './database.ts'
import { accountsOf, insertFound } from './found.ts'
import type { Scope } from './found.ts'
import { nameWithin } from './match.ts'

interface Days {
  readonly from: RawBuilder<unknown>
  readonly to: RawBuilder<unknown>
}

/** Lines of the last revision of each transaction bill of these days; an earlier one is withdrawn. */
const linesOf = ({ merchantId, vendorMerchantId }: Scope, { from, to }: Days) => sql`
  SELECT l.kind, l.payment_number, l.channel_payment_id, l.refund_number, l.channel_refund_id
  FROM bill_line l JOIN bill b ON b.merchant_id = l.merchant_id AND b.id = l.bill_id
    AND b.business_date = l.business_date
  WHERE l.merchant_id = ${merchantId} AND b.vendor_merchant_id = ${vendorMerchantId}
    AND b.kind = 'transaction' AND l.business_date BETWEEN ${from} AND ${to}
    AND b.revision = (SELECT max(o.revision) FROM bill o WHERE o.merchant_id = b.merchant_id
      AND o.vendor_merchant_id = b.vendor_merchant_id AND o.kind = b.kind AND o.business_date = b.business_date)`

const daysOf = ({ businessDate, lastHoldDate }: Scope): Days => ({
  from: sql`${businessDate}::date - 1`,
  to: sql`${lastHoldDate}::date`,
})

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

/**
 * What is paid or given back here on that day and stands in no bill: held, because the vendor may cut the day
 * at another moment than its own clock says (payment rules, section 8).
 */
export async function findShort(trx: Trx, scope: Scope): Promise<void> {
  const { merchantId, vendorMerchantId } = scope
  await insertFound(
    trx,
    scope,
    sql`
    SELECT 'missing_there' AS kind, 'payment' AS subject_kind, p.id AS subject,
           coalesce(p.received_amount, p.amount) AS our_amount, NULL::bigint AS their_amount,
           jsonb_build_object('payment', p.id, 'vendor_number', p.channel_payment_id, 'paid_at', p.paid_at) AS evidence,
           'held' AS state, NULL::timestamptz AS due_at
    FROM payment p
    WHERE p.merchant_id = ${merchantId} AND p.state = 'paid'
      AND p.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
      AND ${isOfDay(scope)}
      AND NOT EXISTS (SELECT 1 FROM (${linesOf(scope, daysOf(scope))}) l
        WHERE l.kind = 'payment' AND (l.payment_number = p.id OR l.channel_payment_id = p.channel_payment_id))`,
  )
  await insertFound(
    trx,
    scope,
    sql`
    SELECT 'missing_there' AS kind, 'refund' AS subject_kind, r.id AS subject, r.amount AS our_amount,
           NULL::bigint AS their_amount,
           jsonb_build_object('refund', r.id, 'payment', r.payment_id, 'vendor_number', r.channel_refund_id)
             AS evidence,
           'held' AS state, NULL::timestamptz AS due_at
    FROM refund r
    WHERE r.merchant_id = ${merchantId} AND r.state = 'succeeded'
      AND r.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
      AND coalesce(r.sent_at, r.succeeded_at) >= ${scope.from} AND coalesce(r.sent_at, r.succeeded_at) < ${scope.to}
      AND NOT EXISTS (SELECT 1 FROM (${linesOf(scope, daysOf(scope))}) l
        WHERE l.kind = 'refund'
          AND (l.refund_number = r.id OR r.channel_refund_id IN (l.channel_refund_id, ${nameWithin})))`,
  )
}

const HELD_DAYS: Days = { from: sql`d.business_date - 1`, to: sql`d.business_date + 3` }

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
    WHERE d.merchant_id = ${scope.merchantId} AND d.vendor_merchant_id = ${scope.vendorMerchantId}
      AND d.state IN ('held', 'repairing', 'open') AND d.kind = 'missing_there'
      AND EXISTS (SELECT 1 FROM (${linesOf(scope, HELD_DAYS)}) l
        WHERE l.kind = d.subject_kind
          AND CASE d.subject_kind
            WHEN 'payment' THEN l.payment_number = d.subject OR l.channel_payment_id = d.evidence ->> 'vendor_number'
            ELSE l.refund_number = d.subject
              OR d.evidence ->> 'vendor_number' IN (l.channel_refund_id, ${nameWithin}) END)
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
