import { Hono } from 'hono'
import { canCommit } from '#db/ready'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'

type HealthDeps = Pick<GatewayDeps, 'db' | 'log'>

/** `/healthz`: the process lives. `/readyz`: it can also commit. */
export function healthRoute(deps: HealthDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/healthz', (context) => context.json({ status: 'ok' }))
  route.get('/readyz', async (context) => {
    if (await isReady(deps)) return context.json({ status: 'ready' })
    return context.json({ status: 'database_unavailable' }, 503)
  })
  return route
}

async function isReady({ db, log }: HealthDeps): Promise<boolean> {
  try {
    const isPrimary = await canCommit(db)
    if (!isPrimary) log.warn('not ready: the database is a standby')
    return isPrimary
  } catch (error) {
    log.warn({ error: String(error) }, 'not ready')
    return false
  }
}
