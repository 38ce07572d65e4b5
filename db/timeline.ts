import { sql } from 'kysely'
import type { Db } from './database.ts'
import type { PaymentRow } from './payment/payment.ts'

/** One thing that happened to a payment, its order, its refunds or its points. */
export interface TimelineEntry {
  readonly at: Date
  /** A message's kind, or `state`. */
  readonly kind: string
  readonly subject: string
  readonly content: Readonly<Record<string, unknown>>
}

/** More than any real payment has; what is cut is said. */
export const TIMELINE_ENTRIES_MAX = 1000

/**
 * All that is known about a payment in the order in which it happened: every request, answer, return, query
 * and callback, and every move of a state. What is kept was redacted before it was written.
 */
export async function findTimeline(db: Db, payment: PaymentRow): Promise<TimelineEntry[]> {
  const merchantId = payment.merchant_id
  // Raw, because it reads the same shape from three tables.
  const { rows } = await sql<TimelineEntry>`
    WITH refunds AS (SELECT id FROM refund WHERE merchant_id = ${merchantId} AND payment_id = ${payment.id}),
    subjects AS (
      SELECT 'payment' AS kind, ${payment.id}::text AS id
      UNION ALL SELECT 'customer_order', ${payment.order_id}::text
      UNION ALL SELECT 'refund', id FROM refunds
      UNION ALL SELECT 'points_grant', id FROM points_grant
                WHERE merchant_id = ${merchantId} AND order_id = ${payment.order_id}
    )
    SELECT l.at, l.kind, coalesce(l.refund_id, l.payment_id) AS subject, l.content
    FROM transaction_log l
    WHERE l.merchant_id = ${merchantId} AND l.payment_id = ${payment.id} AND l.kind <> 'callback'
    UNION ALL
    SELECT n.received_at, 'callback', n.payment_number, jsonb_build_object(
      'notification', n.id, 'event', n.event_key, 'state', n.state, 'facts', n.facts,
      'quarantine_reason', n.quarantine_reason, 'applied_at', n.applied_at)
    FROM notification n
    WHERE n.merchant_id = ${merchantId} AND n.payment_number = ${payment.id}
      AND n.channel_account_id = ${payment.channel_account_id}
    UNION ALL
    SELECT s.at, 'state', s.subject_kind || ' ' || s.subject_id,
      jsonb_build_object('from', s.from_state, 'to', s.to_state, 'witness', s.witness)
    FROM state_change s JOIN subjects t ON t.kind = s.subject_kind AND t.id = s.subject_id
    WHERE s.merchant_id = ${merchantId}
    ORDER BY at, kind
    LIMIT ${TIMELINE_ENTRIES_MAX}`.execute(db)
  return rows
}
