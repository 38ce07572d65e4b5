import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { EventType } from '#domain/event'
import { eventIdFrom } from '#domain/id'
import type { DeliveryId, EndpointId, EventId, MerchantId } from '#domain/id'
import { addMs } from '#domain/time'
import type { Db } from '../database.ts'
import { FAILURES_BEFORE_PAUSE } from './event-result.ts'
import type { Schema } from '../schema.ts'

export type EventRow = Selectable<Schema['merchant_event']>
export type DeliveryRow = Selectable<Schema['event_delivery']>
export type AttemptRow = Selectable<Schema['merchant_event_attempt']>

export interface EventFilter {
  readonly merchantId: MerchantId
  readonly type?: EventType | undefined
  readonly subject?: string | undefined
  /** The last id of the page before. */
  readonly after?: EventId | undefined
  readonly limit: number
}

/** So far may the clocks of our machines be apart. */
const CLOCKS_APART_MS = 1000

/**
 * Events of a merchant, the oldest first: the pull side of what is pushed.
 *
 * An event shows when none can come before it any more, about a second after its commit. An id is made before
 * its commit, so a later one may be seen first; a reader who went on from that one would never see the other.
 */
export async function findEvents(db: Db, filter: EventFilter): Promise<EventRow[]> {
  const quiet = addMs(await findQuietTime(db), -CLOCKS_APART_MS)
  let query = db
    .selectFrom('merchant_event')
    .selectAll()
    .where('merchant_id', '=', filter.merchantId)
    .where('id', '<', eventIdFrom(quiet))
    .orderBy('id')
    .limit(filter.limit)
  if (filter.type !== undefined) query = query.where('type', '=', filter.type)
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject)
  if (filter.after !== undefined) query = query.where('id', '>', filter.after)
  return query.execute()
}

/** Since when all transactions that write have begun. Read before the rows, so that what ends meanwhile shows. */
async function findQuietTime(db: Db): Promise<Date> {
  // Raw, because kysely does not know the server's own views.
  const { rows } = await sql<{ at: Date }>`
    SELECT least(clock_timestamp(), min(xact_start)) AS at FROM pg_stat_activity
    WHERE datname = current_database() AND backend_xid IS NOT NULL`.execute(db)
  return rows[0]?.at ?? new Date(0)
}

/** An event of this merchant; `undefined` when there is none. */
export const findEvent = (
  db: Db,
  merchantId: MerchantId,
  id: EventId,
): Promise<EventRow | undefined> =>
  db
    .selectFrom('merchant_event')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()

/** How an event fared at each address; `undefined` when the merchant has no such event. */
export async function findDeliveries(
  db: Db,
  merchantId: MerchantId,
  id: EventId,
): Promise<DeliveryRow[] | undefined> {
  const event = await db
    .selectFrom('merchant_event')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()
  if (event === undefined) return undefined
  return db
    .selectFrom('event_delivery')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('event_id', '=', id)
    .orderBy('id')
    .execute()
}

/** More than two rounds of sending tell nobody more. */
const ATTEMPTS_SHOWN_MAX = 32

/** The latest attempts of a delivery, the newest first. */
export const findAttempts = (db: Db, merchantId: MerchantId, id: DeliveryId) =>
  db
    .selectFrom('merchant_event_attempt')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('delivery_id', '=', id)
    .orderBy('id', 'desc')
    .limit(ATTEMPTS_SHOWN_MAX)
    .execute()

/** Where a delivery goes that still waits, and whether the address fails again and again. */
export interface DeliveryPlace {
  readonly endpoint: EndpointId
  readonly isFailing: boolean
}

export async function findDeliveryPlace(
  db: Db,
  merchantId: MerchantId,
  id: DeliveryId,
): Promise<DeliveryPlace | undefined> {
  const row = await db
    .selectFrom('event_delivery as d')
    .innerJoin('event_endpoint as e', (join) =>
      join.onRef('e.merchant_id', '=', 'd.merchant_id').onRef('e.id', '=', 'd.endpoint_id'),
    )
    .select(['d.endpoint_id', 'e.failures'])
    .where('d.merchant_id', '=', merchantId)
    .where('d.id', '=', id)
    .where('d.state', '=', 'pending')
    .executeTakeFirst()
  if (row === undefined) return undefined
  return { endpoint: row.endpoint_id, isFailing: row.failures >= FAILURES_BEFORE_PAUSE }
}
