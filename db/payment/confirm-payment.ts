import { sql } from 'kysely'
import { assert, unreachable } from '#domain/assert'
import { isDoubtKind } from '#domain/case'
import { decideConfirmation } from '#domain/confirm'
import type { Decision } from '#domain/confirm'
import type { ChannelAccountId, MerchantId, NotificationId, OrderId, PaymentId } from '#domain/id'
import { parsePaymentId } from '#domain/id'
import type { PaymentFacts } from '#domain/notification'
import type { Disposition, Witness } from '#domain/state'
import { appendAudit } from '../case/audit.ts'
import type { AuditEntry } from '../case/audit.ts'
import { openCases } from '../case/case.ts'
import type { NewCase } from '../case/case.ts'
import type { Trx } from '../database.ts'
import { paymentEvents } from '../event/event-data.ts'
import { createGrants } from '../points/grant.ts'
import { findPolicy, followPolicy } from './late-money.ts'
import type { Jobs } from '../job.ts'
import { lockPayments } from './lock-payment.ts'
import type { LatePolicy } from '../schema.ts'
import type { Locked } from './lock-payment.ts'
import { createEvents } from '../event/merchant-event.ts'
import { writeMarks } from './payment-mark.ts'

/** One witness's word about one payment. */
export interface Claim {
  readonly facts: PaymentFacts
  readonly channelAccountId: ChannelAccountId
  readonly notificationId?: NotificationId
  /** An operator's word: the money came, but it pays no order, and the caller says where it goes. */
  readonly paysNothing?: true
}

export interface Outcome {
  readonly claim: Claim
  readonly decision: Decision
}

export interface ConfirmDeps {
  readonly jobs: Jobs
  readonly compensationSeconds: number
  readonly now: () => Date
}

/** A guarded statement touched fewer rows than planned: someone was faster. Roll back and run again. */
export class PlanChanged extends Error {
  override readonly name = 'PlanChanged'
}

interface Paid {
  readonly payment: Locked
  readonly disposition: Disposition
  readonly paysNothing: boolean
  readonly number: string
  readonly walletNumber: string | null
  readonly paidAt: Date
  readonly clearingDate: string | null
}

/** Rows of one transaction at most, so that locks stay short (payment rules, section 6). */
export const CONFIRM_PAYMENTS_MAX = 300

/**
 * The one way a payment becomes paid, whoever the witness is. Runs in the caller's transaction.
 *
 * Locks orders, then their payments, each ascending by id; decides purely; writes with guarded statements
 * whose row counts must equal the plan. Grants and jobs are in the same commit.
 */
export async function confirmPayment(
  trx: Trx,
  deps: ConfirmDeps,
  merchantId: MerchantId,
  claims: readonly Claim[],
  witness: Witness,
): Promise<readonly Outcome[]> {
  assert(claims.length <= CONFIRM_PAYMENTS_MAX, `${claims.length} claims in one transaction`)
  await sql`SELECT set_config('pingzhang.witness', ${witness}, true)`.execute(trx)
  const payments = await lockPayments(
    trx,
    merchantId,
    claims.map((claim) => claim.facts.paymentNumber),
  )
  const identities = await findIdentities(trx, merchantId, claims)
  const owners = await findNumberOwners(trx, merchantId, claims)
  const policy = await findPolicy(trx, merchantId)
  const outcomes: Outcome[] = []
  const paid: Paid[] = []
  for (const claim of claims) {
    const payment = findLocked(payments, claim)
    const key = numberKey(claim.channelAccountId, claim.facts.channelPaymentId ?? '')
    const decision = decideConfirmation({
      facts: claim.facts,
      channelAccountId: claim.channelAccountId,
      identity: identities.get(claim.channelAccountId) ?? {},
      payment,
      vendorNumberOwner: owners.get(key),
    })
    outcomes.push({ claim, decision })
    if (decision.kind === 'pay' && payment !== undefined) {
      paid.push(toPaid(payment, claim, decision.disposition, deps.now()))
      // The next claim of this batch must see what this one has decided.
      owners.set(key, payment.id)
      markPaid(payments, { payment, policy }, claim)
    }
  }
  const steps = await writePaid(trx, deps, merchantId, { paid, policy })
  await writeMarks(trx, merchantId, outcomes)
  await writeDoubts(trx, merchantId, outcomes)
  await openCases(trx, casesOf(merchantId, outcomes))
  for (const step of steps) await appendAudit(trx, step)
  return outcomes
}

