import { sql } from 'kysely'
import { assert } from '#domain/assert'
import type { CaseId, MerchantId, RefundId } from '#domain/id'
import { parseRefundId } from '#domain/id'
import type { RefundState } from '#domain/state'
import { applyRefund } from '../refund/apply-refund.ts'
import { appendAudit } from './audit.ts'
import { commit } from '../commit.ts'
import type { ConfirmDeps } from '../payment/confirm-payment.ts'
import type { Db, Trx } from '../database.ts'
import { DecisionImpossible, paymentOf } from './decision.ts'
import type { Deciding, DecisionEffect } from './decision.ts'
import { findRefund, findRefundsOf, lockOrderOf, reserveRefund } from '../refund/refund.ts'
import type { RefundRow } from '../refund/refund.ts'

/** The states in which a case of a kind leaves its refund; in another one somebody was faster. */
const STATES_BY_KIND: ReadonlyMap<string, readonly RefundState[]> = new Map<
  string,
  readonly RefundState[]
>([
  ['refund_refused', ['refused']],
  ['refund_abnormal', ['abnormal']],
  ['refund_unknown', ['sent', 'accepted']],
  ['refund_not_available', ['requested']],
  ['refund_waiting', ['requested']],
])

/** The refund that a case is about, in the state that the case was opened for. */
async function loadRefund(work: Deciding): Promise<RefundRow> {
  const { trx, item } = work
  const payment = paymentOf(work)
  const id = parseRefundId(item.subject)
  const refunds = await findRefundsOf(trx, item.merchant_id, payment.id)
  const refund = refunds.find((row) => row.id === id)
  if (refund === undefined) throw new DecisionImpossible('the refund of this case is not known')
  const states = STATES_BY_KIND.get(item.kind) ?? []
  if (!states.includes(refund.state)) {
    throw new DecisionImpossible(`refund ${refund.id} is ${refund.state} by now`)
  }
  return refund
}

/** The operator is the witness of how a refund ended. */
export async function closeRefund(
  work: Deciding,
  refundState: 'refused' | 'succeeded',
): Promise<DecisionEffect> {
  const refund = await loadRefund(work)
  const { trx, deps, item } = work
  const facts = {
    kind: 'refund',
    paymentNumber: refund.payment_id,
    refundNumber: refund.id,
    identity: {},
    refundState,
    refundStateText: 'operator',
  } as const
  const claim = { facts, channelAccountId: refund.channel_account_id }
  const decision = await applyRefund(trx, deps, item.merchant_id, claim, 'operator')
  if (decision.kind !== 'move') throw new DecisionImpossible(`refund ${refund.id} does not move`)
  return { refund: refund.id, amount: refund.amount.toString(), refund_state: refundState }
}

/**
 * A new refund under a new number. Without a definite refusal the old one is refused by the operator's word
 * first, and only where the vendor knows refunds by a number of ours (payment rules, section 5).
 */
export async function retryRefundOf(work: Deciding): Promise<DecisionEffect> {
  const refund = await loadRefund(work)
  if (refund.state !== 'refused') {
    if (!work.request.hasRefundKey) {
      throw new DecisionImpossible(
        `refund ${refund.id} may still be paid, and this vendor has no refund key; decide "refused" on its definite word first`,
      )
    }
    await closeRefund(work, 'refused')
  }
  const { trx, deps } = work
  const retried = await retryRefused(trx, deps, refund)
  return { refund: refund.id, retried_as: retried.id, amount: retried.amount.toString() }
}

