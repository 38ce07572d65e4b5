import { sql } from 'kysely'
import { parseRefundFacts } from '#domain/facts'
import { newLogId, parsePaymentId } from '#domain/id'
import type { ChannelAccountId, MerchantId, NotificationId } from '#domain/id'
import type { RefundFacts } from '#domain/notification'
import type { RefundDecision } from '#domain/refund'
import { applyRefund } from './apply-refund.ts'
import type { RefundDeps } from './apply-refund.ts'
import type { Db, Trx } from './database.ts'

interface Claimed {
  readonly id: NotificationId
  readonly channelAccountId: ChannelAccountId
  readonly channel: string
  readonly facts: RefundFacts
}

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
 * row back (payment rules, section 4). `undefined` when another worker has the row.
 */
export async function applyRefundNotification(
  db: Db,
  deps: RefundDeps,
  merchantId: MerchantId,
  id: NotificationId,
): Promise<RefundDecision | undefined> {
  return db.transaction().execute(async (trx) => {
    const claimed = await claim(trx, merchantId, id)
    if (claimed === undefined) return undefined
    const word = { ...claimed, notificationId: id }
    const decision = await applyRefund(trx, deps, merchantId, word, 'callback')
    if (decision.kind === 'payment_first') await askForPayment(trx, deps, merchantId, claimed)
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
    .select(['n.id', 'n.channel_account_id', 'n.facts', 'a.channel'])
    .where('n.merchant_id', '=', merchantId)
    .where('n.id', '=', id)
    .where('n.state', '=', 'received')
    .forNoKeyUpdate('n')
    .skipLocked()
    .executeTakeFirst()
  const facts = row && parseRefundFacts(row.facts)
  if (row === undefined || facts === undefined) return undefined
  return { id: row.id, channelAccountId: row.channel_account_id, channel: row.channel, facts }
}

async function askForPayment(
  trx: Trx,
  deps: RefundDeps,
  merchantId: MerchantId,
  { id, facts }: Claimed,
): Promise<void> {
  const paymentId = parsePaymentId(facts.paymentNumber)
  if (paymentId !== undefined) {
    await deps.jobs.send(trx, 'payment-query', [{ data: { merchantId, paymentId } }])
  }
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
