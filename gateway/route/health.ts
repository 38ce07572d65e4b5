import { Hono } from 'hono'
import { sql } from 'kysely'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'

/** `/healthz`: the process lives. `/readyz`: it can also commit. */
export function healthRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/healthz', (context) => context.json({ status: 'ok' }))
  route.get('/readyz', async (context) => {
    try {
      await sql`SELECT 1 FROM merchant LIMIT 1`.execute(deps.db)
      return context.json({ status: 'ready' })
    } catch (error) {
      deps.log.warn({ error: String(error) }, 'not ready')
      return context.json({ status: 'database_unavailable' }, 503)
    }
  })
  return route
}
