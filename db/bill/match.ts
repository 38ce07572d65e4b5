import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { BillId, MerchantId } from '#domain/id'
import type { Trx } from '../database.ts'
import { accountsOf, insertFound } from './found.ts'
import type { Scope } from './found.ts'
import { SUSPECT } from './match-suspect.ts'
import { stage } from './stage.ts'

/** Our own numbers: everything else is another system's, such as an old till. */
const OURS = sql.lit('^p[0-9a-z]{25}$')
const OUR_REFUND = sql.lit('^r[0-9a-z]{25}$')

/**
 * Payments of a bill against ours. Returns how many discrepancies there are.
 *
 * A line finds its payment by our number, else by the vendor's, else by the wallet's. It is judged once, by the first that applies: a
 * line that comes twice; a number that is not ours; a payment that we do not have; one that is not paid here;
 * another amount; one of its numbers is another; another fee than the line's own rate gives.
 */
export async function matchPayments(trx: Trx, scope: Scope): Promise<number> {
  const { merchantId, vendorMerchantId } = scope
  const lines = sql`
    SELECT l.*, row_number() OVER (PARTITION BY l.payment_number, l.channel_payment_id ORDER BY l.line) AS copy
    FROM ${SUSPECT.lines} l WHERE l.kind = 'payment'`
  const found = sql`
    SELECT l.*, p.id IS NOT NULL AS is_by_ours, coalesce(p.id, n.id, w.id) AS id,
           coalesce(p.state, n.state, w.state) AS state,
           coalesce(p.received_amount, p.amount, n.received_amount, n.amount, w.received_amount, w.amount) AS ours,
           coalesce(p.channel_payment_id, n.channel_payment_id, w.channel_payment_id) AS our_number,
           coalesce(p.wallet_payment_id, n.wallet_payment_id, w.wallet_payment_id) AS our_wallet_number
    FROM (${lines}) l
    LEFT JOIN payment p ON p.merchant_id = ${merchantId} AND p.id = l.payment_number
      AND p.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    LEFT JOIN payment n ON p.id IS NULL AND n.merchant_id = ${merchantId}
      AND n.channel_payment_id = l.channel_payment_id
      AND n.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    ${joinByWalletNumber(scope)}`
  const judged = sql`
    SELECT l.line, l.payment_number, l.channel_payment_id, l.wallet_payment_id, l.amount, l.fee, l.rate, l.at,
           l.copy, l.id, l.state, l.ours, l.our_number, l.our_wallet_number,
      CASE
        WHEN l.copy > 1 THEN 'duplicate'
        -- Ours stands where the vendor's belongs: columns that somebody has swapped.
        WHEN l.id IS NULL AND l.payment_number !~ ${OURS} AND l.channel_payment_id ~ ${OURS} THEN 'number_differs'
        WHEN l.id IS NULL AND l.payment_number !~ ${OURS} THEN 'foreign'
        WHEN coalesce(l.state, 'created') IN ('created', 'pending') THEN 'missing_here'
        WHEN l.state = 'closed' THEN 'state_differs'
        WHEN l.ours <> l.amount THEN 'amount_differs'
        WHEN NOT l.is_by_ours THEN 'number_differs'
        WHEN l.channel_payment_id <> '' AND l.our_number <> l.channel_payment_id THEN 'number_differs'
        WHEN l.our_wallet_number <> l.wallet_payment_id THEN 'number_differs'
        WHEN abs(l.fee - round(coalesce(l.fee_base, l.amount) * l.rate / 100.0, 2)) > 0.01 THEN 'fee_differs'
      END AS kind
    FROM (${found}) l`
  await stage(trx, 'judged_payment', judged)
  const single = await insertFound(
    trx,
    scope,
    sql`
    SELECT j.kind, 'payment' AS subject_kind,
           coalesce(j.id, j.payment_number) || CASE WHEN j.copy > 1 THEN ' ' || j.line ELSE '' END
             AS subject,
           j.ours AS our_amount, j.amount AS their_amount,
           jsonb_build_object('line', j.line, 'payment', j.id, 'number', j.payment_number,
             'vendor_number', j.channel_payment_id, 'our_vendor_number', j.our_number, 'our_state', j.state,
             'fee', j.fee, 'rate', j.rate, 'at', j.at)
             || ${walletNumbers(sql`j.wallet_payment_id`, sql`j.our_wallet_number`)} AS evidence,
           CASE WHEN j.kind IN ('missing_here', 'state_differs') AND j.id IS NOT NULL THEN 'repairing'
                ELSE 'open' END AS state,
           CASE WHEN j.kind IN ('missing_here', 'state_differs') AND j.id IS NOT NULL THEN ${scope.now}::timestamptz
                END AS due_at
    FROM ${JUDGED.payments} j WHERE j.kind IS NOT NULL AND j.kind <> 'foreign'`,
  )
  return single + (await insertForeign(trx, scope, 'payments'))
}

