import type { MerchantId, PointsGrantId } from '#domain/id'
import { around } from '#failpoint'
import { openCases } from '../case/case.ts'
import { commit } from '../commit.ts'
import type { Db } from '../database.ts'
import { grantMarks } from './grant-batch.ts'
import type { GrantToSend } from './grant-batch.ts'
import type { Selectable } from 'kysely'
import type { Schema } from '../schema.ts'

export type GrantRow = Selectable<Schema['points_grant']>

/**
 * Marks a grant or take-back as sent before the call and pushes `due_at`.
 *
 * `undefined` when it needs no call any more, or is a take-back whose grant is not there yet: that one keeps
 * its `due_at`, pushed, and the sweeper comes back.
 */
export async function beginGrant(
  db: Db,
  merchantId: MerchantId,
  id: PointsGrantId,
  dueAt: Date,
): Promise<GrantRow | undefined> {
  const sent = await grantMarks(db).sent({ merchantId, id, dueAt })
  return sent === 'none' ? beginRevoke(db, { merchantId, id, dueAt }) : sent
}

async function beginRevoke(
  db: Db,
  { merchantId, id, dueAt }: GrantToSend,
): Promise<GrantRow | undefined> {
  const pushed = await around('points.push', () =>
    db
      .updateTable('points_grant as g')
      .set({ due_at: dueAt })
      .where('g.merchant_id', '=', merchantId)
      .where('g.id', '=', id)
      .where('g.kind', '=', 'revoke')
      .where('g.state', 'in', ['pending', 'sent'])
      .returning('g.order_id')
      .executeTakeFirst(),
  )
  if (pushed === undefined) return undefined
  return around('points.mark-back', () =>
    db
      .updateTable('points_grant as g')
      .set({ state: 'sent' })
      .where('g.merchant_id', '=', merchantId)
      .where('g.id', '=', id)
      .where('g.state', 'in', ['pending', 'sent'])
      .where((where) =>
        where.exists(
          where
            .selectFrom('points_grant as given')
            .select('given.id')
            .where('given.merchant_id', '=', merchantId)
            .where('given.order_id', '=', pushed.order_id)
            .where('given.kind', '=', 'grant')
            .where('given.state', '=', 'granted'),
        ),
      )
      .returningAll()
      .executeTakeFirst(),
  )
}

/** Leaves a grant alone until then; only ever for longer. */
export async function delayGrant(db: Db, grant: GrantRow, until: Date): Promise<void> {
  await around('points.delay', () =>
    db
      .updateTable('points_grant')
      .set({ due_at: until })
      .where('merchant_id', '=', grant.merchant_id)
      .where('id', '=', grant.id)
      .where('state', '=', 'sent')
      .where('due_at', '<', until)
      .execute(),
  )
}

/** The points system has it: sent → granted or taken. A twin that was faster is not an error. */
export async function finishGrant(db: Db, grant: GrantRow): Promise<void> {
  await grantMarks(db).done(grant)
}

/** The points system says no, or says something else than we asked: sent → refused, and a person looks. */
export const refuseGrant = (db: Db, grant: GrantRow, reason: string): Promise<void> =>
  endWithCase(db, grant, { state: 'refused', kind: 'points_refused', reason })

/** The customer has spent the points: sent → short. Nothing goes below zero silently. */
export const shortenGrant = (db: Db, grant: GrantRow): Promise<void> =>
  endWithCase(db, grant, { state: 'short', kind: 'points_short', reason: 'balance too low' })

interface End {
  readonly state: 'refused' | 'short'
  readonly kind: string
  readonly reason: string
}

async function endWithCase(db: Db, grant: GrantRow, end: End): Promise<void> {
  await commit(db, 'points.end', async (trx) => {
    const moved = await trx
      .updateTable('points_grant')
      .set({ state: end.state, due_at: null })
      .where('merchant_id', '=', grant.merchant_id)
      .where('id', '=', grant.id)
      .where('state', '=', 'sent')
      .returning('id')
      .execute()
    // A twin was faster, and what it heard stands.
    if (moved.length === 0) return
    await openCases(trx, [
      {
        merchantId: grant.merchant_id,
        kind: end.kind,
        subject: grant.id,
        evidence: { reason: end.reason, points: grant.points.toString() },
      },
    ])
  })
}
