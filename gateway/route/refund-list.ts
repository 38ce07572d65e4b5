import { Hono } from 'hono'
import { z } from 'zod'
import { listRefunds } from '#db/refund/refund-view'
import { parsePaymentId, parseRefundId } from '#domain/id'
import type { PaymentId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { parseQuery } from '../json.ts'
import { listPage, momentSchema, pageOf } from '../list.ts'
import { loadMerchant } from '../middleware/key.ts'
import { REFUND_STATES, viewRefund } from '../refund-view.ts'

const paymentId = z.custom<PaymentId>((id) => id !== undefined, 'expected the id of a payment')

export const refundFilter = z.strictObject({
  state: z.enum(REFUND_STATES).optional(),
  payment: z.string().transform(parsePaymentId).pipe(paymentId).optional(),
  order_number: z.string().min(1).max(64).optional(),
  refund_number: z.string().min(1).max(64).optional(),
  'created[gte]': momentSchema.optional(),
  'created[lt]': momentSchema.optional(),
  ...pageOf(parseRefundId),
})

/** `GET /v1/refunds`: the newest first; by the merchant's own number, the one that has it. */
export function refundListRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/refunds', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'refund:read')
    const asked = parseQuery(refundFilter, context.req.query())
    const rows = await listRefunds(deps.db, {
      merchantId,
      state: asked.state,
      paymentId: asked.payment,
      orderNumber: asked.order_number,
      refundNumber: asked.refund_number,
      createdFrom: asked['created[gte]'],
      createdBefore: asked['created[lt]'],
      after: asked.cursor,
      limit: asked.limit + 1,
    })
    return listPage(rows, asked.limit, viewRefund)
  })
  return route
}
