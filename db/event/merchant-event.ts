import type { EventType } from '#domain/event'
import { newDeliveryId, newEventId } from '#domain/id'
import type { DeliveryId, EventId, MerchantId, OrderId } from '#domain/id'
import type { Trx } from '../database.ts'
import type { Jobs } from '../job.ts'

/** Something that a merchant is to be told, with what it is about as it stands in this transaction. */
export interface NewEvent {
  readonly type: EventType
  /** What the event is about: one event per type and subject. */
  readonly subject: string
  readonly orderId?: OrderId
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * Writes events and their deliveries in the caller's transaction: what is told is what was committed.
 *
 * The body is stored as it will be sent. The sequence counts the events of one order, under its lock, so
 * that a receiver can tell which of two is the newer. Without `jobs` the sweeper sends them.
 */
export async function createEvents(
  trx: Trx,
  jobs: Jobs | undefined,
  { merchantId, at }: { readonly merchantId: MerchantId; readonly at: Date },
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return
  const last = await findLastSequences(trx, merchantId, events)
  const rows = events.map((event) => {
    const sequence = (last.get(event.orderId) ?? 0n) + 1n
    if (event.orderId !== undefined) last.set(event.orderId, sequence)
    return toRow(event, { merchantId, at, sequence })
  })
  const created = await trx
    .insertInto('merchant_event')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['merchant_id', 'type', 'subject']).doNothing())
    .returning('id')
    .execute()
  const deliveries = await createDeliveries(
    trx,
    { merchantId, at },
    created.map(({ id }) => id),
  )
  await jobs?.send(
    trx,
    'merchant-event',
    deliveries.map((deliveryId) => ({ data: { merchantId, deliveryId } })),
  )
}

interface Place {
  readonly merchantId: MerchantId
  readonly at: Date
  readonly sequence: bigint
}

function toRow(event: NewEvent, { merchantId, at, sequence }: Place) {
  const body = {
    type: event.type,
    timestamp: at.toISOString(),
    data: { ...event.data, sequence: Number(sequence) },
  }
  return {
    merchant_id: merchantId,
    id: newEventId(),
    type: event.type,
    subject: event.subject,
    order_id: event.orderId ?? null,
    sequence,
    body: JSON.stringify(body),
    created_at: at,
  }
}

/** The highest number, and not a count: a repeat that told nothing new leaves a gap, never a second 2. */
async function findLastSequences(
  trx: Trx,
  merchantId: MerchantId,
  events: readonly NewEvent[],
): Promise<Map<OrderId | undefined, bigint>> {
  const orders = events.flatMap(({ orderId }) => (orderId === undefined ? [] : [orderId]))
  if (orders.length === 0) return new Map()
  const rows = await trx
    .selectFrom('merchant_event')
    .select((select) => ['order_id', select.fn.max('sequence').as('last')])
    .where('merchant_id', '=', merchantId)
    .where('order_id', 'in', orders)
    .groupBy('order_id')
    .execute()
  return new Map(rows.map((row) => [row.order_id ?? undefined, row.last]))
}

/** A delivery of each event to each address that is called now and has none yet. */
export async function createDeliveries(
  trx: Trx,
  { merchantId, at }: { readonly merchantId: MerchantId; readonly at: Date },
  events: readonly EventId[],
): Promise<DeliveryId[]> {
  if (events.length === 0) return []
  const endpoints = await trx
    .selectFrom('event_endpoint')
    .select('id')
    .where('merchant_id', '=', merchantId)
    .where('enabled', '=', true)
    .orderBy('id')
    .execute()
  const rows = events.flatMap((event) =>
    endpoints.map((endpoint) => ({
      merchant_id: merchantId,
      id: newDeliveryId(),
      event_id: event,
      endpoint_id: endpoint.id,
      due_at: at,
    })),
  )
  if (rows.length === 0) return []
  const created = await trx
    .insertInto('event_delivery')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute()
  return created.map(({ id }) => id)
}
