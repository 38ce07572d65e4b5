import { sql } from 'kysely'
import { parseRefundFacts } from '#domain/facts'
import { newLogId, parsePaymentId } from '#domain/id'
import type { ChannelAccountId, MerchantId, NotificationId } from '#domain/id'
import type { RefundFacts } from '#domain/notification'
import type { RefundDecision } from '#domain/refund'
import { applyRefund } from './apply-refund.ts'
import type { RefundDeps } from './apply-refund.ts'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'

interface Claimed {
  readonly id: NotificationId
  readonly channelAccountId: ChannelAccountId
  readonly channel: string
  readonly facts: RefundFacts
  readonly receivedAt: Date
}

/** A refund that is not ours and that the vendor does not tell us about in this time is for a person. */
const ASK_MS = 3_600_000

/** News of a payment that is not paid in this time is for a person, who can have it judged anew. */
const WAIT_MS = 86_400_000

/** `ask`: a missing amount may wait for an answer of the vendor; then the answer comes with the next call. */
export type Completion = 'ask' | 'none' | RefundFacts

/** Of these notifications, those that are refund news and still to be applied. */
export async function findRefundNews(
  db: Db,
  merchantId: MerchantId,
  ids: readonly NotificationId[],
): Promise<NotificationId[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('notification')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('id', 'in', [...ids])
    .where('state', '=', 'received')
    .where(sql<string>`facts ->> 'kind'`, '=', 'refund')
    .orderBy('id')
    .execute()
  return rows.map((row) => row.id)
}

/**
 * Applies one piece of refund news in a transaction of its own; refunds are few, and each locks another order.
 *
 * News that overtook its payment stays received: a query of the payment goes out, and `due_at` brings the
 * row back (payment rules, section 4), for a day. So does news of a refund at the vendor's console that lacks its amount,
 * until the vendor has told it. `undefined` when another worker has the row.
 */
export async function applyRefundNotification(
  db: Db,
  deps: RefundDeps,
  merchantId: MerchantId,
  id: NotificationId,
  completion: Completion = 'none',
): Promise<RefundDecision | undefined> {
  return commit(db, 'refund-news.apply', async (trx) => {
    const claimed = await claim(trx, merchantId, id)
    if (claimed === undefined) return undefined
    const isAnswered = typeof completion === 'object'
    const ageMs = deps.now().getTime() - claimed.receivedAt.getTime()
    const word = {
      channelAccountId: claimed.channelAccountId,
      facts: isAnswered ? completion : claimed.facts,
      notificationId: id,
      canAsk: completion === 'ask' && ageMs < ASK_MS,
      canWait: ageMs < WAIT_MS,
    }
    const witness = isAnswered ? 'query' : 'callback'
    const decision = await applyRefund(trx, deps, merchantId, word, witness)
    if (decision.kind === 'payment_first') await askForPayment(trx, deps, merchantId, claimed)
    else if (decision.kind === 'ask_refund') await keep(trx, deps, merchantId, claimed)
    else await finish(trx, deps, merchantId, claimed, decision)
    return decision
  })
}

async function claim(
  trx: Trx,
  merchantId: MerchantId,
  id: NotificationId,
): Promise<Claimed | undefined> {
  const row = await trx
    .selectFrom('notification as n')
    .innerJoin('channel_account as a', (join) =>
      join.onRef('a.id', '=', 'n.channel_account_id').onRef('a.merchant_id', '=', 'n.merchant_id'),
    )
    .select(['n.id', 'n.channel_account_id', 'n.facts', 'n.received_at', 'a.channel'])
    .where('n.merchant_id', '=', merchantId)
    .where('n.id', '=', id)
    .where('n.state', '=', 'received')
    .forNoKeyUpdate('n')
    .skipLocked()
    .executeTakeFirst()
  const facts = row && parseRefundFacts(row.facts)
  if (row === undefined || facts === undefined) return undefined
  return {
    id: row.id,
    channelAccountId: row.channel_account_id,
    channel: row.channel,
    facts,
    receivedAt: row.received_at,
  }
}

async function askForPayment(
  trx: Trx,
  deps: RefundDeps,
  merchantId: MerchantId,
  claimed: Claimed,
): Promise<void> {
  const paymentId = parsePaymentId(claimed.facts.paymentNumber)
  if (paymentId !== undefined) {
    await deps.jobs.send(trx, 'payment-query', [{ data: { merchantId, paymentId } }])
  }
  await keep(trx, deps, merchantId, claimed)
}

/** The row stays received, and its `due_at` brings it back. */
async function keep(
  trx: Trx,
  deps: RefundDeps,
  merchantId: MerchantId,
  { id }: Claimed,
): Promise<void> {
  await trx
    .updateTable('notification')
    .set({ due_at: deps.now() })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .execute()
}

async function finish(
  trx: Trx,
  deps: RefundDeps,
  merchantId: MerchantId,
  claimed: Claimed,
  decision: RefundDecision,
): Promise<void> {
  const reason = decision.kind === 'quarantine' ? decision.reason : null
  await trx
    .updateTable('notification')
    .set({
      state: reason === null ? 'applied' : 'quarantined',
      quarantine_reason: reason,
      due_at: null,
      applied_at: deps.now(),
    })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', claimed.id)
    .execute()
  await trx
    .insertInto('transaction_log')
    .values({
      merchant_id: merchantId,
      id: newLogId(),
      channel: claimed.channel,
      payment_id: parsePaymentId(claimed.facts.paymentNumber) ?? null,
      notification_id: claimed.id,
      kind: 'callback',
      content: JSON.stringify({ facts: 'refund', state: claimed.facts.refundStateText }),
    })
    .execute()
}
