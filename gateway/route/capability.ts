import { Hono } from 'hono'
import { strategies } from '#channel/strategies'
import { viewCapabilities } from '../capability.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { loadMerchant } from '../middleware/key.ts'

/** `/v1/capabilities`: what the channels of this program can do, whatever accounts a merchant has. */
export function capabilityRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/capabilities', async (context) => {
    await loadMerchant(deps.db, context.req.raw, 'payment:read')
    context.header('cache-control', 'no-store')
    return context.json({ object: 'list', data: viewCapabilities(strategies) })
  })
  return route
}
