import { sql } from 'kysely'
import type { Db } from '#db/database'
import type { DiscrepancyKind } from '#domain/discrepancy'
import { assert } from '#domain/assert'
import { newBillId, newReconciliationId, parseDiscrepancyId } from '#domain/id'
import type { DiscrepancyId, MerchantId, ReconciliationId } from '#domain/id'
import type { DiscrepancyState } from '#domain/state'

/** A difference that a comparison has found. */
export interface Difference {
  readonly subject: string
  readonly kind?: DiscrepancyKind
  readonly state?: DiscrepancyState
  readonly reason?: string
  readonly theirs?: bigint
}

/** What is in the books about one day. */
export interface InsertedDay {
  readonly id: ReconciliationId
  readonly found: readonly DiscrepancyId[]
}

/** Writes a compared day of the merchant's first vendor merchant with what was found. */
export async function insertDay(
  db: Db,
  merchantId: MerchantId,
  businessDate: string,
  differences: readonly Difference[],
): Promise<InsertedDay> {
  const { vendor_merchant_id, channel } = await db
    .selectFrom('channel_account')
    .select(['vendor_merchant_id', 'channel'])
    .where('merchant_id', '=', merchantId)
    .orderBy('id')
    .executeTakeFirstOrThrow()
  const [billId, id] = [newBillId(), newReconciliationId()]
  const day = { merchant_id: merchantId, vendor_merchant_id, business_date: businessDate }
  await sql`INSERT INTO bill (merchant_id, id, vendor_merchant_id, kind, business_date, revision, lines,
                              payments, payment_amount, refunds, refund_amount, fee)
            VALUES (${merchantId}, ${billId}, ${vendor_merchant_id}, 'transaction', ${businessDate}, 1, 2,
                    2, 200, 0, 0, 0)`.execute(db)
  await db
    .insertInto('reconciliation')
    .values({
      ...day,
      id,
      channel,
      version: 1n,
      bill_id: billId,
      lines: 2n,
      matched: 1n,
      our_amount: 200n,
      their_amount: 199n,
    })
    .execute()
  const rows = differences.map(({ subject, kind, state, reason, theirs }) => ({
    ...day,
    id: newDiscrepancyId(),
    reconciliation_id: id,
    kind: kind ?? ('amount_differs' as const),
    subject_kind: 'payment' as const,
    subject,
    our_amount: 100n,
    their_amount: theirs ?? 99n,
    evidence: '{}',
    state: state ?? ('open' as const),
    reason: reason ?? null,
  }))
  if (rows.length > 0) await db.insertInto('discrepancy').values(rows).execute()
  return { id, found: rows.map((row) => row.id) }
}

/** In SQL, the code numbers them. */
function newDiscrepancyId(): DiscrepancyId {
  const id = parseDiscrepancyId(`f${newBillId().slice(1)}`)
  assert(id !== undefined, 'expected the id of a discrepancy')
  return id
}
