import { z } from 'zod'
import type { EndpointRow } from '#db/event/event-endpoint'

export const endpointSchema = z.object({
  id: z.string(),
  object: z.literal('event_endpoint'),
  url: z.string(),
  failures: z.int().describe('Failed attempts in a row.'),
  paused_until: z.iso.datetime().nullable().describe('First attempts wait until then.'),
  created_at: z.iso.datetime(),
})

/** The only answer that holds the secret. */
export const newEndpointSchema = z.object({
  id: z.string(),
  object: z.literal('event_endpoint'),
  url: z.string(),
  secret: z.string().describe('`whsec_` and base64 (Standard Webhooks). It is shown once.'),
})

export const newSecretSchema = z.object({
  id: z.string(),
  object: z.literal('event_endpoint'),
  secret: z.string(),
  previous_secret_until: z.iso.datetime().describe('Until then both secrets sign.'),
})

/** An address that is called, without its secret. */
export const viewEndpoint = (row: EndpointRow): z.input<typeof endpointSchema> => ({
  id: row.id,
  object: 'event_endpoint',
  url: row.url,
  failures: Number(row.failures),
  paused_until: row.paused_until?.toISOString() ?? null,
  created_at: row.created_at.toISOString(),
})
