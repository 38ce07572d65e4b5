import { sql } from 'kysely'
import { decisionsFor, DOUBT_KINDS } from '#domain/case'
import type { CaseDecision } from '#domain/case'
import { appendAudit } from './audit.ts'
import type { CaseRow } from './case-list.ts'
import { findCase, findCasePayment } from './case-desk.ts'
import { commit } from '../commit.ts'
import type { ConfirmDeps } from '../payment/confirm-payment.ts'
import type { Db, Trx } from '../database.ts'
import { DecisionImpossible } from './decision.ts'
import type { Deciding, DecisionEffect, DecisionRequest } from './decision.ts'
import { resendDead } from './decide-event.ts'
import {
  lockEvidence,
  reviveLate,
  returnMoney,
  takeWrongAmount,
  writeOffDoubt,
} from './decide-money.ts'
import type { Evidence } from './decide-money.ts'
import { judgeAnew } from './decide-news.ts'
import { retryGrant, writeOffGrant } from './decide-points.ts'
import { closeRefund, retryRefundOf } from './decide-refund.ts'
import { lockOrderOf } from '../refund/refund.ts'

export type DecisionOutcome =
  | {
      readonly kind: 'decided'
      readonly item: CaseRow
      readonly effect: DecisionEffect
    }
  | { readonly kind: 'case_not_found' }
  | { readonly kind: 'already_resolved' }
  | {
      readonly kind: 'not_allowed'
      readonly caseKind: string
      readonly allowed: readonly CaseDecision[]
    }
  /** The rows say otherwise by now. Nothing has changed. */
  | { readonly kind: 'impossible'; readonly problem: string }

/**
 * Carries out what an operator decided about a case, in one transaction: effects, jobs, audit, and the case
 * itself, which is decided once.
 *
 * Locks as everybody does (payment rules, section 6): notification, order, payment; then the case.
 */
export async function decideCase(
  db: Db,
  deps: ConfirmDeps,
  request: DecisionRequest,
): Promise<DecisionOutcome> {
  const item = await findCase(db, request.caseId)
  if (item === undefined) return { kind: 'case_not_found' }
  if (item.state !== 'open') return { kind: 'already_resolved' }
  const allowed = decisionsFor(item.kind)
  if (!allowed.includes(request.decision)) {
    return { kind: 'not_allowed', caseKind: item.kind, allowed }
  }
  const paymentId = (await findCasePayment(db, item))?.id
  try {
    return await commit(db, 'case.decide', async (trx) => {
      await sql`SELECT set_config('pingzhang.witness', 'operator', true)`.execute(trx)
      const evidence = await lockEvidence(trx, item, request.decision)
      const payment = paymentId && (await lockOrderOf(trx, item.merchant_id, paymentId))
      if (!(await takeCase(trx, deps, item, request.decision))) return { kind: 'already_resolved' }
      const effect = await carry[request.decision]({ trx, deps, item, request, payment }, evidence)
      await audit(trx, deps, { item, request, effect })
      return { kind: 'decided', item, effect }
    })
  } catch (error) {
    if (!(error instanceof DecisionImpossible)) throw error
    return { kind: 'impossible', problem: error.message }
  }
}

/** open → resolved, once; `keep_open` only holds it. False when somebody has decided it before. */
async function takeCase(
  trx: Trx,
  deps: ConfirmDeps,
  item: CaseRow,
  decision: CaseDecision,
): Promise<boolean> {
  if (decision === 'keep_open') {
    const held = await trx
      .selectFrom('open_case')
      .select('id')
      .where('merchant_id', '=', item.merchant_id)
      .where('id', '=', item.id)
      .where('state', '=', 'open')
      .forNoKeyUpdate()
      .execute()
    return held.length === 1
  }
  const moved = await trx
    .updateTable('open_case')
    .set({ state: 'resolved', resolved_at: deps.now() })
    .where('merchant_id', '=', item.merchant_id)
    .where('id', '=', item.id)
    .where('state', '=', 'open')
    .returning('id')
    .execute()
  return moved.length === 1
}

type Carry = (work: Deciding, evidence: Evidence | undefined) => Promise<DecisionEffect>

const nothing: Carry = () => Promise.resolve({})

/** What is tried again where it is no refund. */
const retryOther: ReadonlyMap<string, Carry> = new Map<string, Carry>([
  ['points_refused', retryGrant],
  ['event_dead', resendDead],
  ['unknown_payment', judgeAnew],
  ['payment_not_paid', judgeAnew],
])

/** What is written off where it leaves something to be done. */
const writeOffBy: ReadonlyMap<string, Carry> = new Map<string, Carry>([
  ...DOUBT_KINDS.map((kind): [string, Carry] => [kind, writeOffDoubt]),
  ['points_refused', writeOffGrant],
])

const carry: Readonly<Record<CaseDecision, Carry>> = {
  keep_open: nothing,
  write_off: (work, evidence) => (writeOffBy.get(work.item.kind) ?? nothing)(work, evidence),
  accept: (work, evidence) => takeWrongAmount(work, evidence, { isReturned: false }),
  refund: (work, evidence) =>
    work.item.kind === 'amount_differs'
      ? takeWrongAmount(work, evidence, { isReturned: true })
      : returnMoney(work),
  revive: reviveLate,
  retry: (work, evidence) => (retryOther.get(work.item.kind) ?? retryRefundOf)(work, evidence),
  refused: (work) => closeRefund(work, 'refused'),
  succeeded: (work) => closeRefund(work, 'succeeded'),
}

interface Decided {
  readonly item: CaseRow
  readonly request: DecisionRequest
  readonly effect: DecisionEffect
}

const audit = (trx: Trx, deps: ConfirmDeps, { item, request, effect }: Decided): Promise<void> =>
  appendAudit(trx, {
    merchantId: item.merchant_id,
    actor: request.actor,
    action: `case.${request.decision}`,
    subject: item.id,
    reason: request.reason,
    content: { ...effect, case_kind: item.kind, case_subject: item.subject },
    at: deps.now(),
  })