const numberKey = (account: string, number: string): string => `${account} ${number}`

function findLocked(payments: Map<string, Locked>, claim: Claim): Locked | undefined {
  return payments.get(claim.facts.paymentNumber)
}

function toPaid(payment: Locked, claim: Claim, disposition: Disposition, now: Date): Paid {
  const number = claim.facts.channelPaymentId
  assert(number !== undefined, `payment ${payment.id} is paid without a vendor number`)
  const { paidAt = now, clearingDate = null, walletPaymentId: walletNumber = null } = claim.facts
  const paysNothing = claim.paysNothing === true
  const own = paysNothing && disposition === 'counted' ? 'excess' : disposition
  return { payment, disposition: own, paysNothing, number, walletNumber, paidAt, clearingDate }
}

function markPaid(
  payments: Map<string, Locked>,
  { payment: paid, policy }: { readonly payment: Locked; readonly policy: LatePolicy },
  claim: Claim,
): void {
  const number = claim.facts.channelPaymentId
  for (const [id, payment] of payments) {
    if (payment.orderId !== paid.orderId) continue
    const isPaidNow =
      payment.orderState === 'unpaid' || (payment.orderState === 'closed' && policy === 'revive')
    const orderState = isPaidNow ? 'paid' : payment.orderState
    const own = id === paid.id ? { state: 'paid' as const, channelPaymentId: number } : {}
    payments.set(id, { ...payment, orderState, ...own })
  }
}

async function findIdentities(
  trx: Trx,
  merchantId: MerchantId,
  claims: readonly Claim[],
): Promise<Map<string, Record<string, string>>> {
  const rows = await trx
    .selectFrom('channel_account')
    .select(['id', 'identity'])
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', [...new Set(claims.map((claim) => claim.channelAccountId))])
    .execute()
  return new Map(rows.map((row) => [row.id, row.identity]))
}

async function findNumberOwners(
  trx: Trx,
  merchantId: MerchantId,
  claims: readonly Claim[],
): Promise<Map<string, string>> {
  const numbers = claims.map((claim) => claim.facts.channelPaymentId)
  const known = numbers.filter((number) => number !== undefined)
  if (known.length === 0) return new Map()
  const rows = await trx
    .selectFrom('payment')
    .select(['id', 'channel_account_id', 'channel_payment_id'])
    .where('merchant_id', '=', merchantId)
    .where('channel_account_id', 'in', [...new Set(claims.map((claim) => claim.channelAccountId))])
    .where('channel_payment_id', 'in', known)
    .execute()
  return new Map(
    rows.map((row) => [numberKey(row.channel_account_id, row.channel_payment_id ?? ''), row.id]),
  )
}

