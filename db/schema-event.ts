import type { Generated } from 'kysely'
import type { DeliveryId, EndpointId, EventId, MerchantId, OrderId } from '#domain/id'
import type { EventType } from '#domain/event'
import type { DeliveryState } from '#domain/state'
import type { Stamp } from './column.ts'

/** What merchants are told. */
export interface EventSchema {
  event_endpoint: {
    merchant_id: MerchantId
    id: EndpointId
    url: string
    sealed: Buffer
    previous_sealed: Buffer | null
    previous_until: Date | null
    enabled: Generated<boolean>
    failures: Generated<bigint>
    paused_until: Date | null
    created_at: Stamp
  }
  merchant_event: {
    merchant_id: MerchantId
    id: EventId
    type: EventType
    subject: string
    order_id: OrderId | null
    sequence: bigint
    body: string
    created_at: Stamp
  }
  event_delivery: {
    merchant_id: MerchantId
    id: DeliveryId
    event_id: EventId
    endpoint_id: EndpointId
    state: Generated<DeliveryState>
    attempts: Generated<bigint>
    due_at: Date | null
    delivered_at: Date | null
  }
  merchant_event_attempt: {
    merchant_id: MerchantId
    id: string
    delivery_id: DeliveryId
    attempt: bigint
    status: bigint | null
    error: string | null
    elapsed_ms: bigint
    at: Stamp
  }
}
