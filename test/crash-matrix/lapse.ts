import { sql } from 'kysely'
import type { Db } from '#db/database'

/**
 * Lets a minute pass for whatever waits: the times of its row are put back, all of them together.
 *
 * A key of a dead request is taken over after a minute, a delivery of a dead worker comes up again after one,
 * and the vendor wants one between two calls about a refund. Hundreds of cells cannot wait for that.
 */
export async function letMinutePass(db: Db): Promise<void> {
  const minute = sql`interval '61 s'`
  await sql`UPDATE idempotency_key SET created_at = created_at - ${minute} WHERE status IS NULL`.execute(
    db,
  )
  await sql`UPDATE event_delivery SET due_at = due_at - ${minute} WHERE due_at > now()`.execute(db)
  await sql`UPDATE refund SET due_at = due_at - ${minute}, sent_at = sent_at - ${minute}
    WHERE due_at > now()`.execute(db)
  await sql`UPDATE payment SET next_query_at = next_query_at - ${minute},
      query_asked_at = query_asked_at - ${minute}
    WHERE next_query_at > now() AND state IN ('created', 'pending')`.execute(db)
}

/**
 * Lets all jobs run that are left, those of a dead worker too, and says whether there are none.
 *
 * Their retries would come minutes later, in another story, and meet its failpoint.
 */
export async function areJobsDone(db: Db): Promise<boolean> {
  await sql`UPDATE pgboss.job SET start_after = now() WHERE state IN ('created', 'retry')
    AND start_after > now()`.execute(db)
  await sql`UPDATE pgboss.job SET state = 'retry', start_after = now()
    WHERE state = 'active' AND started_on < now() - interval '3 s'`.execute(db)
  const { rows } =
    await sql`SELECT 1 FROM pgboss.job WHERE state IN ('created', 'retry', 'active') LIMIT 1`.execute(
      db,
    )
  return rows.length === 0
}

/** Whether no row waits for anything. */
export async function areRowsDone(db: Db): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM notification WHERE state = 'received'
    UNION ALL SELECT 1 FROM points_grant WHERE state IN ('pending', 'sent')
    UNION ALL SELECT 1 FROM refund WHERE state IN ('requested', 'sent', 'accepted')
    UNION ALL SELECT 1 FROM event_delivery WHERE state = 'pending'
    LIMIT 1`.execute(db)
  return rows.length === 0
}