async function writePaid(
  trx: Trx,
  deps: ConfirmDeps,
  merchantId: MerchantId,
  { paid, policy }: { readonly paid: readonly Paid[]; readonly policy: LatePolicy },
): Promise<readonly AuditEntry[]> {
  if (paid.length === 0) return []
  // Raw, because kysely has no `unnest` over several arrays. The old state is part of the guard.
  const moved = await sql<{ id: PaymentId }>`
    UPDATE payment p
    SET state = 'paid', disposition = t.disposition, channel_payment_id = t.number, paid_at = t.paid_at,
        clearing_date = t.clearing_date, wallet_payment_id = t.wallet_number, next_query_at = NULL
    FROM unnest(${paid.map((item) => item.payment.id)}::text[],
                ${paid.map((item) => item.disposition)}::text[],
                ${paid.map((item) => item.number)}::text[],
                ${paid.map((item) => item.paidAt.toISOString())}::timestamptz[],
                ${paid.map((item) => item.clearingDate)}::text[],
                ${paid.map((item) => item.walletNumber)}::text[])
         AS t (id, disposition, number, paid_at, clearing_date, wallet_number)
    WHERE p.merchant_id = ${merchantId} AND p.id = t.id AND p.state IN ('created', 'pending', 'closed')
    RETURNING p.id`.execute(trx)
  expectCount('payment', moved.rows.length, paid.length)
  await writeCounted(
    trx,
    deps,
    merchantId,
    paid.filter((item) => item.disposition === 'counted'),
  )
  const late = { policy, items: paid.filter(isLateMoney) }
  const steps = await followPolicy(trx, deps, merchantId, late)
  const paymentIds = paid.map((item) => item.payment.id)
  const events = await paymentEvents(trx, 'payment.paid', merchantId, paymentIds)
  await createEvents(trx, deps.jobs, { merchantId, at: deps.now() }, events)
  await deps.jobs.send(trx, 'compensation', [
    { data: { merchantId, paymentIds }, startAfterSeconds: deps.compensationSeconds },
  ])
  return steps
}

const isLateMoney = (item: Paid): item is Paid & { disposition: 'late' | 'excess' } =>
  item.disposition !== 'counted' && !item.paysNothing

async function writeCounted(
  trx: Trx,
  deps: ConfirmDeps,
  merchantId: MerchantId,
  counted: readonly Paid[],
): Promise<void> {
  if (counted.length === 0) return
  const moved = await sql<{ id: OrderId }>`
    UPDATE customer_order o SET state = 'paid', paid_payment_id = t.payment_id
    FROM unnest(${counted.map((item) => item.payment.orderId)}::text[],
                ${counted.map((item) => item.payment.id)}::text[]) AS t (id, payment_id)
    WHERE o.merchant_id = ${merchantId} AND o.id = t.id AND o.state = 'unpaid'
    RETURNING o.id`.execute(trx)
  expectCount('customer_order', moved.rows.length, counted.length)
  await createGrants(
    trx,
    deps,
    merchantId,
    counted.map(({ payment }) => payment),
  )
}

function expectCount(table: string, found: number, planned: number): void {
  if (found !== planned) throw new PlanChanged(`${table}: planned ${planned} rows, moved ${found}`)
}

/** Money that may have moved in another way than we think blocks close and new attempts. */
async function writeDoubts(
  trx: Trx,
  merchantId: MerchantId,
  outcomes: readonly Outcome[],
): Promise<void> {
  const ids = outcomes
    .filter(({ decision }) => decision.kind === 'quarantine' && isDoubtKind(decision.reason))
    .map(({ claim }) => parsePaymentId(claim.facts.paymentNumber))
    .filter((id) => id !== undefined)
  if (ids.length === 0) return
  await trx
    .updateTable('payment')
    .set({ money_in_doubt: true })
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', ids)
    .where('state', '!=', 'paid')
    .execute()
}

function casesOf(merchantId: MerchantId, outcomes: readonly Outcome[]): NewCase[] {
  return outcomes.flatMap(({ claim, decision }) => {
    const kind = caseKind(decision)
    if (kind === undefined) return []
    const evidence = {
      vendor_amount: claim.facts.amountMinor?.toString(),
      vendor_currency: claim.facts.currency,
      vendor_number: claim.facts.channelPaymentId,
      wallet_number: claim.facts.walletPaymentId,
      notification: claim.notificationId,
    }
    return [{ merchantId, kind, subject: claim.facts.paymentNumber, evidence }]
  })
}

function caseKind(decision: Decision): string | undefined {
  switch (decision.kind) {
    case 'quarantine':
      return decision.reason
    case 'pay':
    case 'already_paid':
    case 'ask_vendor':
      return undefined
    default:
      return unreachable(decision)
  }
}