/**
 * What a line's other two numbers did not find, by the wallet's own. That number is not unique: a line that could
 * be of several payments is none's.
 */
function joinByWalletNumber(scope: Scope): RawBuilder<unknown> {
  const { merchantId, vendorMerchantId } = scope
  if (!scope.hasWalletNumbers) return sql`LEFT JOIN payment w ON false`
  const only = sql`
    SELECT min(x.id) AS id FROM payment x
    WHERE p.id IS NULL AND n.id IS NULL AND x.merchant_id = ${merchantId}
      AND x.wallet_payment_id = l.wallet_payment_id
      AND x.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    HAVING count(*) = 1`
  return sql`
    LEFT JOIN LATERAL (${only}) o ON true
    LEFT JOIN payment w ON w.merchant_id = ${merchantId} AND w.id = o.id`
}

/** The wallet's number as evidence, and ours beside it; nothing where there is none. */
export const walletNumbers = (
  number: RawBuilder<unknown>,
  ours?: RawBuilder<unknown>,
): RawBuilder<unknown> => sql`
  CASE WHEN ${number} IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('wallet_number', ${number}
    ${ours === undefined ? sql`` : sql`, 'our_wallet_number', ${ours}`}) END`

/** Where the lines lie about which something was said, or nothing. */
export const JUDGED = {
  payments: sql.id('judged_payment'),
  refunds: sql.id('judged_refund'),
} as const

/** Numbers that are not ours: one sum a day, so that an old till is neither thousands of cases nor hidden. */
async function insertForeign(
  trx: Trx,
  scope: Scope,
  subject: keyof typeof JUDGED,
): Promise<number> {
  const foreign = sql`
    SELECT count(*) AS count, sum(j.amount)::bigint AS amount, min(j.line) AS first
    FROM ${JUDGED[subject]} j WHERE j.kind = 'foreign'`
  await insertFound(
    trx,
    scope,
    sql`
    SELECT 'foreign' AS kind, 'day' AS subject_kind, ${sql.lit(subject)} AS subject, NULL::bigint AS our_amount,
           f.amount AS their_amount, jsonb_build_object('lines', f.count, 'first_line', f.first) AS evidence,
           'open' AS state, NULL::timestamptz AS due_at
    FROM (${foreign}) f WHERE f.count > 0`,
  )
  const { rows } = await sql<{ count: bigint }>`SELECT count FROM (${foreign}) f`.execute(trx)
  return Number(rows[0]?.count ?? 0n)
}

/** The name of a refund whose vendor has no number for it (`nameWithin` of the domain). */
export const nameWithin = sql`l.payment_number || ':' || l.refund_number`

/**
 * Refunds of a bill against ours: by our number, else by the vendor's. Their state in the bill is the vendor's
 * frozen one, and says nothing (payment rules, section 8): that the line is there says that it was accepted.
 */
