import { newPointsGrantId } from '#domain/id'
import type { MerchantId, OrderId, RefundId } from '#domain/id'
import { pointsToTakeBack } from '#domain/points'
import type { Trx } from '../database.ts'
import type { Jobs } from '../job.ts'

/** What a take-back is computed from, read under the order's lock. */
export interface RevokeSource {
  readonly orderId: OrderId
  readonly refundId: RefundId
  readonly userId: string
  readonly amountMinor: bigint
  /** All that is refunded by now, this refund included. */
  readonly refundedMinor: bigint
  readonly now: Date
}

/**
 * Takes points back in proportion to a refund of the payment that counts; once per refund.
 *
 * A grant that was never sent and is fully taken back is void, together with the take-backs that wait for
 * it: nothing was given, so nothing is asked back. Otherwise the take-back waits until the grant is there.
 */
export async function createRevoke(
  trx: Trx,
  jobs: Jobs,
  merchantId: MerchantId,
  source: RevokeSource,
): Promise<void> {
  const rows = await trx
    .selectFrom('points_grant')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('order_id', '=', source.orderId)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  const grant = rows.find((row) => row.kind === 'grant')
  if (grant === undefined) return
  const revokes = rows.filter((row) => row.kind === 'revoke')
  const points = pointsToTakeBack({
    points: grant.points,
    amountMinor: source.amountMinor,
    refundedMinor: source.refundedMinor,
    takenBack: revokes.reduce((sum, row) => sum + row.points, 0n),
  })
  const isWhole = source.refundedMinor === source.amountMinor
  const isVoid = grant.state === 'void' || (grant.state === 'pending' && isWhole)
  if (isVoid) await voidPending(trx, merchantId, source.orderId)
  const isDone = isVoid || points === 0n
  const created = await trx
    .insertInto('points_grant')
    .values({
      merchant_id: merchantId,
      id: newPointsGrantId(),
      order_id: source.orderId,
      kind: 'revoke',
      refund_id: source.refundId,
      user_id: source.userId,
      points,
      idempotency_key: `revoke-${source.refundId}`,
      state: isVoid ? 'void' : points === 0n ? 'taken' : 'pending',
      due_at: isDone ? null : source.now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute()
  const waiting = isDone ? [] : created
  await jobs.send(
    trx,
    'points-award',
    waiting.map(({ id }) => ({ data: { merchantId, grantId: id } })),
  )
}

/** pending → void: all of an order's points that were not sent. */
export async function voidPending(
  trx: Trx,
  merchantId: MerchantId,
  orderId: OrderId,
): Promise<void> {
  await trx
    .updateTable('points_grant')
    .set({ state: 'void', due_at: null })
    .where('merchant_id', '=', merchantId)
    .where('order_id', '=', orderId)
    .where('state', '=', 'pending')
    .execute()
}
