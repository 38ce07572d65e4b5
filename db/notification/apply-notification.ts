import { sql } from 'kysely'
import { parsePaymentFacts } from '#domain/facts'
import type { MerchantId, NotificationId } from '#domain/id'
import { newLogId } from '#domain/id'
import { parsePaymentId } from '#domain/id'
import { hit } from '#failpoint'
import { openCases } from '../case/case.ts'
import { commit } from '../commit.ts'
import { confirmPayment } from '../payment/confirm-payment.ts'
import type { Claim, ConfirmDeps, Outcome } from '../payment/confirm-payment.ts'
import type { Db, Trx } from '../database.ts'

interface Claimed {
  readonly id: NotificationId
  readonly claim: Claim | undefined
  readonly factsKind: string
  readonly paymentNumber: string | null
  readonly channel: string
}

/** A notification that is done with, and why if not by a move of money. */
export interface Applied {
  readonly id: NotificationId
  readonly paymentNumber: string | null
  readonly quarantineReason: string | undefined
}

/**
 * Applies received notifications of one merchant in one transaction. Returns those that it claimed.
 *
 * A row that another worker holds is left to it; a row that was applied before is not touched.
 */
export async function applyNotifications(
  db: Db,
  deps: ConfirmDeps,
  merchantId: MerchantId,
  ids: readonly NotificationId[],
): Promise<readonly Applied[]> {
  if (ids.length === 0) return []
  hit('apply.begin:before')
  return commit(db, 'apply.commit', (trx) => {
    hit('apply.begin:after')
    return applyIn(trx, deps, merchantId, ids)
  })
}

async function applyIn(
  trx: Trx,
  deps: ConfirmDeps,
  merchantId: MerchantId,
  ids: readonly NotificationId[],
): Promise<readonly Applied[]> {
  hit('apply.claim:before')
  const claimed = await claimRows(trx, merchantId, ids)
  hit('apply.claim:after')
  const claims = claimed.map((row) => row.claim).filter((claim) => claim !== undefined)
  hit('apply.confirm:before')
  const outcomes =
    claims.length === 0 ? [] : await confirmPayment(trx, deps, merchantId, claims, 'callback')
  hit('apply.confirm:after')
  const byId = new Map(outcomes.map((outcome) => [outcome.claim.notificationId, outcome]))
  hit('apply.finish:before')
  await finishRows(trx, deps, merchantId, claimed, byId)
  hit('apply.finish:after')
  hit('apply.query-job:before')
  await queueQueries(trx, deps, merchantId, claimed, byId)
  hit('apply.query-job:after')
  hit('apply.log:before')
  await logCallbacks(trx, merchantId, claimed)
  hit('apply.log:after')
  return claimed.map((row) => ({
    id: row.id,
    paymentNumber: row.paymentNumber,
    quarantineReason: quarantineReason(row, byId),
  }))
}

async function claimRows(
  trx: Trx,
  merchantId: MerchantId,
  ids: readonly NotificationId[],
): Promise<Claimed[]> {
  const rows = await trx
    .selectFrom('notification as n')
    .innerJoin('channel_account as a', (join) =>
      join.onRef('a.id', '=', 'n.channel_account_id').onRef('a.merchant_id', '=', 'n.merchant_id'),
    )
    .select(['n.id', 'n.channel_account_id', 'n.facts', 'n.payment_number', 'a.channel'])
    .where('n.merchant_id', '=', merchantId)
    .where('n.id', 'in', [...ids])
    .where('n.state', '=', 'received')
    .where(sql<string>`n.facts ->> 'kind'`, '!=', 'refund')
    .orderBy('n.id')
    .forNoKeyUpdate('n')
    .skipLocked()
    .execute()
  return rows.map((row) => {
    const facts = parsePaymentFacts(row.facts)
    return {
      id: row.id,
      factsKind: String(row.facts['kind']),
      paymentNumber: row.payment_number,
      channel: row.channel,
      claim:
        facts === undefined
          ? undefined
          : { facts, channelAccountId: row.channel_account_id, notificationId: row.id },
    }
  })
}

type OutcomeById = ReadonlyMap<NotificationId | undefined, Outcome>

function quarantineReason(row: Claimed, outcomes: OutcomeById): string | undefined {
  if (row.factsKind === 'unreadable') return 'unreadable'
  const decision = outcomes.get(row.id)?.decision
  return decision?.kind === 'quarantine' ? decision.reason : undefined
}

async function finishRows(
  trx: Trx,
  deps: ConfirmDeps,
  merchantId: MerchantId,
  claimed: readonly Claimed[],
  outcomes: OutcomeById,
): Promise<void> {
  if (claimed.length === 0) return
  const reasons = claimed.map((row) => quarantineReason(row, outcomes) ?? null)
  // Raw, because kysely has no `unnest` over several arrays.
  await sql`
    UPDATE notification n
    SET state = CASE WHEN t.reason IS NULL THEN 'applied' ELSE 'quarantined' END,
        quarantine_reason = t.reason, due_at = NULL, applied_at = ${deps.now()}
    FROM unnest(${claimed.map((row) => row.id)}::text[], ${reasons}::text[]) AS t (id, reason)
    WHERE n.merchant_id = ${merchantId} AND n.id = t.id AND n.state = 'received'`.execute(trx)
  const unreadable = claimed.filter((row) => row.factsKind === 'unreadable')
  await openCases(
    trx,
    unreadable.map((row) => ({ merchantId, kind: 'unreadable', subject: row.id, evidence: {} })),
  )
}

/** News that moves no money by itself is a reason to ask the vendor. */
async function queueQueries(
  trx: Trx,
  deps: ConfirmDeps,
  merchantId: MerchantId,
  claimed: readonly Claimed[],
  outcomes: OutcomeById,
): Promise<void> {
  const toAsk = claimed.filter((row) => {
    const decision = outcomes.get(row.id)?.decision
    return decision?.kind === 'ask_vendor'
  })
  const ids = toAsk
    .map((row) => parsePaymentId(row.paymentNumber ?? ''))
    .filter((id) => id !== undefined)
  await deps.jobs.send(
    trx,
    'payment-query',
    ids.map((paymentId) => ({ data: { merchantId, paymentId } })),
  )
}

async function logCallbacks(
  trx: Trx,
  merchantId: MerchantId,
  claimed: readonly Claimed[],
): Promise<void> {
  if (claimed.length === 0) return
  await trx
    .insertInto('transaction_log')
    .values(
      claimed.map((row) => ({
        merchant_id: merchantId,
        id: newLogId(),
        channel: row.channel,
        payment_id: parsePaymentId(row.paymentNumber ?? '') ?? null,
        notification_id: row.id,
        kind: 'callback' as const,
        content: JSON.stringify({ facts: row.factsKind }),
      })),
    )
    .execute()
}
