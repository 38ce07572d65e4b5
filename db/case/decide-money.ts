import { sql } from 'kysely'
import { DOUBT_KINDS } from '#domain/case'
import type { CaseDecision } from '#domain/case'
import { parsePaymentFacts } from '#domain/facts'
import type { ChannelAccountId, NotificationId } from '#domain/id'
import type { PaymentFacts } from '#domain/notification'
import type { CaseRow } from './case-list.ts'
import { closeOrderIfDone, endAttempt, OPEN_STATES } from '../payment/close-payment.ts'
import { confirmPayment } from '../payment/confirm-payment.ts'
import type { Claim } from '../payment/confirm-payment.ts'
import type { Trx } from '../database.ts'
import { DecisionImpossible, paymentOf, RETURN_REASON } from './decision.ts'
import type { Deciding, DecisionEffect } from './decision.ts'
import { paymentEvents } from '../event/event-data.ts'
import { revive } from '../payment/late-money.ts'
import { createEvents } from '../event/merchant-event.ts'
import type { PaymentRow } from '../payment/payment.ts'
import { refundableMinor, reserveRefund } from '../refund/refund.ts'
import type { RefundRow } from '../refund/refund.ts'

/** The vendor's word that a case is about, as far as a notification said it. */
export interface Evidence {
  readonly notificationId: NotificationId
  readonly channelAccountId: ChannelAccountId
  readonly facts: PaymentFacts
}

/**
 * Locks the notification that a decision applies; notifications come first in the order of locks.
 *
 * `undefined` when the decision applies none, or a query was the witness: then the case holds its words.
 */
export async function lockEvidence(
  trx: Trx,
  item: CaseRow,
  decision: CaseDecision,
): Promise<Evidence | undefined> {
  const id = item.evidence['notification']
  const isApplied = decision === 'accept' || decision === 'refund'
  if (item.kind !== 'amount_differs' || !isApplied || typeof id !== 'string') return undefined
  const row = await trx
    .selectFrom('notification')
    .select(['id', 'channel_account_id', 'facts'])
    .where('merchant_id', '=', item.merchant_id)
    .where(sql<string>`id`, '=', id)
    .where('state', '=', 'quarantined')
    .forNoKeyUpdate()
    .skipLocked()
    .executeTakeFirst()
  const facts = row && parsePaymentFacts(row.facts)
  if (row === undefined || facts === undefined) {
    throw new DecisionImpossible(`notification ${id} does not wait for a decision`)
  }
  return { notificationId: row.id, channelAccountId: row.channel_account_id, facts }
}

/**
 * The amount that came is taken as it is, stored beside the one that was asked for; it is what can be
 * refunded. Returned: it pays nothing, the order waits on, and all of it goes back.
 */
export async function takeWrongAmount(
  work: Deciding,
  evidence: Evidence | undefined,
  { isReturned }: { readonly isReturned: boolean },
): Promise<DecisionEffect> {
  const { trx, item } = work
  const payment = paymentOf(work)
  const facts = evidence?.facts ?? (await loadFacts(trx, item, payment))
  const amountMinor = facts.amountMinor ?? 0n
  if (amountMinor <= 0n) throw new DecisionImpossible('the vendor did not say how much it took')
  await acceptAmount(trx, payment, amountMinor)
  await confirm(work, {
    facts,
    channelAccountId: evidence?.channelAccountId ?? payment.channel_account_id,
    ...(isReturned ? { paysNothing: true } : {}),
  })
  if (evidence !== undefined) await applyEvidence(work, evidence)
  const effect = { payment: payment.id, received: amountMinor.toString() }
  if (!isReturned) return effect
  const refund = await refundAll(work, amountMinor)
  await closeOrderIfDone(trx, item.merchant_id, payment.order_id)
  return { ...effect, refund: refund.id }
}

/** The one way to paid, with all its checks; any other decision of it rolls this one back. */
async function confirm({ trx, deps, item }: Deciding, claim: Claim): Promise<void> {
  const [outcome] = await confirmPayment(trx, deps, item.merchant_id, [claim], 'operator')
  const decision = outcome?.decision
  if (decision?.kind === 'pay') return
  const reason = decision?.kind === 'quarantine' ? decision.reason : 'not a success'
  throw new DecisionImpossible(`the vendor's word cannot be applied: ${reason}`)
}

/** A query was the witness: its words are in the case, and the account was the payment's own. */
async function loadFacts(trx: Trx, item: CaseRow, payment: PaymentRow): Promise<PaymentFacts> {
  const account = await trx
    .selectFrom('channel_account')
    .select('identity')
    .where('merchant_id', '=', payment.merchant_id)
    .where('id', '=', payment.channel_account_id)
    .executeTakeFirstOrThrow()
  const { vendor_amount: amount, vendor_currency: currency } = item.evidence
  const { vendor_number: number, wallet_number: walletNumber } = item.evidence
  return {
    kind: 'payment',
    paymentNumber: payment.id,
    identity: account.identity,
    vendorState: 'success',
    vendorStateText: 'operator',
    ...(typeof number === 'string' ? { channelPaymentId: number } : {}),
    ...(typeof walletNumber === 'string' ? { walletPaymentId: walletNumber } : {}),
    ...(typeof currency === 'string' ? { currency } : {}),
    ...(typeof amount === 'string' && /^\d+$/.test(amount) ? { amountMinor: BigInt(amount) } : {}),
  }
}

