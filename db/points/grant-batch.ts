import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { MerchantId, PointsGrantId } from '#domain/id'
import { around } from '#failpoint'
import type { Db } from '../database.ts'
import { gather } from '../gather.ts'
import type { Schema } from '../schema.ts'

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
    const dues = group.map(({ dueAt }) => dueAt.toISOString())
    // Raw, because kysely has no `unnest`, and locks rows only in a query of their own.
    const { rows } = await around('points.mark-sent', () =>
      sql<GrantRow>`
      WITH free AS (
        SELECT g.id, w.due_at
        FROM (SELECT * FROM unnest((SELECT ${ids}::text[]), (SELECT ${dues}::timestamptz[])) AS u (id, due_at)
              ORDER BY id) w ${lockedEach(merchantId)}
        WHERE g.kind = 'grant' AND g.state IN ('pending', 'sent'))
      UPDATE points_grant g SET state = 'sent', due_at = free.due_at
      FROM free WHERE g.merchant_id = ${merchantId} AND g.id = free.id
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
        SELECT g.id
        FROM (SELECT * FROM unnest((SELECT ${ids}::text[])) AS u (id) ORDER BY id) w ${lockedEach(merchantId)}
        WHERE g.state = 'sent')
      UPDATE points_grant g
      SET state = CASE g.kind WHEN 'grant' THEN 'granted' ELSE 'taken' END, due_at = NULL
      FROM sent WHERE g.merchant_id = ${merchantId} AND g.id = sent.id`.execute(db),
    )
  }
  return grants.map(() => 'done')
}

/**
 * The grants of the ids in `w`, each looked up by its key and locked, in the order of the ids: two workers with the
 * same rows do not deadlock.
 *
 * Each apart, and the number of ids hidden from the planner behind a `SELECT`: one that knows nothing of a rush
 * yet holds it cheaper to read the merchant's every grant.
 */
const lockedEach = (merchantId: MerchantId) => sql`
  CROSS JOIN LATERAL (
    SELECT id, kind, state FROM points_grant WHERE merchant_id = ${merchantId} AND id = w.id
    OFFSET 0 FOR NO KEY UPDATE) g`
