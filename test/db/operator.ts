import { applyNotifications } from '#db/notification/apply-notification'
import { decideCase } from '#db/case/decide-case'
import type { DecisionOutcome } from '#db/case/decide-case'
import type { RefundRow } from '#db/refund/refund'
import { assert } from '#domain/assert'
import type { CaseDecision } from '#domain/case'
import type { CaseId, NotificationId, PaymentId } from '#domain/id'
import { factsOf } from '../flow/batch.ts'
import type { Sale } from '../flow/crash/sale.ts'
import { refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

/** A person at the desk, who decides cases. */
export interface Operator {
  /** The open case of a subject; throws where there is none, or several. */
  caseOf(subject: string): Promise<CaseId>
  decide(caseId: CaseId, decision: CaseDecision, hasRefundKey?: boolean): Promise<DecisionOutcome>
  /** As `decide`, for the one open case of a subject; the effect, or why there was none. */
  resolve(subject: string, decision: CaseDecision, hasRefundKey?: boolean): Promise<unknown>
  caseState(caseId: CaseId): Promise<string>
  /** Actor, action and reason of each decision about a case. */
  audited(caseId: CaseId): Promise<readonly string[]>
}

export function openOperator(desk: Desk): Operator {
  const decide: Operator['decide'] = (caseId, decision, hasRefundKey = false) =>
    decideCase(desk.db, desk.deps, {
      caseId,
      decision,
      actor: 'ann',
      reason: 'as the customer said',
      hasRefundKey,
    })

  async function caseOf(subject: string): Promise<CaseId> {
    const [found, another] = await desk.db
      .selectFrom('open_case')
      .select('id')
      .where('merchant_id', '=', desk.merchantId)
      .where('subject', '=', subject)
      .where('state', '=', 'open')
      .execute()
    assert(found !== undefined && another === undefined, `expected one open case of ${subject}`)
    return found.id
  }

  return {
    caseOf,
    decide,
    async resolve(subject, decision, hasRefundKey) {
      const outcome = await decide(await caseOf(subject), decision, hasRefundKey)
      if (outcome.kind === 'decided') return outcome.effect
      return outcome.kind === 'impossible' ? outcome.problem : outcome.kind
    },
    async caseState(caseId) {
      const row = await desk.db
        .selectFrom('open_case')
        .select('state')
        .where('id', '=', caseId)
        .executeTakeFirstOrThrow()
      return row.state
    },
    async audited(caseId) {
      const rows = await desk.db
        .selectFrom('audit')
        .select(['actor', 'action', 'reason'])
        .where('subject', '=', caseId)
        .orderBy('place')
        .execute()
      return rows.map(({ actor, action, reason }) => `${actor} ${action}: ${reason}`)
    },
  }
}

export const paymentRow = (desk: Desk, id: PaymentId) =>
  desk.db.selectFrom('payment').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

/** A genuine callback with another amount than the order's, applied: quarantined, with a case. */
export async function hearWrong(
  desk: Desk,
  sale: Sale,
  amountMinor: bigint,
): Promise<NotificationId> {
  const [id] = await desk.store([{ ...factsOf(sale), amountMinor }])
  assert(id !== undefined, 'one row was stored')
  await applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
  const row = await paymentRow(desk, sale.paymentId)
  assert(row.money_in_doubt, 'another amount puts the money in doubt')
  return id
}

export async function notificationState(desk: Desk, id: NotificationId): Promise<string> {
  const row = await desk.db
    .selectFrom('notification')
    .select('state')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return row.state
}

/** A refund of a paid order that the vendor has refused, or cannot pay out. */
export async function refundThatIs(
  desk: Desk,
  state: 'refused' | 'abnormal',
): Promise<Counter & { readonly refund: RefundRow }> {
  const counter = await desk.order(2000)
  await desk.pay(counter.first)
  const refund = await desk.refund(counter.first, 900n)
  await desk.hear(refundFactsOf(counter.first, refund, 'accepted'))
  await desk.hear(refundFactsOf(counter.first, refund, state))
  return { ...counter, refund }
}
