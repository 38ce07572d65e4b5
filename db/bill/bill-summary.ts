import { sql } from 'kysely'
import type { MerchantId, VendorMerchantId } from '#domain/id'
import { summaryKey } from '#domain/daily-summary'
import type { Db } from '../database.ts'

/** The case about a vendor whose message of a day and whose bill of it do not agree. */
export const SUMMARY_DIFFERS = 'bill_summary_differs'

export interface WrongSummary {
  readonly merchantId: MerchantId
  readonly vendorMerchantId: VendorMerchantId
  readonly businessDate: string
  readonly summary: { readonly count: string; readonly minor: string }
  readonly bill: { readonly count: string; readonly minor: string }
}

const NUMBER = '{number}'
const DATE = '{date}'

/** `summaryKey` of a row of `bill` and `vendor_merchant`, so that the unique key of notifications finds it. */
const keyOf = sql`replace(replace(${summaryKey(NUMBER, DATE)}, ${DATE}, b.business_date::text), ${NUMBER}, v.number)`

/**
 * Bills of these days whose payments are not those that the vendor's own summary counts, and about which no
 * case was ever opened. Both are the vendor's word, so only a person can say which is right.
 */
export async function findWrongSummaries(
  db: Db,
  sinceDate: string,
): Promise<readonly WrongSummary[]> {
  const { rows } = await sql<WrongSummary>`
    SELECT b.merchant_id AS "merchantId", b.vendor_merchant_id AS "vendorMerchantId",
           b.business_date::text AS "businessDate",
           jsonb_build_object('count', n.facts #>> '{summary,count}', 'minor', n.facts #>> '{summary,minor}')
             AS summary,
           jsonb_build_object('count', b.payments::text, 'minor', b.payment_amount::text) AS bill
    FROM bill b
    JOIN vendor_merchant v ON v.merchant_id = b.merchant_id AND v.id = b.vendor_merchant_id
    JOIN channel_account a ON a.merchant_id = v.merchant_id AND a.vendor_merchant_id = v.id
    JOIN notification n ON n.merchant_id = a.merchant_id AND n.channel_account_id = a.id
      AND n.event_key = ${keyOf}
    WHERE b.kind = 'transaction' AND b.business_date >= ${sinceDate}::date
      AND b.revision = (SELECT max(o.revision) FROM bill o WHERE o.merchant_id = b.merchant_id
        AND o.vendor_merchant_id = b.vendor_merchant_id AND o.kind = b.kind
        AND o.business_date = b.business_date)
      AND (n.facts #>> '{summary,count}', n.facts #>> '{summary,minor}')
        IS DISTINCT FROM (b.payments::text, b.payment_amount::text)
      AND NOT EXISTS (SELECT FROM open_case c WHERE c.merchant_id = b.merchant_id
        AND c.kind = ${SUMMARY_DIFFERS} AND c.subject = b.vendor_merchant_id || ' ' || b.business_date::text)`.execute(
    db,
  )
  return rows
}
