import { Hono } from 'hono'
import { z } from 'zod'
import { requestRefund } from '#db/refund/refund'
import { findShownRefunds } from '#db/refund/refund-view'
import { unreachable } from '#domain/assert'
import type { MerchantId, RefundId } from '#domain/id'
import { parseRefundId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { readKeyed, runOnce } from '../idempotent.ts'
import { json, parseBody } from '../json.ts'
import { loadPayment } from '../load-payment.ts'
import type { FoundPayment } from '../load-payment.ts'
import { loadMerchant } from '../middleware/key.ts'
import { Problem } from '../problem.ts'
import { viewRefund } from '../refund-view.ts'

const REASON_CHARACTERS_MAX = 80
const REFUND_NUMBER_CHARACTERS_MAX = 64

/** `POST /v1/payments/{id}/refunds`. The amount is in minor units: there is no "the rest" by omission. */
export const refundBody = z.strictObject({
  amount: z.int().min(1),
  refund_number: z
    .string()
    .min(1)
    .max(REFUND_NUMBER_CHARACTERS_MAX)
    .optional()
    .describe("The merchant's own number. The same number is the same refund."),
  reason: z.string().min(1).max(REASON_CHARACTERS_MAX).default('refund'),
})

/** Refunds: asked for here, sent by the worker. */
export function refundRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.post('/v1/payments/:id/refunds', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'refund:write')
    const found = await loadPayment(deps, merchantId, context.req.param('id'))
    const request = await readKeyed(context, merchantId)
    return runOnce(deps.db, request, async () => {
      const id = await startRefund(deps, found, {
        ...parseBody(refundBody, request.body),
        requestKey: request.key ?? '',
      })
      return { status: 202, body: JSON.stringify(await showRefund(deps, merchantId, id)) }
    })
  })
  route.get('/v1/payments/:id/refunds', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'refund:read')
    const { payment } = await loadPayment(deps, merchantId, context.req.param('id'))
    const refunds = await findShownRefunds(deps.db, { merchantId, paymentId: payment.id })
    return json({ object: 'list', data: refunds.map(viewRefund) })
  })
  route.get('/v1/refunds/:id', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'refund:read')
    const id = parseRefundId(context.req.param('id'))
    if (id === undefined) throw notFound()
    return json(await showRefund(deps, merchantId, id))
  })
  return route
}

/** Commits the refund and its reservation; the vendor hears of it from the worker. */
async function startRefund(
  deps: GatewayDeps,
  { payment }: FoundPayment,
  body: z.infer<typeof refundBody> & { readonly requestKey: string },
): Promise<RefundId> {
  const live = await deps.accounts.find(payment.channel_account_id)
  if (live?.channel.refund === undefined) {
    throw new Problem(422, 'refund_not_available', 'this channel has no refunds')
  }
  const outcome = await requestRefund(deps.db, deps.jobs, {
    merchantId: payment.merchant_id,
    paymentId: payment.id,
    amountMinor: BigInt(body.amount),
    reason: body.reason,
    origin: 'merchant',
    refundNumber: body.refund_number,
    requestKey: body.requestKey,
    now: deps.clock.now(),
  })
  switch (outcome.kind) {
    case 'requested':
      return outcome.refund.id
    case 'not_refundable':
      throw new Problem(
        409,
        'not_refundable',
        `of this payment ${outcome.availableMinor} fen can be refunded now`,
      )
    case 'key_reused':
      throw new Problem(422, 'idempotency_key_reused', 'this key belongs to another refund')
    case 'number_reused':
      throw new Problem(409, 'refund_number_differs', 'this number belongs to another refund')
    case 'payment_not_found':
      throw new Problem(404, 'payment_not_found', 'no payment has this id')
    default:
      return unreachable(outcome)
  }
}

async function showRefund(deps: GatewayDeps, merchantId: MerchantId, refundId: RefundId) {
  const [found] = await findShownRefunds(deps.db, { merchantId, refundId })
  if (found === undefined) throw notFound()
  return viewRefund(found)
}

const notFound = (): Problem => new Problem(404, 'refund_not_found', 'no refund has this id')
