import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { addMs } from '#domain/time'
import type { Trx } from '../database.ts'
import { accountsOf } from './found.ts'
import type { Scope } from './found.ts'
import { FEW_LEFT, SORTED, stage, withPlan } from './stage.ts'

const TABLE = sql.id('suspect')

/** What does not plainly agree: lines of the day's bill, and payments of the day that none of its lines names. */
export const SUSPECT = {
  lines: sql`(SELECT * FROM ${TABLE} WHERE line IS NOT NULL)`,
  payments: sql`(SELECT short_id AS id, short_number AS channel_payment_id, short_amount AS amount, paid_at,
    short_wallet_number AS wallet_payment_id FROM ${TABLE} WHERE line IS NULL)`,
} as const

/**
 * Goes through the lines and the day's payments once, both sides at a time, and sets aside what does not plainly
 * agree: so the rules of `match.ts` and `match-short.ts` look at a few thousand rows and not at a million.
 *
 * A payment line that stays away is one that they would say nothing about: the payment with its number is one of
 * the day, with its amount, its numbers and its fee, no other line has its number, and no other day misses
 * it. In doubt a line is set aside, and so is every line that is no payment.
 */
export async function stageSuspects(trx: Trx, scope: Scope): Promise<void> {
  const apart = sql`
    SELECT l.*, p.id AS short_id, p.channel_payment_id AS short_number, p.amount AS short_amount, p.paid_at,
           p.wallet_payment_id AS short_wallet_number
    FROM (${linesOf(scope)}) l
    FULL JOIN (${dayPayments(scope)}) p ON p.id = CASE l.kind WHEN 'payment' THEN l.payment_number END
    WHERE l.line IS NULL OR p.id IS NULL OR p.amount <> l.amount
      OR (l.channel_payment_id <> '' AND p.channel_payment_id IS DISTINCT FROM l.channel_payment_id)
      OR ${isOtherWalletNumber(scope)} OR NOT ${isFeePlain} OR l.payment_number IN (SELECT m.id FROM (${missedAround(scope)}) m)`
  await withPlan(trx, FEW_LEFT, () => stage(trx, 'suspect', apart))
  await addManifold(trx, scope)
}

const linesOf = ({ merchantId, billId, businessDate }: Scope): RawBuilder<unknown> => sql`
  SELECT * FROM bill_line
  WHERE merchant_id = ${merchantId} AND bill_id = ${billId} AND business_date = ${businessDate}::date`

const dayPayments = (scope: Scope): RawBuilder<unknown> => sql`
  SELECT p.id, p.channel_payment_id, coalesce(p.received_amount, p.amount) AS amount, p.paid_at,
         ${scope.hasWalletNumbers ? sql`p.wallet_payment_id` : sql`NULL::text`} AS wallet_payment_id
  FROM payment p
  WHERE p.merchant_id = ${scope.merchantId} AND p.state = 'paid' AND ${isOfDay(scope)}
    AND p.channel_account_id IN (${accountsOf(scope.merchantId, scope.vendorMerchantId)})`

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

/** Where both know one, and it is another. Of a vendor that tells none, a million lines are not asked for it. */
const isOtherWalletNumber = ({ hasWalletNumbers }: Scope) =>
  hasWalletNumbers ? sql`coalesce(l.wallet_payment_id <> p.wallet_payment_id, false)` : sql`false`

/**
 * Whether a fee lies within half a fen of what the line's own rate gives, as one that is rounded does; a line
 * without a fee agrees. The rule allows a fen more, and looks at the others itself: it divides and rounds, which
 * takes too long for every line.
 */
const isFeePlain = sql`coalesce(abs(l.fee * 100 - coalesce(l.fee_base, l.amount) * l.rate) <= 0.5, true)`

/** What the days around miss in their bills; a line of this day's may name it. */
export const missedAround = ({ merchantId, vendorMerchantId, businessDate }: Scope) => sql`
  SELECT d.subject_kind AS kind, d.subject AS id, d.evidence ->> 'vendor_number' AS number,
         d.evidence ->> 'wallet_number' AS wallet_number, d.business_date
  FROM discrepancy d
  WHERE d.merchant_id = ${merchantId} AND d.vendor_merchant_id = ${vendorMerchantId}
    AND d.state IN ('held', 'repairing', 'open') AND d.kind = 'missing_there'
    AND ${businessDate}::date BETWEEN d.business_date - 1 AND d.business_date + 3`

/** Sets aside the lines whose number comes more than once, too. */
async function addManifold(trx: Trx, scope: Scope): Promise<void> {
  const payments = sql`(SELECT * FROM (${linesOf(scope)}) l WHERE l.kind = 'payment')`
  const manifold = sql`SELECT ${shortNumber} AS number FROM ${payments} l GROUP BY 1 HAVING count(*) > 1`
  await withPlan(trx, SORTED, () => stage(trx, 'manifold_number', manifold))
  const added = sql`
    INSERT INTO ${TABLE}
    SELECT l.* FROM ${payments} l JOIN manifold_number m ON m.number = ${shortNumber}
    WHERE l.line NOT IN (SELECT s.line FROM ${SUSPECT.lines} s)`
  // Where no number comes twice, the join ends before it reads a line.
  await withPlan(trx, FEW_LEFT, () => added.execute(trx))
}

/** Our number in eight bytes. Two lines that only happen to share them are judged, and nothing is found. */
const shortNumber = sql`hashtextextended(l.payment_number, 0)`
