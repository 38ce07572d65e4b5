import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { addDays } from '#domain/business-day'
import type { BillId } from '#domain/id'
import { addMs } from '#domain/time'
import type { Trx } from '../database.ts'
import { insertFound } from './found.ts'
import type { Scope } from './found.ts'
import { FEW_LEFT, stage, withPlan } from './stage.ts'

/**
 * The account is moved a moment after the payment (WeChat Pay dossier, section 6.10: a second), and at midnight that
 * is another day's.
 */
export const FUND_CUT_MS = 10 * 60_000

const LINE = sql.id('fund_line')
const MOVEMENT = sql.id('fund_movement')
const FOUND = sql.id('fund_found')

/**
 * How the vendor's account moved, against what the day's transaction bill says (payment rules, section 8): each
 * payment and refund has its movement, the fees are the same, a type that nobody knows is for people, and what the
 * shop has moved itself (`own`) is nobody's business here.
 *
 * Amounts are not compared: a movement is what is left after the merchant's own coupons. Fees are rounded for each
 * movement, so they may be a fen apart for each. A movement near the cut belongs to the day of its payment; until
 * the next day's fund bill is there, a line near the cut that has none is not judged. `undefined` where no fund bill
 * is loaded, else how many differences there are.
 */
export async function matchFund(trx: Trx, scope: Scope): Promise<number | undefined> {
  const bills = await findBills(trx, scope)
  if (bills.fund === undefined) return undefined
  const movements = movementsOf(scope, bills, bills.fund)
  await withPlan(trx, FEW_LEFT, async () => {
    await stage(trx, 'fund_movement', movements)
    await stage(trx, 'fund_line', judgedOf(scope, bills))
    await stage(trx, 'fund_found', differences)
  })
  return insertFound(trx, scope, sql`SELECT * FROM ${FOUND}`)
}

/** What `matchFund` said before and does not say now is resolved, unless a person has decided it. */
export async function resolveFundGone(trx: Trx, scope: Scope): Promise<void> {
  await sql`
    UPDATE discrepancy d
    SET state = 'resolved', decision = 'gone', decided_by = 'machine', reason = 'the fund bill agrees by now',
        due_at = NULL, resolved_at = ${scope.now}, version = d.version + 1
    WHERE d.merchant_id = ${scope.merchantId} AND d.vendor_merchant_id = ${scope.vendorMerchantId}
      AND d.business_date = ${scope.businessDate}::date AND d.subject_kind = 'day'
      AND d.evidence ->> 'bill' = 'fund' AND d.state IN ('held', 'open', 'repairing')
      AND NOT EXISTS (SELECT 1 FROM ${FOUND} f WHERE f.kind = d.kind AND f.subject = d.subject)`.execute(
    trx,
  )
}

/** The last revisions of the bills that a day's movements and their lines stand in. */
interface Bills {
  readonly lines: BillId
  readonly linesBefore: BillId | undefined
  readonly fund: BillId | undefined
  readonly fundAfter: BillId | undefined
}

async function findBills(trx: Trx, scope: Scope): Promise<Bills> {
  const rows = await trx
    .selectFrom('bill')
    .select(['id', 'kind', 'business_date'])
    .distinctOn(['kind', 'business_date'])
    .where('merchant_id', '=', scope.merchantId)
    .where('vendor_merchant_id', '=', scope.vendorMerchantId)
    .where('business_date', '>=', addDays(scope.businessDate, -1))
    .where('business_date', '<=', addDays(scope.businessDate, 1))
    .orderBy('kind')
    .orderBy('business_date')
    .orderBy('revision', 'desc')
    .execute()
  const find = (kind: 'transaction' | 'fund', days: number): BillId | undefined =>
    rows.find((row) => row.kind === kind && row.business_date === addDays(scope.businessDate, days))
      ?.id
  return {
    lines: scope.billId,
    linesBefore: find('transaction', -1),
    fund: find('fund', 0),
    fundAfter: find('fund', 1),
  }
}

/** Lines of one of the bills, with the number that both bills know them by. No bill has no lines. */
const linesOf = (
  { merchantId, businessDate }: Scope,
  billId: BillId | undefined,
  days: number,
): RawBuilder<unknown> => sql`
  SELECT l.line, l.kind, l.channel_refund_id, l.amount, l.fee_base, l.fee, l.state_text, l.at,
         coalesce(nullif(l.channel_refund_id, ''), l.channel_payment_id) AS number
  FROM bill_line l
  WHERE l.merchant_id = ${merchantId} AND l.business_date = ${addDays(businessDate, days)}::date
    AND l.bill_id = ${billId ?? ''}`

