import { sql } from 'kysely'
import { DecisionImpossible } from './decision.ts'
import type { Deciding, DecisionEffect } from './decision.ts'
import { voidPending } from '../points/revoke.ts'

/** refused → pending: the points system is asked once more under the same key. */
export async function retryGrant({ trx, deps, item }: Deciding): Promise<DecisionEffect> {
  const [grant] = await trx
    .updateTable('points_grant')
    .set({ state: 'pending', due_at: deps.now() })
    .where('merchant_id', '=', item.merchant_id)
    .where(sql<string>`id`, '=', item.subject)
    .where('state', '=', 'refused')
    .returning(['id', 'points'])
    .execute()
  if (grant === undefined) throw new DecisionImpossible('these points are not refused any more')
  const data = { merchantId: item.merchant_id, grantId: grant.id }
  await deps.jobs.send(trx, 'points-award', [{ data }])
  return { grant: grant.id, points: grant.points.toString() }
}

/** refused → void. Nothing was given, so the take-backs that wait for it are void with it. */
export async function writeOffGrant({ trx, item }: Deciding): Promise<DecisionEffect> {
  const [grant] = await trx
    .updateTable('points_grant')
    .set({ state: 'void' })
    .where('merchant_id', '=', item.merchant_id)
    .where(sql<string>`id`, '=', item.subject)
    .where('state', '=', 'refused')
    .returning(['id', 'kind', 'order_id'])
    .execute()
  if (grant === undefined) throw new DecisionImpossible('these points are not refused any more')
  if (grant.kind === 'grant') await voidPending(trx, item.merchant_id, grant.order_id)
  return { grant: grant.id }
}
