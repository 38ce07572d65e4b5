import type { MerchantId, VendorMerchantId } from '#domain/id'
import { openCases } from '../case/case.ts'
import type { Trx } from '../database.ts'

/** A vendor merchant's business day. */
export interface VendorDay {
  readonly merchantId: MerchantId
  readonly vendorMerchantId: VendorMerchantId
  readonly businessDate: string
}

const KIND = 'discrepancies'

/**
 * One open case for each day that has discrepancies for a person, and none for a day that has none (any more).
 *
 * To be called in the transaction that moved a discrepancy, after the move. The case's row is locked before the
 * count, so that of two people who decide the last two the later one closes it.
 */
export async function keepDayCase(trx: Trx, day: VendorDay, now: Date): Promise<void> {
  const subject = `${day.vendorMerchantId} ${day.businessDate}`
  const known = await trx
    .selectFrom('open_case')
    .select('id')
    .where('merchant_id', '=', day.merchantId)
    .where('kind', '=', KIND)
    .where('subject', '=', subject)
    .where('state', '=', 'open')
    .forNoKeyUpdate()
    .executeTakeFirst()
  const open = await countOpen(trx, day)
  if (open > 0n) {
    const evidence = {
      vendor_merchant: day.vendorMerchantId,
      business_date: day.businessDate,
      open: Number(open),
    }
    await openCases(trx, [{ merchantId: day.merchantId, kind: KIND, subject, evidence }])
    return
  }
  if (known === undefined) return
  await trx
    .updateTable('open_case')
    .set({ state: 'resolved', resolved_at: now })
    .where('merchant_id', '=', day.merchantId)
    .where('id', '=', known.id)
    .where('state', '=', 'open')
    .execute()
}

async function countOpen(trx: Trx, day: VendorDay): Promise<bigint> {
  const { count } = await trx
    .selectFrom('discrepancy')
    .select((of) => of.fn.countAll<bigint>().as('count'))
    .where('merchant_id', '=', day.merchantId)
    .where('vendor_merchant_id', '=', day.vendorMerchantId)
    .where('business_date', '=', day.businessDate)
    .where('state', '=', 'open')
    .executeTakeFirstOrThrow()
  return count
}
