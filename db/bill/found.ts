import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { RefundMoment } from '#domain/business-day'
import type { BillId, MerchantId, ReconciliationId, VendorMerchantId } from '#domain/id'
import type { Trx } from '../database.ts'

/** What every statement of one run names. */
export interface Scope {
  readonly merchantId: MerchantId
  readonly vendorMerchantId: VendorMerchantId
  readonly businessDate: string
  readonly reconciliationId: ReconciliationId
  readonly billId: BillId
  readonly from: Date
  readonly to: Date
  readonly lastHoldDate: string
  readonly refundsBy: RefundMoment
  readonly hasWalletNumbers: boolean
  readonly now: Date
}

/**
 * Writes what a comparison found. A discrepancy that is known keeps its decision and names this run; one that
 * was resolved by the machine opens again. What a person decided stays, unless the amounts are others now: that
 * decision was about another difference. Lines of one kind that name the same subject are numbered.
 */
export async function insertFound(
  trx: Trx,
  scope: Scope,
  found: RawBuilder<unknown>,
): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    INSERT INTO discrepancy (merchant_id, id, vendor_merchant_id, business_date, reconciliation_id, kind,
                             subject_kind, subject, our_amount, their_amount, evidence, state, due_at, opened_at)
    SELECT ${scope.merchantId}, ${sql.lit('f')} || lpad(replace(gen_random_uuid()::text, '-', ''), 25, '0'),
           ${scope.vendorMerchantId}, ${scope.businessDate}::date, ${scope.reconciliationId}, f.kind,
           f.subject_kind, f.subject || CASE WHEN f.copy > 1 THEN ' ' || f.copy ELSE '' END, f.our_amount,
           f.their_amount, f.evidence, f.state, f.due_at, ${scope.now}
    FROM (SELECT g.*, row_number() OVER (PARTITION BY g.kind, g.subject_kind, g.subject
                                         ORDER BY (g.evidence ->> 'line')::bigint) AS copy
          FROM (${found}) g) f
    ON CONFLICT (merchant_id, vendor_merchant_id, business_date, kind, subject_kind, subject) DO UPDATE
      SET reconciliation_id = EXCLUDED.reconciliation_id, evidence = EXCLUDED.evidence,
          our_amount = EXCLUDED.our_amount, their_amount = EXCLUDED.their_amount,
          state = CASE WHEN NOT ${isOpenedAgain} THEN discrepancy.state
                       WHEN EXCLUDED.state = 'held' THEN 'held' ELSE 'open' END,
          resolved_at = CASE WHEN ${isOpenedAgain} THEN NULL ELSE discrepancy.resolved_at END,
          -- Who decides on what he has seen must not decide on something else (If-Match).
          version = discrepancy.version
            + CASE WHEN ${isOpenedAgain} OR ${isAnother} THEN 1 ELSE 0 END
    RETURNING id`.execute(trx)
  return rows.length
}

const isAnother = sql`(discrepancy.our_amount, discrepancy.their_amount)
  IS DISTINCT FROM (EXCLUDED.our_amount, EXCLUDED.their_amount)`

const isOpenedAgain = sql`(discrepancy.state = 'resolved'
  AND (discrepancy.decided_by = 'machine' OR ${isAnother}))`

/** Accounts of one vendor merchant: two apps under one number share a bill. */
export const accountsOf = (merchantId: string, vendorMerchantId: string) => sql`
  SELECT id FROM channel_account WHERE merchant_id = ${merchantId} AND vendor_merchant_id = ${vendorMerchantId}`
