import { Hono } from 'hono'
import type { GatewayDeps, GatewayEnv } from './deps.ts'
import { handleError } from './middleware/error.ts'
import { recordRequest } from './middleware/request.ts'
import { Problem, problemResponse } from './problem.ts'
import { callbackRoute } from './route/callback.ts'
import { caseRoute } from './route/case.ts'
import { capabilityRoute } from './route/capability.ts'
import { eventEndpointRoute } from './route/event-endpoint.ts'
import { eventRoute } from './route/event.ts'
import { healthRoute } from './route/health.ts'
import { openApiRoute } from './route/openapi.ts'
import { orderRoute } from './route/order.ts'
import { payPageRoute } from './route/pay-page.ts'
import { paymentListRoute } from './route/payment-list.ts'
import { paymentRoute } from './route/payment.ts'
import { reconciliationRoute } from './route/reconciliation.ts'
import { refundListRoute } from './route/refund-list.ts'
import { refundRoute } from './route/refund.ts'
import { timelineRoute } from './route/timeline.ts'

/** The merchant API. */
const merchantRoutes = [
  paymentRoute,
  paymentListRoute,
  refundRoute,
  refundListRoute,
  orderRoute,
  timelineRoute,
  caseRoute,
  eventRoute,
  eventEndpointRoute,
  reconciliationRoute,
  capabilityRoute,
]

/** The public listener: every route with its request id, and one way of failing. */
export function createApp(deps: GatewayDeps): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>()
  app.use(recordRequest(deps))
  app.onError(handleError(deps))
  app.notFound((context) =>
    problemResponse(
      new Problem(404, 'not_found', 'there is nothing here'),
      context.get('requestId'),
    ),
  )
  app.route('/', healthRoute(deps))
  app.route('/', openApiRoute())
  app.route('/', callbackRoute(deps))
  for (const route of merchantRoutes) app.route('/', route(deps))
  app.route('/', payPageRoute(deps))
  app.all('/callback/:account', (context) => {
    const problem = new Problem(405, 'method_not_allowed', 'callbacks are sent by POST')
    const response = problemResponse(problem, context.get('requestId'))
    response.headers.set('Allow', 'POST')
    return response
  })
  return app
}
