import { Hono } from 'hono'
import { findOperator } from '#db/operator'
import { readMetrics } from '#db/metrics'
import type { Db } from '#db/database'
import { Secret } from '#domain/secret'
import type { GatewayDeps } from '../deps.ts'
import { handleError } from '../middleware/error.ts'
import { Problem, problemResponse } from '../problem.ts'
import { writeMetrics } from './metrics.ts'
import { discrepancyRoute } from './discrepancy.ts'

const BEARER = /^Bearer (op_\S{20,100})$/

/** What every request of an operator carries on its way. */
export interface ConsoleEnv {
  readonly Variables: { readonly requestId: string; readonly operator: string }
}

/**
 * The second listener, for operators alone: it stands on a port of its own that the edge does not publish.
 *
 * Everything but the health check needs an operator's token, figures included.
 */
export function createConsole(deps: GatewayDeps): Hono<ConsoleEnv> {
  const app = new Hono<ConsoleEnv>()
  app.use(async (context, next) => {
    const requestId = crypto.randomUUID()
    context.set('requestId', requestId)
    if (context.req.path !== '/healthz') {
      context.set('operator', await loadOperator(deps.db, context.req.raw))
    }
    await next()
    context.header('Request-Id', requestId)
  })
  app.onError(handleError(deps))
  app.notFound((context) =>
    problemResponse(
      new Problem(404, 'not_found', 'there is nothing here'),
      context.get('requestId'),
    ),
  )
  app.get('/healthz', (context) => context.json({ status: 'ok' }))
  app.get('/metrics', async (context) => {
    const metrics = await readMetrics(deps.db, deps.clock.now())
    return context.text(writeMetrics(metrics, deps.callbacks), 200, {
      'content-type': 'text/plain; version=0.0.4',
    })
  })
  app.route('/', discrepancyRoute(deps))
  return app
}

/** The operator that a request speaks for. Throws 401. */
async function loadOperator(db: Db, request: Request): Promise<string> {
  const token = BEARER.exec(request.headers.get('authorization') ?? '')?.[1]
  const name = token === undefined ? undefined : await findOperator(db, new Secret(token))
  if (name === undefined) {
    throw new Problem(401, 'operator_token_invalid', 'send a valid operator token: Bearer op_…')
  }
  return name
}
