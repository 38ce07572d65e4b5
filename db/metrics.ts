import { sql } from 'kysely'
import { around } from '#failpoint'
import type { Db, Trx } from './database.ts'
import { notificationHasCase } from './notification/notification-case.ts'

/** One figure with its label, as monitoring reads it. */
export interface Metric {
  readonly name: string
  readonly label: string
  readonly value: number
}

/**
 * What operations watch: how far behind we are, and what waits for people.
 *
 * Each part reads an index over rows that wait, so that ten million finished payments cost nothing.
 */
export async function readMetrics(db: Db, now: Date): Promise<readonly Metric[]> {
  const { rows } = await sql<{ name: string; label: string; value: string }>`
    SELECT 'notifications_waiting' AS name, '' AS label, count(*)::text AS value
      FROM notification WHERE due_at IS NOT NULL
    UNION ALL SELECT 'notification_lag_seconds', '',
      coalesce(extract(epoch FROM ${now}::timestamptz - min(received_at)), 0)::text
      FROM notification WHERE due_at IS NOT NULL
    UNION ALL SELECT 'points_waiting', kind, count(*)::text
      FROM points_grant WHERE due_at IS NOT NULL GROUP BY kind
    UNION ALL SELECT 'refunds_waiting', state, count(*)::text
      FROM refund WHERE due_at IS NOT NULL GROUP BY state
    UNION ALL SELECT 'events_waiting', '', count(*)::text FROM event_delivery WHERE due_at IS NOT NULL
    UNION ALL SELECT 'bills_waiting', state, count(*)::text
      FROM schedule_run WHERE due_at IS NOT NULL GROUP BY state
    UNION ALL SELECT 'open_cases', kind, count(*)::text
      FROM open_case WHERE state = 'open' GROUP BY kind
    UNION ALL SELECT 'dead_letters', 'job', count(*)::text
      FROM open_case WHERE state = 'open' AND kind = 'dead_letter'
    UNION ALL SELECT 'dead_letters', 'event', count(*)::text
      FROM open_case WHERE state = 'open' AND kind = 'event_dead'
    UNION ALL SELECT 'discrepancies', state, count(*)::text
      FROM discrepancy WHERE state <> 'resolved' GROUP BY state
    UNION ALL SELECT 'repairs_total', kind, sum(count)::text FROM repair_count GROUP BY kind`.execute(
    db,
  )
  return rows.map((row) => ({ ...row, value: Number(row.value) }))
}

/**
 * Promises that are broken (design, section 7).
 *
 * Whether each paid order has its grant is a walk through whole tables: ask for these once an hour, not as often
 * as monitoring asks for the others.
 */
export async function readInvariants(db: Db): Promise<readonly Metric[]> {
  const { rows } = await sql<{ label: string; value: string }>`
    SELECT 'paid_without_grant' AS label, count(*)::text AS value
      FROM customer_order o WHERE o.state = 'paid' AND NOT EXISTS (
        SELECT 1 FROM points_grant g WHERE g.merchant_id = o.merchant_id AND g.order_id = o.id AND g.kind = 'grant')
    UNION ALL SELECT 'quarantined_without_case', count(*)::text
      FROM notification n WHERE n.state = 'quarantined' AND NOT ${notificationHasCase}`.execute(db)
  return rows.map(({ label, value }) => ({
    name: 'invariant_violations',
    label,
    value: Number(value),
  }))
}

/** Counts what a sweep has fed again. */
export async function countRepairs(
  db: Db | Trx,
  counts: Readonly<Record<string, number>>,
  now: Date,
): Promise<void> {
  const found = Object.entries(counts).filter(([, count]) => count > 0)
  for (const [kind, count] of found) {
    await around('sweep.count', () =>
      sql`
      INSERT INTO repair_count (kind, day, count) VALUES (${kind}, ${now}::date, ${count}::bigint)
      ON CONFLICT (kind, day) DO UPDATE SET count = repair_count.count + EXCLUDED.count`.execute(
        db,
      ),
    )
  }
}