/** One retry per refusal: its key is made of the refused one, and unique. */
async function retryRefused(trx: Trx, deps: ConfirmDeps, refused: RefundRow): Promise<RefundRow> {
  const requestKey = `operator retry of ${refused.id}`
  const siblings = await findRefundsOf(trx, refused.merchant_id, refused.payment_id)
  const earlier = siblings.find((row) => row.request_key === requestKey)
  if (earlier !== undefined) {
    throw new DecisionImpossible(`refund ${refused.id} was tried again before, as ${earlier.id}`)
  }
  const refund = await reserveRefund(trx, deps.jobs, {
    merchantId: refused.merchant_id,
    paymentId: refused.payment_id,
    amountMinor: refused.amount,
    reason: refused.reason,
    origin: 'operator',
    requestKey,
    now: deps.now(),
  })
  if (refund === undefined) {
    throw new DecisionImpossible(
      `less than ${refused.amount} fen of the payment are left to refund`,
    )
  }
  return refund
}

export interface RetryRequest {
  readonly refundId: RefundId
  readonly actor: string
  readonly reason: string
}

export type RetryOutcome =
  | { readonly kind: 'retried'; readonly refund: RefundRow }
  | { readonly kind: 'refund_not_found' }
  | { readonly kind: 'impossible'; readonly problem: string }

/** Tries a refused refund again under a new number; its case, if one is open, is resolved by that. */
export async function retryRefund(
  db: Db,
  deps: ConfirmDeps,
  request: RetryRequest,
): Promise<RetryOutcome> {
  const merchantId = await findOwner(db, request.refundId)
  const known = merchantId && (await findRefund(db, merchantId, request.refundId))
  if (known === undefined) return { kind: 'refund_not_found' }
  try {
    return await commit(db, 'refund.decide', async (trx) => {
      await sql`SELECT set_config('pingzhang.witness', 'operator', true)`.execute(trx)
      const retried = await retryUnderLock(trx, deps, known)
      await auditRetry(trx, deps, { request, known, ...retried })
      return { kind: 'retried', refund: retried.refund }
    })
  } catch (error) {
    if (!(error instanceof DecisionImpossible)) throw error
    return { kind: 'impossible', problem: error.message }
  }
}

interface Retried {
  readonly refund: RefundRow
  /** The open case that this resolved. */
  readonly caseId: CaseId | undefined
}

async function retryUnderLock(trx: Trx, deps: ConfirmDeps, known: RefundRow): Promise<Retried> {
  await lockOrderOf(trx, known.merchant_id, known.payment_id)
  const refunds = await findRefundsOf(trx, known.merchant_id, known.payment_id)
  const refused = refunds.find((row) => row.id === known.id)
  assert(refused !== undefined, `refund ${known.id} is never deleted`)
  if (refused.state !== 'refused') {
    throw new DecisionImpossible(
      `refund ${known.id} is ${refused.state}; only a refused one is tried again`,
    )
  }
  const resolved = await trx
    .updateTable('open_case')
    .set({ state: 'resolved', resolved_at: deps.now() })
    .where('merchant_id', '=', known.merchant_id)
    .where('kind', '=', 'refund_refused')
    .where('subject', '=', known.id)
    .where('state', '=', 'open')
    .returning('id')
    .executeTakeFirst()
  return { refund: await retryRefused(trx, deps, refused), caseId: resolved?.id }
}

interface Retry extends Retried {
  readonly request: RetryRequest
  readonly known: RefundRow
}

const auditRetry = (
  trx: Trx,
  deps: ConfirmDeps,
  { request, known, refund, caseId }: Retry,
): Promise<void> =>
  appendAudit(trx, {
    merchantId: known.merchant_id,
    actor: request.actor,
    action: 'refund.retry',
    subject: known.id,
    reason: request.reason,
    content: {
      payment: known.payment_id,
      retried_as: refund.id,
      amount: refund.amount.toString(),
      ...(caseId === undefined ? {} : { case: caseId }),
    },
    at: deps.now(),
  })

/** The merchant of a refund that an operator names by its id alone. */
async function findOwner(db: Db, id: RefundId): Promise<MerchantId | undefined> {
  const row = await db
    .selectFrom('refund')
    .select('merchant_id')
    .where('merchant_id', 'in', db.selectFrom('merchant').select('id'))
    .where('id', '=', id)
    .executeTakeFirst()
  return row?.merchant_id
}
