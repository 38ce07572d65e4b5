import { Hono } from 'hono'
import { z } from 'zod'
import { listPayments } from '#db/payment/payment-list'
import { parsePaymentId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { parseQuery } from '../json.ts'
import { listPage, momentSchema, pageOf } from '../list.ts'
import { loadMerchant } from '../middleware/key.ts'
import { viewPayment } from '../payment-view.ts'

/** A payment is long. */
const LIMIT = 20

export const paymentFilter = z.strictObject({
  state: z.enum(['created', 'pending', 'paid', 'closed']).optional(),
  order_number: z.string().min(1).max(64).optional(),
  channel: z.string().max(32).optional(),
  channel_account: z.string().max(64).optional(),
  'created[gte]': momentSchema.optional(),
  'created[lt]': momentSchema.optional(),
  ...pageOf(parsePaymentId, LIMIT),
})

/** `GET /v1/payments`: the newest first; by the merchant's own order number, all attempts of that order. */
export function paymentListRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/payments', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:read')
    const asked = parseQuery(paymentFilter, context.req.query())
    const rows = await listPayments(deps.db, {
      merchantId,
      state: asked.state,
      orderNumber: asked.order_number,
      channel: asked.channel,
      channelAccount: asked.channel_account,
      createdFrom: asked['created[gte]'],
      createdBefore: asked['created[lt]'],
      after: asked.cursor,
      limit: asked.limit + 1,
    })
    return listPage(rows, asked.limit, ({ payment, order }) => viewPayment(deps, payment, order))
  })
  return route
}
