import type { EventRow } from '#db/event/event-list'
import type { OrderId, PaymentId } from '#domain/id'
import type { Desk } from './desk.ts'

/** An event as a merchant reads it. */
export interface EventBody {
  readonly type: string
  readonly timestamp: string
  readonly data: Readonly<Record<string, Readonly<Record<string, unknown>>>> & {
    readonly sequence: number
  }
}

export const bodyOf = (row: EventRow): EventBody => JSON.parse(row.body)

/** The events about an order, by their sequence. */
export const eventsOf = (desk: Desk, orderId: OrderId): Promise<EventRow[]> =>
  desk.db
    .selectFrom('merchant_event')
    .selectAll()
    .where('order_id', '=', orderId)
    .orderBy('sequence')
    .execute()

export const rowOf = (desk: Desk, id: PaymentId) =>
  desk.db.selectFrom('payment').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
