import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { BillId } from '#domain/id'
import type { Trx } from './database.ts'
import { insertFound } from './found.ts'
import type { Scope } from './found.ts'

/**
 * How the vendor's account moved, against what the day's transaction bill says (payment rules, section 8): each
 * payment and refund has its movement, the fees are the same, and a type that nobody knows is for people.
 *
 * Amounts are not compared: a movement is what is left after the merchant's own coupons. Fees are rounded for each
 * movement, so they may be a fen apart for each. Nothing where no fund bill is loaded.
 */
export async function matchFund(trx: Trx, scope: Scope): Promise<void> {
  const fundId = await findFund(trx, scope)
  if (fundId === undefined) return
  const lines = linesOf(scope, scope.billId)
  const movements = linesOf(scope, fundId)
  await insertFound(
    trx,
    scope,
    sql`
    SELECT 'unclassified' AS kind, 'day' AS subject_kind, 'fund ' || m.state_text || ' ' || m.line AS subject,
           NULL::bigint AS our_amount, m.amount AS their_amount,
           jsonb_build_object('line', m.line, 'state', m.state_text, 'bill', 'fund') AS evidence,
           'open' AS state, NULL::timestamptz AS due_at
    FROM (${movements}) m WHERE m.kind = 'other'
    UNION ALL ${withoutMovement(lines, movements, { kind: 'payment', number: 'channel_payment_id' })}
    UNION ALL ${withoutMovement(lines, movements, { kind: 'refund', number: 'channel_refund_id' })}
    UNION ALL
    SELECT 'fee_differs', 'day', 'fund fee', round(t.fee * 100)::bigint, round(m.fee * 100)::bigint,
           jsonb_build_object('bill', 'fund', 'transaction_fee', t.fee, 'fund_fee', m.fee), 'open', NULL
    FROM (SELECT coalesce(sum(l.fee), 0) AS fee, count(*) AS lines FROM (${lines}) l) t
    CROSS JOIN (SELECT coalesce(sum(m.fee), 0) AS fee FROM (${movements}) m) m
    WHERE abs(t.fee - m.fee) > t.lines * 0.01`,
  )
}

async function findFund(trx: Trx, scope: Scope): Promise<BillId | undefined> {
  const row = await trx
    .selectFrom('bill')
    .select('id')
    .where('merchant_id', '=', scope.merchantId)
    .where('vendor_merchant_id', '=', scope.vendorMerchantId)
    .where('kind', '=', 'fund')
    .where('business_date', '=', scope.businessDate)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}

const linesOf = ({ merchantId, businessDate }: Scope, billId: BillId): RawBuilder<unknown> => sql`
  SELECT l.* FROM bill_line l
  WHERE l.merchant_id = ${merchantId} AND l.business_date = ${businessDate}::date AND l.bill_id = ${billId}`

interface Numbered {
  readonly kind: 'payment' | 'refund'
  readonly number: 'channel_payment_id' | 'channel_refund_id'
}

/** One row for the day: what is missing as a sum, and where it begins. */
const withoutMovement = (
  lines: RawBuilder<unknown>,
  movements: RawBuilder<unknown>,
  { kind, number }: Numbered,
): RawBuilder<unknown> => sql`
  SELECT 'amount_differs', 'day', ${sql.lit(`fund ${kind}`)}, NULL::bigint, sum(l.amount)::bigint,
         jsonb_build_object('bill', 'fund', 'lines', count(*), 'line', min(l.line)), 'open', NULL::timestamptz
  FROM (${lines}) l
  WHERE l.kind = ${sql.lit(kind)} AND NOT EXISTS (
    SELECT 1 FROM (${movements}) m WHERE m.kind = ${sql.lit(kind)} AND m.${sql.ref(number)} = l.${sql.ref(number)})
  HAVING count(*) > 0`
