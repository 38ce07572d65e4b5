import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { MerchantId } from '#domain/id'
import { commit } from './commit.ts'
import type { Db, Trx } from './database.ts'

const ROWS_MAX = 500

/** Rows that wait for a moment, and where the moment is put when they are taken. */
export interface Due {
  readonly table: string
  readonly column: 'due_at' | 'next_query_at'
  readonly before: Date
  /** Not before `before`: a row that is taken is not due any more. */
  readonly to: Date
  /** Further conditions and assignments of the table's own. */
  readonly only?: RawBuilder<unknown>
  readonly also?: RawBuilder<unknown>
}

/**
 * Takes rows whose moment has passed, each once however many take them at the same time, and does something
 * with them in the same commit. Returns how many were taken.
 *
 * How many each merchant has is read without locks; then they are taken merchant by merchant, each in a commit
 * of its own. A row that somebody else holds is left to the next time.
 */
export async function takeDue<Id extends string>(
  db: Db,
  due: Due,
  use: (trx: Trx, merchantId: MerchantId, ids: readonly Id[]) => Promise<void>,
): Promise<number> {
  const { rows } = await sql<{ merchant_id: MerchantId; rows: bigint }>`
    SELECT merchant_id, count(*) AS rows
    FROM (SELECT merchant_id FROM ${sql.table(due.table)} WHERE ${isDue(due)}
          ORDER BY ${sql.ref(due.column)} LIMIT ${ROWS_MAX}) d
    GROUP BY merchant_id`.execute(db)
  let taken = 0
  for (const { merchant_id: merchantId, rows: limit } of rows) {
    taken += await commit(db, 'sweep.take', async (trx) => {
      const ids = await push<Id>(trx, due, merchantId, limit)
      if (ids.length > 0) await use(trx, merchantId, ids)
      return ids.length
    })
  }
  return taken
}

const isDue = ({ column, before, only }: Due): RawBuilder<unknown> =>
  sql`${sql.ref(column)} < ${before}${only === undefined ? sql`` : sql` AND ${only}`}`

/** Raw, because kysely cannot update rows that a locking subquery chose. The oldest row first. */
async function push<Id extends string>(
  trx: Trx,
  due: Due,
  merchantId: MerchantId,
  limit: bigint,
): Promise<readonly Id[]> {
  const table = sql.table(due.table)
  const { rows } = await sql<{ id: Id }>`
    UPDATE ${table} t SET ${sql.ref(due.column)} = ${due.to}${due.also ?? sql``}
    FROM (SELECT id FROM ${table} WHERE merchant_id = ${merchantId} AND ${isDue(due)}
          ORDER BY ${sql.ref(due.column)} LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED) d
    WHERE t.merchant_id = ${merchantId} AND t.id = d.id
    RETURNING t.id`.execute(trx)
  return rows.map((row) => row.id).toSorted()
}
