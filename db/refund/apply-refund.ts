import { sql } from 'kysely'
import { assert } from '#domain/assert'
import type { ChannelAccountId, MerchantId, NotificationId, PaymentId } from '#domain/id'
import { newRefundId, parsePaymentId, parseRefundId } from '#domain/id'
import type { RefundFacts } from '#domain/notification'
import { decideRefund, nameAtVendor, nameWithin, refundPath } from '#domain/refund'
import type { RefundDecision } from '#domain/refund'
import type { RefundState, Witness } from '#domain/state'
import { openCases } from '../case/case.ts'
import type { Trx } from '../database.ts'
import type { Jobs } from '../job.ts'
import type { PaymentRow } from '../payment/payment.ts'
import { findRefundsOf, lockOrderOf, reserving } from './refund.ts'
import type { RefundRow } from './refund.ts'
import { followRefusal, followSuccess } from './refund-effect.ts'

/** One witness's word about one refund. */
export interface RefundClaim {
  readonly facts: RefundFacts
  readonly channelAccountId: ChannelAccountId
  readonly notificationId?: NotificationId
  /** The vendor can still be asked for an amount that the message lacks. */
  readonly canAsk?: boolean
  /** False when the payment has had time enough to become paid. */
  readonly canWait?: boolean
}

export interface RefundDeps {
  readonly jobs: Jobs
  readonly now: () => Date
}

/**
 * The one way a refund gets a result, whoever the witness is. Runs in the caller's transaction.
 *
 * Under the order's lock: the refund moves, the reservation follows only a row that really moved, order and
 * points follow the money that counts.
 */
export async function applyRefund(
  trx: Trx,
  deps: RefundDeps,
  merchantId: MerchantId,
  claim: RefundClaim,
  witness: Witness,
): Promise<RefundDecision> {
  await sql`SELECT set_config('pingzhang.witness', ${witness}, true)`.execute(trx)
  const paymentId = await findPaymentId(trx, merchantId, claim.facts)
  const payment = paymentId && (await lockOrderOf(trx, merchantId, paymentId))
  const refund = payment && (await findNamed(trx, payment, claim.facts))
  const decision = decideRefund({
    facts: claim.facts,
    channelAccountId: claim.channelAccountId,
    identity: await findIdentity(trx, merchantId, claim.channelAccountId),
    payment: payment && {
      channelAccountId: payment.channel_account_id,
      state: payment.state,
      currency: payment.currency,
    },
    refund: refund && {
      state: refund.state,
      amountMinor: refund.amount,
      channelRefundId: refund.channel_refund_id,
    },
    isNumberTaken: await isNumberTaken(trx, merchantId, claim, refund),
    canAsk: claim.canAsk ?? false,
    canWait: claim.canWait ?? true,
  })
  if (payment === undefined) {
    await openDoubt(trx, merchantId, claim, decision)
    return decision
  }
  await carryOut(trx, { deps, payment, claim, witness }, refund, decision)
  return decision
}

/** A message may name our refund alone (UnionPay dossier, section 3.2); a payment's number never changes. */
async function findPaymentId(
  trx: Trx,
  merchantId: MerchantId,
  { paymentNumber, refundNumber }: RefundFacts,
): Promise<PaymentId | undefined> {
  const refundId = parseRefundId(refundNumber ?? '')
  if (paymentNumber !== '' || refundId === undefined) return parsePaymentId(paymentNumber)
  const refund = await trx
    .selectFrom('refund')
    .select('payment_id')
    .where('merchant_id', '=', merchantId)
    .where('id', '=', refundId)
    .executeTakeFirst()
  return refund?.payment_id
}

interface Work {
  readonly deps: RefundDeps
  readonly payment: PaymentRow
  readonly claim: RefundClaim
  readonly witness: Witness
}

async function carryOut(
  trx: Trx,
  work: Work,
  refund: RefundRow | undefined,
  decision: RefundDecision,
): Promise<void> {
  if (decision.kind === 'quarantine') {
    await openDoubt(trx, work.payment.merchant_id, work.claim, decision)
  } else if (decision.kind === 'foreign') {
    await recordForeign(trx, work, decision.amountMinor)
  } else if (decision.kind === 'move') {
    assert(refund !== undefined, 'a refund that moves is known')
    await moveRefund(trx, work, refund, decision.to)
  }
}

async function findIdentity(
  trx: Trx,
  merchantId: MerchantId,
  id: ChannelAccountId,
): Promise<Readonly<Record<string, string>>> {
  const row = await trx
    .selectFrom('channel_account')
    .select('identity')
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row?.identity ?? {}
}

/** By our number, or by the vendor's or its console's where the message lacks ours. */
async function findNamed(
  trx: Trx,
  payment: PaymentRow,
  facts: RefundFacts,
): Promise<RefundRow | undefined> {
  const refunds = await findRefundsOf(trx, payment.merchant_id, payment.id)
  const own = parseRefundId(facts.refundNumber ?? '')
  const names = [facts.channelRefundId, nameWithin(facts)]
  return (
    refunds.find((refund) => refund.id === own) ??
    refunds.find(({ channel_refund_id: number }) => number !== null && names.includes(number))
  )
}