export async function matchRefunds(trx: Trx, scope: Scope): Promise<number> {
  const { merchantId, vendorMerchantId } = scope
  const judged = sql`
    SELECT l.line, l.payment_number, l.refund_number, l.channel_refund_id, l.amount, l.at,
           coalesce(r.id, v.id) AS id, coalesce(r.state, v.state) AS state,
           coalesce(r.amount, v.amount) AS ours, coalesce(p.id, q.id, r.payment_id, v.payment_id) AS payment_id,
      CASE
        WHEN row_number() OVER (PARTITION BY l.payment_number, l.refund_number, l.channel_refund_id
                                ORDER BY l.line) > 1 THEN 'duplicate'
        WHEN r.id IS NULL AND v.id IS NULL AND coalesce(p.id, q.id) IS NULL AND l.payment_number !~ ${OURS} THEN 'foreign'
        WHEN r.id IS NULL AND v.id IS NULL THEN 'missing_here'
        WHEN coalesce(r.amount, v.amount) <> l.amount THEN 'amount_differs'
        WHEN coalesce(r.state, v.state) IN ('requested', 'sent', 'refused') THEN 'state_differs'
        WHEN r.id IS NOT NULL AND l.channel_refund_id <> '' AND r.channel_refund_id <> l.channel_refund_id
          THEN 'number_differs'
        -- The refund of another payment; a number that the vendor counts within the trade is no number of ours.
        WHEN r.id IS NULL AND l.refund_number ~ ${OUR_REFUND} THEN 'number_differs'
        WHEN coalesce(r.payment_id, v.payment_id) <> coalesce(p.id, q.id) THEN 'number_differs'
        -- A fee that is given back is negative, and as large as its rate makes it.
        WHEN abs(l.fee + round(coalesce(l.fee_base, l.amount) * l.rate / 100.0, 2)) > 0.01 THEN 'fee_differs'
      END AS kind
    FROM ${SUSPECT.lines} l
    LEFT JOIN refund r ON r.merchant_id = ${merchantId} AND r.id = l.refund_number
      AND r.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    LEFT JOIN refund v ON v.merchant_id = ${merchantId}
      AND v.channel_refund_id = ANY (CASE WHEN r.id IS NULL THEN ARRAY[l.channel_refund_id, ${nameWithin}] END)
      AND v.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    LEFT JOIN payment p ON p.merchant_id = ${merchantId}
      AND p.id = CASE WHEN l.payment_number IS DISTINCT FROM r.payment_id THEN l.payment_number END
      AND p.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    LEFT JOIN payment q ON q.merchant_id = ${merchantId}
      AND q.channel_payment_id = CASE WHEN l.payment_number !~ ${OURS} THEN nullif(l.channel_payment_id, '') END
      AND q.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
    WHERE l.kind = 'refund'`
  // What is not looked for has no number: an index would else be searched first, for each line.
  await stage(trx, 'judged_refund', judged)
  const single = await insertFound(
    trx,
    scope,
    sql`
    SELECT j.kind, 'refund' AS subject_kind,
           coalesce(j.id, nullif(j.channel_refund_id, ''), j.payment_number || ':' || j.refund_number)
             || CASE WHEN j.kind = 'duplicate' THEN ' ' || j.line ELSE '' END AS subject,
           j.ours AS our_amount, j.amount AS their_amount,
           jsonb_build_object('line', j.line, 'refund', j.id, 'payment', coalesce(j.payment_id, j.payment_number),
             'number', j.refund_number, 'vendor_number', j.channel_refund_id, 'our_state', j.state, 'at', j.at)
             AS evidence,
           CASE WHEN j.kind IN ('missing_here', 'state_differs') AND j.payment_id IS NOT NULL THEN 'repairing'
                ELSE 'open' END AS state,
           CASE WHEN j.kind IN ('missing_here', 'state_differs') AND j.payment_id IS NOT NULL
                THEN ${scope.now}::timestamptz END AS due_at
    FROM ${JUDGED.refunds} j WHERE j.kind IS NOT NULL AND j.kind <> 'foreign'`,
  )
  return single + (await insertForeign(trx, scope, 'refunds'))
}

export interface MatchedSums {
  readonly ours: bigint
  readonly theirs: bigint
}

/**
 * What the lines of a bill add up to, and what our rows with their numbers do; net of refunds. To be called after
 * both matches: a line that was not judged agrees, and so its amount is ours, too.
 */
export async function sumMatched(
  trx: Trx,
  merchantId: MerchantId,
  billId: BillId,
): Promise<MatchedSums> {
  const { rows } = await sql<MatchedSums>`
    SELECT b.payment_amount - b.refund_amount AS theirs,
           (b.payment_amount + p.ours - p.theirs - r.ours)::bigint AS ours
    FROM bill b,
      (SELECT coalesce(sum(amount), 0) AS theirs,
              coalesce(sum(ours) FILTER (WHERE id = payment_number AND state = 'paid'), 0) AS ours
       FROM ${JUDGED.payments}) p,
      (SELECT coalesce(sum(ours) FILTER (WHERE id = refund_number), 0) AS ours FROM ${JUDGED.refunds}) r
    WHERE b.merchant_id = ${merchantId} AND b.id = ${billId}`.execute(trx)
  return rows[0] ?? { ours: 0n, theirs: 0n }
}
