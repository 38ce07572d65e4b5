import { Hono } from 'hono'
import { findOperator } from '#db/account/operator'
import { readInvariants, readMetrics } from '#db/metrics'
import type { Db } from '#db/database'
import { Secret } from '#domain/secret'
import type { GatewayDeps } from '../deps.ts'
import { handleError } from '../middleware/error.ts'
import { recordRequest } from '../middleware/request.ts'
import { Problem, problemResponse } from '../problem.ts'
import { keepFigures } from './kept-figures.ts'
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
  app.use(recordRequest(deps))
  app.use(async (context, next) => {
    if (context.req.path !== '/healthz') {
      context.set('operator', await loadOperator(deps.db, context.req.raw))
    }
    await next()
  })
  app.onError(handleError(deps))
  app.notFound((context) =>
    problemResponse(
      new Problem(404, 'not_found', 'there is nothing here'),
      context.get('requestId'),
    ),
  )
  app.get('/healthz', (context) => context.json({ status: 'ok' }))
  const readKept = keepFigures(
    () => readInvariants(deps.db),
    () => performance.now(),
    deps,
  )
  app.get('/metrics', async (context) => {
    const metrics = [...(await readMetrics(deps.db, deps.clock.now())), ...(await readKept())]
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
