import { sql } from 'kysely'
import type { Db } from '#db/database'

/** How far the platform has come, for a person who reads the run. */
export interface RowCounts {
  readonly notifications: number
  readonly applied: number
  readonly quarantined: number
  readonly paidOrders: number
  readonly grants: number
  readonly granted: number
  readonly openCases: number
}

/** Counts what the invariants are about. */
export async function countRows(db: Db): Promise<RowCounts> {
  const { rows } = await sql<RowCounts>`SELECT
    (SELECT count(*)::int FROM notification) AS notifications,
    (SELECT count(*)::int FROM notification WHERE state = 'applied') AS applied,
    (SELECT count(*)::int FROM notification WHERE state = 'quarantined') AS quarantined,
    (SELECT count(*)::int FROM customer_order WHERE state = 'paid') AS "paidOrders",
    (SELECT count(*)::int FROM points_grant) AS grants,
    (SELECT count(*)::int FROM points_grant WHERE state = 'granted') AS granted,
    (SELECT count(*)::int FROM open_case) AS "openCases"`.execute(db)
  const [counts] = rows
  if (counts === undefined) throw new Error('counting gave no row')
  return counts
}

/** True when no notification waits and no grant is on its way; `undefined` before. */
export async function isQuiet(db: Db): Promise<true | undefined> {
  const { rows } = await sql`
    SELECT 1 FROM notification WHERE state = 'received'
    UNION ALL SELECT 1 FROM points_grant WHERE state IN ('pending', 'sent')
    LIMIT 1`.execute(db)
  return rows.length === 0 ? true : undefined
}
