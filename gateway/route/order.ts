import { Hono } from 'hono'
import { wantOrderClosed } from '#db/payment/close-payment'
import { findOrder } from '#db/payment/order-view'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { readKeyed, runOnce } from '../idempotent.ts'
import { json } from '../json.ts'
import { loadMerchant } from '../middleware/key.ts'
import { viewOrder } from '../order-view.ts'
import { Problem } from '../problem.ts'

/** `/v1/orders/{order_number}`: by the merchant's own number; `close` takes no money for it any more. */
export function orderRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/orders/:order_number', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:read')
    const order = await findOrder(deps.db, merchantId, context.req.param('order_number'))
    if (order === undefined) throw notFound()
    return json(viewOrder(order))
  })
  route.post('/v1/orders/:order_number/close', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:write')
    const orderNumber = context.req.param('order_number')
    const request = await readKeyed(context, merchantId)
    return runOnce(deps.db, request, async () => {
      const order = await wantOrderClosed(deps.db, deps.jobs, merchantId, orderNumber)
      if (order === undefined) {
        throw notFound()
      }
      if (order.state !== 'unpaid' && order.state !== 'closed') {
        throw new Problem(409, 'order_is_paid', 'this order is paid; refund its payment instead')
      }
      // Attempts that are still open at their vendors are closed one by one.
      const status = order.state === 'closed' ? 200 : 202
      return { status, body: JSON.stringify(viewOrder(order)) }
    })
  })
  return route
}

const notFound = (): Problem => new Problem(404, 'order_not_found', 'no order has this number')
