import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Trx } from './database.ts'
import { accountsOf } from './found.ts'
import type { Scope } from './found.ts'
import { stage } from './stage.ts'

/** Where the payment lines lie about which something may have to be said. */
export const SUSPECT = sql.id('suspect_line')

/** Whether a fee is what the line's own rate gives, within a fen; a line without one agrees. */
const isFeeRight = sql`coalesce(abs(l.fee - round(l.amount * l.rate / 100.0, 2)) <= 0.01, true)`

/**
 * Sets aside the payment lines that do not plainly agree, so that the rules of `match.ts` look at a few thousand
 * lines and not at a million.
 *
 * A line that stays away is one that they would say nothing about: the payment with its number is paid, with its
 * amount, its vendor number and its fee, and no other line has its numbers. In doubt a line is set aside.
 */
export async function stageSuspects(trx: Trx, scope: Scope): Promise<void> {
  const { merchantId, vendorMerchantId } = scope
  const notPlain = sql`
    SELECT l.* FROM (${paymentLinesOf(scope)}) l
    LEFT JOIN payment p ON p.merchant_id = ${merchantId} AND p.id = l.payment_number
      AND p.channel_account_id IN (${accountsOf(merchantId, vendorMerchantId)})
      AND p.state = 'paid' AND coalesce(p.received_amount, p.amount) = l.amount
      AND (l.channel_payment_id = '' OR p.channel_payment_id = l.channel_payment_id) AND ${isFeeRight}
    WHERE p.id IS NULL`
  const manifold = sql`
    SELECT l.* FROM (${paymentLinesOf(scope)}) l
    WHERE ${numbers} IN (SELECT ${numbers} FROM (${paymentLinesOf(scope)}) l GROUP BY 1 HAVING count(*) > 1)`
  await stage(trx, 'suspect_line', sql`${notPlain} UNION ${manifold}`)
}

const paymentLinesOf = ({ merchantId, billId, businessDate }: Scope): RawBuilder<unknown> => sql`
  SELECT * FROM bill_line
  WHERE merchant_id = ${merchantId} AND bill_id = ${billId} AND business_date = ${businessDate}::date
    AND kind = 'payment'`

/** Both numbers in eight bytes. Two lines that only happen to share them are judged, and nothing is found. */
const numbers = sql`hashtextextended(l.payment_number, hashtextextended(l.channel_payment_id, 0))`
