import { Hono } from 'hono'
import { z } from 'zod'
import { wantOrderClosed } from '#db/close-payment'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { readKeyed, runOnce } from '../idempotent.ts'
import { orderStateSchema } from '../payment-view.ts'
import { loadMerchant } from '../middleware/key.ts'
import { Problem } from '../problem.ts'

export const orderSchema = z.object({
  object: z.literal('order'),
  order_number: z.string(),
  state: orderStateSchema,
})

/** `/v1/orders/{order_number}/close`: the merchant takes no money for this order any more. */
export function orderRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.post('/v1/orders/:order_number/close', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    const orderNumber = context.req.param('order_number')
    const request = await readKeyed(context, merchantId)
    return runOnce(deps.db, request, async () => {
      const order = await wantOrderClosed(deps.db, deps.jobs, merchantId, orderNumber)
      if (order === undefined) {
        throw new Problem(404, 'order_not_found', 'no order has this number')
      }
      if (order.state !== 'unpaid' && order.state !== 'closed') {
        throw new Problem(409, 'order_is_paid', 'this order is paid; refund its payment instead')
      }
      // Attempts that are still open at their vendors are closed one by one.
      const status = order.state === 'closed' ? 200 : 202
      const body: z.input<typeof orderSchema> = {
        object: 'order',
        order_number: orderNumber,
        state: order.state,
      }
      return { status, body: JSON.stringify(body) }
    })
  })
  return route
}
