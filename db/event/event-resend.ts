import type { DeliveryId, EventId, MerchantId } from '#domain/id'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import type { Jobs } from '../job.ts'
import { createDeliveries } from './merchant-event.ts'

interface Wanted {
  readonly merchantId: MerchantId
  readonly id: EventId
}

/**
 * Sends an event again to every address that is called now, from the first attempt; what still waits for its
 * next attempt goes now. Says how many deliveries that are; `undefined` when there is no such event.
 *
 * A person who asks has looked: an address that rests is called at once.
 */
export async function resendEvent(
  db: Db,
  jobs: Jobs,
  wanted: Wanted,
  now: Date,
): Promise<number | undefined> {
  const { merchantId, id } = wanted
  return commit(db, 'event.resend', async (trx) => {
    const event = await trx
      .selectFrom('merchant_event')
      .select('id')
      .where('merchant_id', '=', merchantId)
      .where('id', '=', id)
      .executeTakeFirst()
    if (event === undefined) return undefined
    const ids = [
      ...(await beginAgain(trx, wanted, now)),
      ...(await createDeliveries(trx, { merchantId, at: now }, [id])),
    ]
    await endRests(trx, merchantId)
    await jobs.send(
      trx,
      'merchant-event',
      ids.map((deliveryId) => ({ data: { merchantId, deliveryId } })),
    )
    return ids.length
  })
}

const endRests = (trx: Trx, merchantId: MerchantId): Promise<unknown> =>
  trx
    .updateTable('event_endpoint')
    .set({ paused_until: null })
    .where('merchant_id', '=', merchantId)
    .where('paused_until', 'is not', null)
    .execute()

async function beginAgain(
  trx: Trx,
  { merchantId, id }: Wanted,
  now: Date,
): Promise<readonly DeliveryId[]> {
  const rows = await trx
    .updateTable('event_delivery as d')
    .from('event_endpoint as e')
    .whereRef('e.merchant_id', '=', 'd.merchant_id')
    .whereRef('e.id', '=', 'd.endpoint_id')
    .where('e.enabled', '=', true)
    .where('d.merchant_id', '=', merchantId)
    .where('d.event_id', '=', id)
    .set({ state: 'pending', attempts: 0n, due_at: now })
    .returning('d.id')
    .execute()
  return rows.map((row) => row.id)
}
