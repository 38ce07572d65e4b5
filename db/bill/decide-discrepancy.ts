import { sql } from 'kysely'
import { unreachable } from '#domain/assert'
import { isAllowed } from '#domain/discrepancy'
import type { DiscrepancyDecision } from '#domain/discrepancy'
import { parsePaymentId } from '#domain/id'
import type { DiscrepancyId } from '#domain/id'
import { appendAudit } from '../case/audit.ts'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { keepDayCase } from './day-case.ts'
import { DecisionImpossible, RETURN_REASON } from '../case/decision.ts'
import { dayOf } from './discrepancy.ts'
import type { DiscrepancyRow } from './discrepancy.ts'
import type { Jobs } from '../job.ts'
import { lockOrderOf, reserveRefund } from '../refund/refund.ts'
import type { PaymentRow } from '../payment/payment.ts'

export interface DiscrepancyRequest {
  readonly id: DiscrepancyId
  readonly decision: DiscrepancyDecision
  /** The person. */
  readonly actor: string
  readonly reason: string
  /** The version that the person has seen; another one means that somebody was faster. */
  readonly version: bigint
}

export interface DecideDeps {
  readonly jobs: Jobs
  readonly now: () => Date
}

export type DiscrepancyOutcome =
  | { readonly kind: 'decided'; readonly row: DiscrepancyRow }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'changed'; readonly version: bigint }
  | { readonly kind: 'not_allowed' }
  | { readonly kind: 'impossible'; readonly problem: string }

/**
 * Carries out what an operator decided about a discrepancy, in one transaction: effect, job, audit and the
 * row itself, which moves only from the version that the person has seen.
 */
export async function decideDiscrepancy(
  db: Db,
  deps: DecideDeps,
  request: DiscrepancyRequest,
): Promise<DiscrepancyOutcome> {
  const known = await db
    .selectFrom('discrepancy')
    .selectAll()
    .where('id', '=', request.id)
    .executeTakeFirst()
  if (known === undefined) return { kind: 'not_found' }
  try {
    return await commit(db, 'discrepancy.decide', (trx) => decideIn(trx, deps, request, known))
  } catch (error) {
    if (!(error instanceof DecisionImpossible)) throw error
    return { kind: 'impossible', problem: error.message }
  }
}

async function decideIn(
  trx: Trx,
  deps: DecideDeps,
  request: DiscrepancyRequest,
  known: DiscrepancyRow,
): Promise<DiscrepancyOutcome> {
  await sql`SELECT set_config('pingzhang.witness', 'operator', true)`.execute(trx)
  const payment = await lockPayment(trx, known)
  const row = await trx
    .selectFrom('discrepancy')
    .selectAll()
    .where('merchant_id', '=', known.merchant_id)
    .where('id', '=', known.id)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow()
  if (row.version !== request.version) return { kind: 'changed', version: row.version }
  if (!isAllowed(request.decision, row)) return { kind: 'not_allowed' }
  await carryOut(trx, deps, { request, row, payment })
  const decided = await writeDecision(trx, deps, request, row)
  await appendAudit(trx, {
    merchantId: row.merchant_id,
    actor: request.actor,
    action: `discrepancy.${request.decision}`,
    subject: row.id,
    reason: request.reason,
    content: { kind: row.kind, subject: row.subject, business_date: row.business_date },
    at: deps.now(),
  })
  await keepDayCase(trx, dayOf(row), deps.now())
  return { kind: 'decided', row: decided }
}

/** The order's lock comes first, as everywhere (payment rules, section 6). */
async function lockPayment(trx: Trx, row: DiscrepancyRow): Promise<PaymentRow | undefined> {
  const named = row.evidence['payment']
  const id = parsePaymentId(typeof named === 'string' ? named : '')
  return id && lockOrderOf(trx, row.merchant_id, id)
}

interface Deciding {
  readonly request: DiscrepancyRequest
  readonly row: DiscrepancyRow
  readonly payment: PaymentRow | undefined
}

async function carryOut(trx: Trx, deps: DecideDeps, deciding: Deciding): Promise<void> {
  const { decision } = deciding.request
  switch (decision) {
    case 'recover':
      return deps.jobs.send(trx, 'discrepancy-resolve', [
        { data: { merchantId: deciding.row.merchant_id, discrepancyId: deciding.row.id } },
      ])
    case 'refund':
      return giveBack(trx, deps, deciding)
    case 'adjust':
      return adjust(trx, deciding)
    case 'write_off':
    case 'keep_open':
    case 'reopen':
      return
    default:
      return unreachable(decision)
  }
}

async function giveBack(trx: Trx, deps: DecideDeps, { row, payment }: Deciding): Promise<void> {
  if (payment === undefined) throw new DecisionImpossible('the payment is not known')
  const refund = await reserveRefund(trx, deps.jobs, {
    merchantId: row.merchant_id,
    paymentId: payment.id,
    amountMinor: row.their_amount ?? payment.amount,
    reason: RETURN_REASON,
    origin: 'operator',
    now: deps.now(),
  })
  if (refund === undefined) throw new DecisionImpossible('so much cannot be refunded now')
}

/** What was received is what the vendor says: refunds are bounded by it from now on. */
async function adjust(trx: Trx, { row, payment }: Deciding): Promise<void> {
  if (payment?.state !== 'paid' || row.their_amount === null) {
    throw new DecisionImpossible('only a paid payment can be adjusted')
  }
  if (payment.refund_reserved > row.their_amount) {
    throw new DecisionImpossible('more than that is refunded already')
  }
  await trx
    .updateTable('payment')
    .set({ received_amount: row.their_amount })
    .where('merchant_id', '=', payment.merchant_id)
    .where('id', '=', payment.id)
    .execute()
}

const STATE_AFTER: Readonly<Record<DiscrepancyDecision, DiscrepancyRow['state']>> = {
  recover: 'repairing',
  refund: 'resolved',
  adjust: 'resolved',
  write_off: 'resolved',
  keep_open: 'open',
  reopen: 'open',
}

function writeDecision(
  trx: Trx,
  deps: DecideDeps,
  request: DiscrepancyRequest,
  row: DiscrepancyRow,
): Promise<DiscrepancyRow> {
  const state = STATE_AFTER[request.decision]
  return trx
    .updateTable('discrepancy')
    .set({
      state,
      decision: request.decision,
      reason: request.reason,
      decided_by: request.actor,
      due_at: state === 'repairing' ? deps.now() : null,
      resolved_at: state === 'resolved' ? deps.now() : null,
      version: row.version + 1n,
    })
    .where('merchant_id', '=', row.merchant_id)
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow()
}
