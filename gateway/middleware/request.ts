import type { Context, Next } from 'hono'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'

/** Gives every request an id and every answer a line in the log. It comes first, so that no answer lacks them. */
export function recordRequest({ log }: Pick<GatewayDeps, 'log'>) {
  return async (context: Context<GatewayEnv>, next: Next): Promise<void> => {
    const requestId = crypto.randomUUID()
    const startedAt = performance.now()
    context.set('requestId', requestId)
    await next()
    context.header('Request-Id', requestId)
    const operator = context.get('operator')
    // The path alone: a query string may carry what a vendor says about a customer.
    log.info(
      {
        request_id: requestId,
        ...(operator === undefined ? {} : { operator }),
        method: context.req.method,
        path: context.req.path,
        status: context.res.status,
        elapsed_ms: Math.round(performance.now() - startedAt),
      },
      'answered',
    )
  }
}