async function acceptAmount(trx: Trx, payment: PaymentRow, amountMinor: bigint): Promise<void> {
  const moved = await trx
    .updateTable('payment')
    .set({ received_amount: amountMinor, money_in_doubt: false })
    .where('merchant_id', '=', payment.merchant_id)
    .where('id', '=', payment.id)
    .where('state', '!=', 'paid')
    .returning('id')
    .execute()
  if (moved.length !== 1) {
    throw new DecisionImpossible(`payment ${payment.id} is paid already; this money is another one`)
  }
}

/** quarantined → received → applied: an operator has decided what it does. Why it waited stays written. */
async function applyEvidence({ trx, deps, item }: Deciding, evidence: Evidence): Promise<void> {
  const row = trx
    .updateTable('notification')
    .where('merchant_id', '=', item.merchant_id)
    .where('id', '=', evidence.notificationId)
  await row
    .set({ state: 'received', due_at: deps.now() })
    .where('state', '=', 'quarantined')
    .execute()
  await row
    .set({ state: 'applied', due_at: null, applied_at: deps.now() })
    .where('state', '=', 'received')
    .execute()
}

async function refundAll(work: Deciding, amountMinor: bigint): Promise<RefundRow> {
  const { trx, deps, item } = work
  const payment = paymentOf(work)
  const refund = await reserveRefund(trx, deps.jobs, {
    merchantId: item.merchant_id,
    paymentId: payment.id,
    amountMinor,
    reason: RETURN_REASON,
    origin: 'operator',
    now: deps.now(),
  })
  if (refund === undefined) throw new DecisionImpossible('the vendor does not refund this payment')
  return refund
}

/** Late and double money goes back: what is left of it. */
export async function returnMoney(work: Deciding): Promise<DecisionEffect> {
  const payment = paymentOf(work)
  if (payment.disposition === 'counted') {
    throw new DecisionImpossible(`payment ${payment.id} pays its order by now; refund it as usual`)
  }
  const amountMinor = refundableMinor(payment)
  if (amountMinor <= 0n) throw new DecisionImpossible('nothing of this payment is left to refund')
  const refund = await refundAll(work, amountMinor)
  return { payment: payment.id, refund: refund.id, amount: amountMinor.toString() }
}

/** late → counted: the closed order is paid after all. Money that is on its way back cannot pay it. */
export async function reviveLate(work: Deciding): Promise<DecisionEffect> {
  const { trx, deps, item } = work
  const payment = paymentOf(work)
  const order = await trx
    .selectFrom('customer_order')
    .select(['state', 'user_id'])
    .where('merchant_id', '=', item.merchant_id)
    .where('id', '=', payment.order_id)
    .executeTakeFirstOrThrow()
  if (payment.disposition !== 'late' || order.state !== 'closed') {
    throw new DecisionImpossible(`the order of payment ${payment.id} is ${order.state} by now`)
  }
  if (payment.refund_reserved > 0n) {
    throw new DecisionImpossible(`payment ${payment.id} is being refunded; it cannot pay an order`)
  }
  await revive(trx, deps, item.merchant_id, {
    payment: {
      id: payment.id,
      orderId: payment.order_id,
      userId: order.user_id,
      amountMinor: payment.received_amount ?? payment.amount,
    },
  })
  const data = { merchantId: item.merchant_id, paymentIds: [payment.id] }
  await deps.jobs.send(trx, 'compensation', [{ data, startAfterSeconds: deps.compensationSeconds }])
  await tellRevived(work, payment)
  return { payment: payment.id }
}

/** The merchant was told of money for a closed order; now it is told that the order is paid. */
async function tellRevived({ trx, deps, item }: Deciding, payment: PaymentRow): Promise<void> {
  const merchantId = item.merchant_id
  const events = await paymentEvents(trx, 'payment.paid', merchantId, [payment.id])
  // A subject of its own: there is one event a type and subject.
  const revived = events.map((event) => ({ ...event, subject: `${payment.id} revived` }))
  await createEvents(trx, deps.jobs, { merchantId, at: deps.now() }, revived)
}

/**
 * Nobody pursues this money any more: the doubt ends with the last case about it. The attempt ends, too: its
 * code is cashed, and the vendor is not asked again, because it would say the same.
 */
export async function writeOffDoubt({
  trx,
  deps,
  item,
  payment,
}: Deciding): Promise<DecisionEffect> {
  if (payment === undefined) return {}
  const others = await trx
    .selectFrom('open_case')
    .select('id')
    .where('merchant_id', '=', item.merchant_id)
    .where('subject', '=', payment.id)
    .where('kind', 'in', [...DOUBT_KINDS])
    .where('state', '=', 'open')
    .execute()
  if (others.length > 0) return { payment: payment.id }
  await trx
    .updateTable('payment')
    .set({ money_in_doubt: false, next_query_at: null })
    .where('merchant_id', '=', item.merchant_id)
    .where('id', '=', payment.id)
    .where('money_in_doubt', '=', true)
    .execute()
  const closing = { proof: 'written off', nextQueryAt: null, at: deps.now() }
  await endAttempt(trx, payment, OPEN_STATES, closing)
  return { payment: payment.id }
}
