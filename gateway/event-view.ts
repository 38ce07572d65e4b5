import { z } from 'zod'
import type { AttemptRow, DeliveryRow, EventRow } from '#db/event/event-list'
import { EVENT_TYPES } from '#domain/event'

/** What is sent to an endpoint, byte for byte as it was committed with its cause. */
const contentSchema = z.object({
  type: z.enum(EVENT_TYPES),
  timestamp: z.iso.datetime(),
  data: z
    .record(z.string(), z.unknown())
    .describe('What the event is about as it stood when it was committed, and its `sequence`.'),
})

export const eventSchema = z.object({
  id: z.string().describe('The `webhook-id` of its deliveries.'),
  object: z.literal('event'),
  subject: z.string(),
  content: contentSchema,
})

/** The body is shown as it is sent. */
export const viewEvent = (row: EventRow): z.input<typeof eventSchema> => ({
  id: row.id,
  object: 'event',
  subject: row.subject,
  content: contentSchema.parse(JSON.parse(row.body)),
})

const attemptSchema = z.object({
  attempt: z.int(),
  at: z.iso.datetime(),
  status: z.int().nullable(),
  error: z.string().nullable(),
  elapsed_ms: z.int(),
})

export const deliverySchema = z.object({
  id: z.string(),
  object: z.literal('delivery'),
  endpoint: z.string(),
  state: z.enum(['pending', 'delivered', 'dead']),
  attempts: z.int(),
  next_attempt_at: z.iso.datetime().nullable(),
  delivered_at: z.iso.datetime().nullable(),
  latest_attempts: z.array(attemptSchema).describe('The newest first.'),
})

/** How an event fared at one address. */
export const viewDelivery = (
  row: DeliveryRow,
  attempts: readonly AttemptRow[],
): z.input<typeof deliverySchema> => ({
  id: row.id,
  object: 'delivery',
  endpoint: row.endpoint_id,
  state: row.state,
  attempts: Number(row.attempts),
  next_attempt_at: row.due_at?.toISOString() ?? null,
  delivered_at: row.delivered_at?.toISOString() ?? null,
  latest_attempts: attempts.map(viewAttempt),
})

const viewAttempt = (row: AttemptRow): z.input<typeof attemptSchema> => ({
  attempt: Number(row.attempt),
  at: row.at.toISOString(),
  status: row.status === null ? null : Number(row.status),
  error: row.error,
  elapsed_ms: Number(row.elapsed_ms),
})

/** How many deliveries a wish to send again has started. */
export const resendSchema = z.object({
  object: z.literal('resend'),
  event: z.string(),
  deliveries: z.int(),
})
