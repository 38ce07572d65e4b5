import { Hono } from 'hono'
import { z } from 'zod'
import { TIMELINE_ENTRIES_MAX, findTimeline } from '#db/timeline'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { json } from '../json.ts'
import { loadPayment } from '../load-payment.ts'
import { loadMerchant } from '../middleware/key.ts'

export const timelineSchema = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      at: z.iso.datetime(),
      kind: z.string().describe('The kind of a message, or `state`.'),
      subject: z.string(),
      content: z.record(z.string(), z.unknown()),
    }),
  ),
  has_more: z.boolean().describe('A story so long was cut.'),
})

/** `GET /v1/payments/{id}/timeline`: the whole story of one payment. */
export function timelineRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/payments/:id/timeline', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:read')
    const { payment } = await loadPayment(deps, merchantId, context.req.param('id'))
    const entries = await findTimeline(deps.db, payment)
    const data = entries.map((entry) => ({ ...entry, at: entry.at.toISOString() }))
    const view: z.input<typeof timelineSchema> = {
      object: 'list',
      data,
      has_more: data.length === TIMELINE_ENTRIES_MAX,
    }
    return json(view)
  })
  return route
}