/** The day's movements: without those of the evening before, and with the night's of the day's own evening. */
function movementsOf(scope: Scope, bills: Bills, fund: BillId): RawBuilder<unknown> {
  const { from, to } = scope
  const [before, after] = [
    linesOf(scope, bills.linesBefore, -1),
    linesOf(scope, bills.fundAfter, 1),
  ]
  return sql`
    SELECT m.* FROM (${linesOf(scope, fund, 0)}) m
    WHERE m.at >= ${addMs(from, FUND_CUT_MS)} OR m.number NOT IN (
      SELECT l.number FROM (${before}) l WHERE l.at >= ${addMs(from, -FUND_CUT_MS)} AND l.number <> '')
    UNION ALL
    SELECT m.* FROM (${after}) m
    WHERE m.at < ${addMs(to, FUND_CUT_MS)} AND m.kind IN ('payment', 'refund', 'fee') AND m.number IN (
      SELECT l.number FROM (${linesOf(scope, bills.lines, 0)}) l
      WHERE l.at >= ${addMs(to, -FUND_CUT_MS)} AND l.number <> '')`
}

/**
 * All lines of the day, once the next fund bill is there; until then not those of the evening without a movement.
 *
 * In two parts: an `EXISTS` beside an `OR` is no join, and would go through all movements for each line of the evening.
 */
function judgedOf(scope: Scope, { lines, fundAfter }: Bills): RawBuilder<unknown> {
  const all = linesOf(scope, lines, 0)
  if (fundAfter !== undefined) return all
  const evening = addMs(scope.to, -FUND_CUT_MS)
  return sql`
    SELECT l.* FROM (${all}) l WHERE l.at IS NULL OR l.at < ${evening}
    UNION ALL
    SELECT l.* FROM (${all}) l
    WHERE l.at >= ${evening}
      AND EXISTS (SELECT 1 FROM ${MOVEMENT} m WHERE m.kind = l.kind AND m.number = l.number)`
}

/** A vendor that numbers no refunds names the payment: its refunds are told apart by their place alone. */
const placeOf = (row: string): RawBuilder<unknown> => sql`
  CASE WHEN ${sql.ref(`${row}.channel_refund_id`)} = ''
       THEN row_number() OVER (PARTITION BY ${sql.ref(`${row}.number`)} ORDER BY ${sql.ref(`${row}.line`)})
       ELSE 1 END`

const placed = (row: string, rows: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  SELECT ${sql.ref(row)}.*, ${placeOf(row)} AS place FROM ${rows} ${sql.ref(row)}
  WHERE ${sql.ref(`${row}.kind`)} = 'refund'`

/** What a shop's own coupon has paid wholly moves nothing. */
const movesMoney = sql`coalesce(l.fee_base, l.amount) > 0`

const missingPayments = sql`
  SELECT l.line, l.amount FROM ${LINE} l
  WHERE l.kind = 'payment' AND ${movesMoney} AND NOT EXISTS (
    SELECT 1 FROM ${MOVEMENT} m WHERE m.kind = 'payment' AND m.number = l.number)`

const missingRefunds = sql`
  SELECT l.line, l.amount FROM (${placed('l', LINE)}) l
  WHERE ${movesMoney} AND NOT EXISTS (
    SELECT 1 FROM (${placed('m', MOVEMENT)}) m WHERE m.number = l.number AND m.place = l.place)`

/** One row for the day: what is missing as a sum, and where it begins. */
const sumOf = (
  kind: 'payment' | 'refund',
  missing: RawBuilder<unknown>,
): RawBuilder<unknown> => sql`
  SELECT 'amount_differs', 'day', ${sql.lit(`fund ${kind}`)}, NULL::bigint, sum(l.amount)::bigint,
         jsonb_build_object('bill', 'fund', 'lines', count(*), 'line', min(l.line)), 'open', NULL::timestamptz
  FROM (${missing}) l HAVING count(*) > 0`

const differences = sql`
  SELECT 'unclassified' AS kind, 'day' AS subject_kind, 'fund ' || m.state_text || ' ' || m.line AS subject,
         NULL::bigint AS our_amount, m.amount AS their_amount,
         jsonb_build_object('line', m.line, 'state', m.state_text, 'bill', 'fund') AS evidence,
         'open' AS state, NULL::timestamptz AS due_at
  FROM ${MOVEMENT} m WHERE m.kind = 'other'
  UNION ALL ${sumOf('payment', missingPayments)}
  UNION ALL ${sumOf('refund', missingRefunds)}
  UNION ALL
  SELECT 'fee_differs', 'day', 'fund fee', round(t.fee * 100)::bigint, round(m.fee * 100)::bigint,
         jsonb_build_object('bill', 'fund', 'transaction_fee', t.fee, 'fund_fee', m.fee), 'open', NULL
  FROM (SELECT coalesce(sum(l.fee), 0) AS fee, count(*) AS lines FROM ${LINE} l) t
  CROSS JOIN (SELECT coalesce(sum(m.fee), 0) AS fee FROM ${MOVEMENT} m) m
  WHERE abs(t.fee - m.fee) > t.lines * 0.01`
