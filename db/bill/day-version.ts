import { sql } from 'kysely'
import { boundsOf } from '#domain/business-day'
import type { BillId, ReconciliationId } from '#domain/id'
import type { Trx } from '../database.ts'
import type { Scope } from './found.ts'
import type { DayToMatch } from './reconcile.ts'

/** Whoever compares a vendor merchant's day waits for who does it already, until the end of its transaction. */
export async function lockVendorMerchant(
  trx: Trx,
  { vendorMerchantId }: Pick<DayToMatch, 'vendorMerchantId'>,
): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`reconcile ${vendorMerchantId}`}, 0))`.execute(
    trx,
  )
}

/**
 * The scope of a comparison that belongs to the last version of a day, and makes none of its own. `undefined` while
 * the day has no version. To be called under the lock.
 */
export async function findLastScope(trx: Trx, day: DayToMatch): Promise<Scope | undefined> {
  const last = await findLast(trx, day)
  return (
    last && {
      merchantId: day.merchantId,
      vendorMerchantId: day.vendorMerchantId,
      businessDate: day.businessDate,
      now: day.now,
      reconciliationId: last.id,
      billId: last.bill_id,
      ...boundsOf(day.businessDate, day.dayEndHour),
      lastHoldDate: day.businessDate,
      refundsBy: day.refundsBy,
      hasWalletNumbers: day.hasWalletNumbers ?? false,
    }
  )
}

interface Last {
  readonly id: ReconciliationId
  readonly bill_id: BillId
}

const findLast = (trx: Trx, day: DayToMatch): Promise<Last | undefined> =>
  trx
    .selectFrom('reconciliation')
    .select(['id', 'bill_id'])
    .where('merchant_id', '=', day.merchantId)
    .where('vendor_merchant_id', '=', day.vendorMerchantId)
    .where('business_date', '=', day.businessDate)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
