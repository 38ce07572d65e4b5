import { sql } from 'kysely'
import { hit } from '#failpoint'
import { addDays, boundsOf } from '#domain/business-day'
import type { RefundMoment } from '#domain/business-day'
import { newReconciliationId } from '#domain/id'
import type { BillId, MerchantId, ReconciliationId, VendorMerchantId } from '#domain/id'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { keepDayCase } from './day-case.ts'
import { lockVendorMerchant } from './day-version.ts'
import { insertFound } from './found.ts'
import type { Scope } from './found.ts'
import { matchFund } from './match-fund.ts'
import { matchPayments, matchRefunds, sumMatched } from './match.ts'
import { findShort, lookAround, releaseHeld } from './match-short.ts'
import { SUSPECT, stageSuspects } from './match-suspect.ts'
import { tunePlans } from './stage.ts'

export interface DayToMatch {
  readonly merchantId: MerchantId
  readonly vendorMerchantId: VendorMerchantId
  readonly channel: string
  readonly businessDate: string
  /** Of the channel: when the vendor's day ends in Asia/Shanghai. */
  readonly dayEndHour: number
  /** Of the channel: what dates a refund. */
  readonly refundsBy: RefundMoment
  /** Of the channel: its lines may name the wallet's own number; without it nothing is looked for by one. */
  readonly hasWalletNumbers?: boolean
  readonly now: Date
}

export interface Matched {
  readonly id: ReconciliationId
  readonly lines: number
  readonly matched: number
}

/** Days after its own in which a line may still come, because of the vendor's cut. */
const HOLD_DAYS = 3

/**
 * Compares the last revision of a day's bill with our rows, set-based, in one transaction.
 *
 * A repeat is a new version: what was decided stays, what is gone is resolved, what is new is opened. The
 * join is by number whatever the date; dates decide only what is missing there (payment rules, section 8).
 */
export async function reconcileDay(db: Db, day: DayToMatch): Promise<Matched | undefined> {
  return commit(db, 'reconcile.commit', async (trx) => {
    await lockVendorMerchant(trx, day)
    const bill = await findBill(trx, day)
    if (bill === undefined) return undefined
    const id = newReconciliationId()
    const scope = scopeOf(day, { id, billId: bill.id })
    await tunePlans(trx)
    hit('reconcile.match:before')
    await stageSuspects(trx, scope)
    const found =
      (await matchPayments(trx, scope)) +
      (await matchRefunds(trx, scope)) +
      (await findOthers(trx, scope, bill))
    await matchFund(trx, scope)
    await lookAround(trx, scope)
    await findShort(trx, scope)
    const foundOf = await releaseHeld(trx, scope)
    await resolveGone(trx, day, id)
    for (const businessDate of new Set([...foundOf, day.businessDate]).values()) {
      await keepDayCase(trx, { ...day, businessDate }, day.now)
    }
    hit('reconcile.match:after')
    // A line that nothing was found about is matched.
    const matched = { id, lines: bill.lines, matched: bill.lines - found }
    hit('reconcile.run:before')
    await insertRun(trx, day, bill.id, matched)
    hit('reconcile.run:after')
    return matched
  })
}

function scopeOf(
  day: DayToMatch,
  { id, billId }: { readonly id: ReconciliationId; readonly billId: BillId },
): Scope {
  const { merchantId, vendorMerchantId, businessDate, now } = day
  return {
    merchantId,
    vendorMerchantId,
    businessDate,
    now,
    reconciliationId: id,
    billId,
    ...boundsOf(businessDate, day.dayEndHour),
    lastHoldDate: addDays(businessDate, HOLD_DAYS),
    refundsBy: day.refundsBy,
    hasWalletNumbers: day.hasWalletNumbers ?? false,
  }
}

interface BillOfDay {
  readonly id: BillId
  readonly lines: number
  /** Lines that are neither payment nor refund. */
  readonly others: number
}

async function findBill(trx: Trx, day: DayToMatch): Promise<BillOfDay | undefined> {
  const row = await trx
    .selectFrom('bill')
    .select(['id', 'lines', 'payments', 'refunds'])
    .where('merchant_id', '=', day.merchantId)
    .where('vendor_merchant_id', '=', day.vendorMerchantId)
    .where('kind', '=', 'transaction')
    .where('business_date', '=', day.businessDate)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const others = Number(row.lines - row.payments - row.refunds)
  return { id: row.id, lines: Number(row.lines), others }
}

async function insertRun(
  trx: Trx,
  day: DayToMatch,
  billId: BillId,
  { id, lines, matched }: Matched,
): Promise<void> {
  const totals = await sumMatched(trx, day.merchantId, billId)
  await sql`
    INSERT INTO reconciliation (merchant_id, id, vendor_merchant_id, channel, business_date, version, bill_id,
                                lines, matched, our_amount, their_amount)
    SELECT ${day.merchantId}, ${id}, ${day.vendorMerchantId}, ${day.channel}, ${day.businessDate}::date,
           coalesce(max(version), 0) + 1, ${billId}, ${BigInt(lines)}::bigint, ${BigInt(matched)}::bigint,
           ${totals.ours}::bigint, ${totals.theirs}::bigint
    FROM reconciliation WHERE merchant_id = ${day.merchantId}
      AND vendor_merchant_id = ${day.vendorMerchantId} AND business_date = ${day.businessDate}::date`.execute(
    trx,
  )
}

/** Lines that are neither payment nor refund: a person sees them, once each. */
async function findOthers(trx: Trx, scope: Scope, bill: BillOfDay): Promise<number> {
  // Most bills have none, and the count is known: no need to go through a million lines for that.
  if (bill.others === 0) return 0
  return insertFound(
    trx,
    scope,
    sql`
    SELECT 'unclassified' AS kind, 'day' AS subject_kind,
           l.state_text || ' ' || l.line AS subject, NULL::bigint AS our_amount, l.amount AS their_amount,
           jsonb_build_object('line', l.line, 'state', l.state_text, 'payment', l.payment_number) AS evidence,
           'open' AS state, NULL::timestamptz AS due_at
    FROM ${SUSPECT.lines} l WHERE l.kind = 'other'`,
  )
}

/** What this version does not see any more is resolved, unless a person has decided it. */
async function resolveGone(trx: Trx, day: DayToMatch, id: ReconciliationId): Promise<void> {
  await trx
    .updateTable('discrepancy')
    .set({
      state: 'resolved',
      decision: 'gone',
      decided_by: 'machine',
      reason: 'a later version of the day does not show it',
      due_at: null,
      resolved_at: day.now,
      version: sql`version + 1`,
    })
    .where('merchant_id', '=', day.merchantId)
    .where('vendor_merchant_id', '=', day.vendorMerchantId)
    .where('business_date', '=', day.businessDate)
    .where('reconciliation_id', '!=', id)
    .where('kind', '!=', 'points_differ')
    .where('state', 'in', ['held', 'open', 'repairing'])
    .execute()
}
