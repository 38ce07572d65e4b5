import { Hono } from 'hono'
import { TIMELINE_ENTRIES_MAX, findTimeline } from '#db/timeline'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { json } from '../json.ts'
import { loadPayment } from '../load-payment.ts'
import { loadMerchant } from '../middleware/key.ts'

/** `GET /v1/payments/{id}/timeline`: the whole story of one payment. */
export function timelineRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/payments/:id/timeline', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    const { payment } = await loadPayment(deps, merchantId, context.req.param('id'))
    const entries = await findTimeline(deps.db, payment)
    const data = entries.map((entry) => ({ ...entry, at: entry.at.toISOString() }))
    return json({ object: 'list', data, has_more: data.length === TIMELINE_ENTRIES_MAX })
  })
  return route
}
