import { newPointsGrantId } from '#domain/id'
import type { MerchantId, OrderId, PointsGrantId } from '#domain/id'
import { pointsFor } from '#domain/points'
import type { Trx } from '../database.ts'
import type { Jobs } from '../job.ts'

/** What a grant is computed from. */
export interface GrantSource {
  readonly orderId: OrderId
  readonly userId: string
  readonly amountMinor: bigint
}

export interface GrantDeps {
  readonly jobs: Jobs
  readonly now: () => Date
}

/** Makes each order's one grant and its job. Zero points are granted at once, without a call. Returns what is new. */
export async function createGrants(
  trx: Trx,
  { jobs, now }: GrantDeps,
  merchantId: MerchantId,
  sources: readonly GrantSource[],
): Promise<readonly PointsGrantId[]> {
  if (sources.length === 0) return []
  const merchant = await trx
    .selectFrom('merchant')
    .select('points_per_yuan')
    .where('id', '=', merchantId)
    .executeTakeFirstOrThrow()
  const rule = { pointsPerYuan: merchant.points_per_yuan }
  const created = await trx
    .insertInto('points_grant')
    .values(
      sources.map((source) => {
        const points = pointsFor(source.amountMinor, rule)
        return {
          merchant_id: merchantId,
          id: newPointsGrantId(),
          order_id: source.orderId,
          kind: 'grant' as const,
          user_id: source.userId,
          points,
          idempotency_key: `grant-${source.orderId}`,
          state: points === 0n ? ('granted' as const) : ('pending' as const),
          due_at: points === 0n ? null : now(),
        }
      }),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning(['id', 'state'])
    .execute()
  const waiting = created.filter((grant) => grant.state === 'pending')
  await jobs.send(
    trx,
    'points-award',
    waiting.map(({ id }) => ({ data: { merchantId, grantId: id } })),
  )
  return created.map(({ id }) => id)
}
