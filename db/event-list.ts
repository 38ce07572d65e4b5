import type { Selectable } from 'kysely'
import type { EventType } from '#domain/event'
import type { DeliveryId, EndpointId, EventId, MerchantId } from '#domain/id'
import type { Db } from './database.ts'
import type { Schema } from './schema.ts'

export type EventRow = Selectable<Schema['merchant_event']>
export type DeliveryRow = Selectable<Schema['event_delivery']>

export interface EventFilter {
  readonly merchantId: MerchantId
  readonly type?: EventType | undefined
  /** The last id of the page before. */
  readonly after?: EventId | undefined
  readonly limit: number
}

/** Events of a merchant, the oldest first: the pull side of what is pushed. */
export function findEvents(db: Db, filter: EventFilter): Promise<EventRow[]> {
  let query = db
    .selectFrom('merchant_event')
    .selectAll()
    .where('merchant_id', '=', filter.merchantId)
    .orderBy('id')
    .limit(filter.limit)
  if (filter.type !== undefined) query = query.where('type', '=', filter.type)
  if (filter.after !== undefined) query = query.where('id', '>', filter.after)
  return query.execute()
}

/** How an event fared at each address. */
export const findDeliveries = (
  db: Db,
  merchantId: MerchantId,
  id: EventId,
): Promise<DeliveryRow[]> =>
  db
    .selectFrom('event_delivery')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('event_id', '=', id)
    .orderBy('id')
    .execute()

/** The address of a delivery that still waits. */
export async function findDeliveryEndpoint(
  db: Db,
  merchantId: MerchantId,
  id: DeliveryId,
): Promise<EndpointId | undefined> {
  const row = await db
    .selectFrom('event_delivery')
    .select('endpoint_id')
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .executeTakeFirst()
  return row?.endpoint_id
}
