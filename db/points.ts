import type { MerchantId, PointsGrantId } from '#domain/id'
import { openCases } from './case.ts'
import type { Db } from './database.ts'
import type { Selectable } from 'kysely'
import type { Schema } from './schema.ts'

export type GrantRow = Selectable<Schema['points_grant']>

/** Marks a grant as sent before the call and pushes `due_at`; `undefined` when it needs no call any more. */
export async function beginGrant(
  db: Db,
  merchantId: MerchantId,
  id: PointsGrantId,
  dueAt: Date,
): Promise<GrantRow | undefined> {
  return db
    .updateTable('points_grant')
    .set({ state: 'sent', due_at: dueAt })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', 'in', ['pending', 'sent'])
    .returningAll()
    .executeTakeFirst()
}

/** The points system has it: sent → granted. A twin that was faster is not an error. */
export async function finishGrant(db: Db, grant: GrantRow): Promise<void> {
  await db
    .updateTable('points_grant')
    .set({ state: 'granted', due_at: null })
    .where('merchant_id', '=', grant.merchant_id)
    .where('id', '=', grant.id)
    .where('state', '=', 'sent')
    .execute()
}

/** The points system says no, or says something else than we asked: sent → refused, and a person looks. */
export async function refuseGrant(db: Db, grant: GrantRow, reason: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx
      .updateTable('points_grant')
      .set({ state: 'refused', due_at: null })
      .where('merchant_id', '=', grant.merchant_id)
      .where('id', '=', grant.id)
      .where('state', '=', 'sent')
      .execute()
    await openCases(trx, [
      {
        merchantId: grant.merchant_id,
        kind: 'points_refused',
        subject: grant.id,
        evidence: { reason, points: grant.points.toString() },
      },
    ])
  })
}