/** A number, ours or the vendor's, is one refund's for ever: a second one under it is for a person. */
async function isNumberTaken(
  trx: Trx,
  merchantId: MerchantId,
  { facts, channelAccountId }: RefundClaim,
  own: RefundRow | undefined,
): Promise<boolean> {
  const ofMerchant = trx.selectFrom('refund').select('id').where('merchant_id', '=', merchantId)
  const owners = await ofMerchant
    .where('channel_account_id', '=', channelAccountId)
    .where('channel_refund_id', '=', nameAtVendor(facts) ?? null)
    .unionAll(ofMerchant.where('id', '=', parseRefundId(facts.refundNumber ?? '') ?? null))
    .execute()
  return owners.some(({ id }) => id !== own?.id)
}

async function moveRefund(trx: Trx, work: Work, refund: RefundRow, to: RefundState): Promise<void> {
  const path = refundPath(refund.state, to)
  assert(path !== undefined, `a refund cannot move from ${refund.state} to ${to}`)
  const isReservedAgain = refund.state !== 'refused' || (await reserveAgain(trx, work, refund))
  if (!isReservedAgain) return
  let from = refund.state
  for (const state of path) {
    const moved = await writeState(trx, work, refund, { from, to: state })
    // The order's lock is held: nobody else can have moved it.
    assert(moved, `refund ${refund.id} was not in ${from}`)
    from = state
  }
  if (to === 'succeeded') await followSuccess(trx, work.deps, work.payment, refund)
  if (to === 'refused') await followRefusal(trx, work.deps, work.payment, refund)
  // An operator who says so has had the case.
  const isNews = work.witness !== 'operator' && (to === 'refused' || to === 'abnormal')
  if (isNews) await openRefundCase(trx, work, refund, `refund_${to}`)
}

/** The vendor contradicts its refusal: the money is gone, so it must fit; where it does not, a person looks. */
async function reserveAgain(trx: Trx, work: Work, refund: RefundRow): Promise<boolean> {
  const reserved = await reserving(
    trx,
    refund.merchant_id,
    refund.payment_id,
    refund.amount,
  ).executeTakeFirst()
  await openRefundCase(trx, work, refund, reserved ? 'refund_contradicted' : 'refund_exceeds')
  return reserved !== undefined
}

interface Move {
  readonly from: RefundState
  readonly to: RefundState
}

const isWaiting = (state: RefundState): boolean =>
  state === 'requested' || state === 'sent' || state === 'accepted'

async function writeState(
  trx: Trx,
  { deps, claim }: Work,
  refund: RefundRow,
  { from, to }: Move,
): Promise<boolean> {
  const { channelRefundId, refundedAt, refundStateText } = claim.facts
  const moved = await trx
    .updateTable('refund')
    .set({
      state: to,
      channel_refund_id: channelRefundId ?? refund.channel_refund_id,
      due_at: isWaiting(to) ? (refund.due_at ?? deps.now()) : null,
      ...(to === 'refused' ? { refusal_code: refundStateText } : {}),
      ...(to === 'succeeded' ? { succeeded_at: refundedAt ?? deps.now() } : {}),
    })
    .where('merchant_id', '=', refund.merchant_id)
    .where('id', '=', refund.id)
    .where('state', '=', from)
    .returning('id')
    .execute()
  return moved.length === 1
}

/** A refund at the vendor's own console: recorded with its reservation in one commit, else a case. */
async function recordForeign(trx: Trx, work: Work, amountMinor: bigint): Promise<void> {
  const { deps, payment, claim } = work
  const reserved = await reserving(
    trx,
    payment.merchant_id,
    payment.id,
    amountMinor,
  ).executeTakeFirst()
  if (reserved === undefined) {
    await openForeignCase(trx, work, payment.id)
    return
  }
  const refund = { id: newRefundId(), amount: amountMinor }
  await trx
    .insertInto('refund')
    .values({
      ...refund,
      merchant_id: payment.merchant_id,
      payment_id: payment.id,
      channel_account_id: payment.channel_account_id,
      origin: 'vendor',
      currency: payment.currency,
      reason: 'made at the vendor',
      state: 'succeeded',
      channel_refund_id: nameAtVendor(claim.facts) ?? null,
      succeeded_at: claim.facts.refundedAt ?? deps.now(),
    })
    .execute()
  await followSuccess(trx, deps, payment, refund)
}

const openForeignCase = (trx: Trx, { payment, claim }: Work, subject: PaymentId): Promise<void> =>
  openCases(trx, [
    {
      merchantId: payment.merchant_id,
      kind: 'refund_exceeds',
      subject,
      evidence: evidenceOf(claim),
    },
  ])

const openRefundCase = (
  trx: Trx,
  { claim }: Work,
  refund: RefundRow,
  kind: string,
): Promise<void> =>
  openCases(trx, [
    { merchantId: refund.merchant_id, kind, subject: refund.id, evidence: evidenceOf(claim) },
  ])

async function openDoubt(
  trx: Trx,
  merchantId: MerchantId,
  claim: RefundClaim,
  decision: RefundDecision,
): Promise<void> {
  if (decision.kind !== 'quarantine') return
  const subject = claim.facts.refundNumber ?? claim.facts.paymentNumber
  await openCases(trx, [
    { merchantId, kind: decision.reason, subject, evidence: evidenceOf(claim) },
  ])
}

const evidenceOf = ({ facts, notificationId }: RefundClaim): Record<string, unknown> => ({
  payment: facts.paymentNumber,
  refund: facts.refundNumber,
  vendor_state: facts.refundStateText,
  vendor_amount: facts.amountMinor?.toString(),
  vendor_refund: facts.channelRefundId,
  notification: notificationId,
})
