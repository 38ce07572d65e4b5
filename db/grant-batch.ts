import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { MerchantId, PointsGrantId } from '#domain/id'
import { around } from '#failpoint'
import type { Db } from './database.ts'
import { gather } from './gather.ts'
import type { Schema } from './schema.ts'

type GrantRow = Selectable<Schema['points_grant']>

/** A grant that is about to be sent, and when it is looked at again. */
export interface GrantToSend {
  readonly merchantId: MerchantId
  readonly id: PointsGrantId
  readonly dueAt: Date
}

/** The marks of many grants, each asked for by its own job, in one commit. */
export interface GrantMarks {
  /** The row, or `none` for what is no waiting grant: done already, or a take-back. */
  readonly sent: (grant: GrantToSend) => Promise<GrantRow | 'none'>
  readonly done: (grant: GrantRow) => Promise<'done'>
}

const marks = new WeakMap<Db, GrantMarks>()

/** One per pool: what is asked for through the same one shares its commits. */
export function grantMarks(db: Db): GrantMarks {
  const made = marks.get(db) ?? {
    sent: gather((grants: readonly GrantToSend[]) => markSent(db, grants)),
    done: gather((grants: readonly GrantRow[]) => markDone(db, grants)),
  }
  marks.set(db, made)
  return made
}

async function markSent(db: Db, grants: readonly GrantToSend[]): Promise<(GrantRow | 'none')[]> {
  const found = new Map<string, GrantRow>()
  for (const [merchantId, group] of Map.groupBy(grants, (grant) => grant.merchantId)) {
    const ids = group.map(({ id }) => id)
    // Raw, because kysely has no `unnest`, and locks rows only in a query of their own. They are locked by
    // ascending id, so that two workers with the same rows do not deadlock. The ids stand there twice, or a
    // planner that knows nothing of a rush yet reads the merchant's every grant.
    const { rows } = await around('points.mark-sent', () =>
      sql<GrantRow>`
      WITH free AS (
        SELECT id FROM points_grant
        WHERE merchant_id = ${merchantId} AND id = ANY (${ids}::text[])
              AND kind = 'grant' AND state IN ('pending', 'sent')
        ORDER BY id FOR NO KEY UPDATE)
      UPDATE points_grant g SET state = 'sent', due_at = t.due_at
      FROM free JOIN unnest(${ids}::text[], ${group.map(({ dueAt }) => dueAt.toISOString())}::timestamptz[])
                     AS t (id, due_at) ON t.id = free.id
      WHERE g.merchant_id = ${merchantId} AND g.id = ANY (${ids}::text[]) AND g.id = free.id
      RETURNING g.*`.execute(db),
    )
    for (const row of rows) found.set(row.id, row)
  }
  return grants.map(({ id }) => found.get(id) ?? 'none')
}

async function markDone(db: Db, grants: readonly GrantRow[]): Promise<'done'[]> {
  for (const [merchantId, group] of Map.groupBy(grants, (grant) => grant.merchant_id)) {
    const ids = group.map(({ id }) => id)
    await around('points.mark-done', () =>
      sql`
      WITH sent AS (
        SELECT id FROM points_grant
        WHERE merchant_id = ${merchantId} AND id = ANY (${ids}::text[]) AND state = 'sent'
        ORDER BY id FOR NO KEY UPDATE)
      UPDATE points_grant g
      SET state = CASE g.kind WHEN 'grant' THEN 'granted' ELSE 'taken' END, due_at = NULL
      FROM sent WHERE g.merchant_id = ${merchantId} AND g.id = ANY (${ids}::text[]) AND g.id = sent.id`.execute(
        db,
      ),
    )
  }
  return grants.map(() => 'done')
}
