import { Hono } from 'hono'
import { closeAttempt } from '#db/payment/close-payment'
import { referenceOf } from '#db/payment/payment'
import type { PaymentRow } from '#db/payment/payment'
import { askForQuery } from '#db/payment/payment-query'
import type { Exchange } from '#channel/http'
import { commit } from '#db/commit'
import { around } from '#failpoint'
import { createOnce } from '../create-payment.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { readKeyed, runOnce } from '../idempotent.ts'
import { loadMerchant } from '../middleware/key.ts'
import { json } from '../json.ts'
import { loadPayment } from '../load-payment.ts'
import { showPayment, viewPayment } from '../payment-view.ts'
import { Problem } from '../problem.ts'
import { logExchanges } from '../submit-attempt.ts'

/** `/v1/payments`: create, read, close, query. */
export function paymentRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.post('/v1/payments', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:write')
    const request = await readKeyed(context, merchantId)
    return createOnce(deps, merchantId, request)
  })
  route.get('/v1/payments/:id', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:read')
    const found = await loadPayment(deps, merchantId, context.req.param('id'))
    return json(viewPayment(deps, found.payment, found.order))
  })
  route.post('/v1/payments/:id/close', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:write')
    const found = await loadPayment(deps, merchantId, context.req.param('id'))
    const request = await readKeyed(context, merchantId)
    return runOnce(deps.db, request, async () => {
      await closePayment(deps, found.payment)
      const { payment, order } = await loadPayment(deps, merchantId, found.payment.id)
      return { status: 200, body: showPayment(deps, payment, order) }
    })
  })
  route.post('/v1/payments/:id/query', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'payment:write')
    const { payment } = await loadPayment(deps, merchantId, context.req.param('id'))
    const now = deps.clock.now()
    await askForQuery(deps.db, deps.jobs, { merchantId, paymentId: payment.id, now })
    const found = await loadPayment(deps, merchantId, payment.id)
    // Accepted also when one was asked for just now: that one answers this wish, too.
    return json(viewPayment(deps, found.payment, found.order), 202)
  })
  return route
}

/** The query confirms it: the money is known before the vendor's callback comes. */
const queueQuery = (deps: GatewayDeps, payment: PaymentRow): Promise<void> =>
  commit(deps.db, 'query.queue', (trx) =>
    deps.jobs.send(trx, 'payment-query', [
      { data: { merchantId: payment.merchant_id, paymentId: payment.id } },
    ]),
  )

/** Asks the vendor first: only its proof closes. A payment that turns out paid is confirmed by a query. */
async function closePayment(deps: GatewayDeps, payment: PaymentRow): Promise<void> {
  if (payment.state === 'paid' || payment.state === 'closed') return
  const live = await deps.accounts.find(payment.channel_account_id)
  const close = live?.channel.closePayment
  if (live === undefined || close === undefined) {
    throw new Problem(409, 'close_not_available', 'this channel has no close; the payment expires')
  }
  const exchanges: Exchange[] = []
  const outcome = await around('vendor.close', () =>
    close(referenceOf(payment), (exchange) => exchanges.push(exchange)),
  )
  await logExchanges(deps, live.account.channel, payment, exchanges)
  if (outcome.kind === 'unknown') {
    throw new Problem(503, 'close_unknown', 'the vendor did not say whether it closed; try again')
  }
  if (outcome.kind === 'absent') {
    throw new Problem(
      409,
      'close_too_early',
      'the vendor does not know the payment yet, and the customer may still open it; it expires',
    )
  }
  if (outcome.kind === 'paid') {
    await queueQuery(deps, payment)
    throw new Problem(
      409,
      'payment_is_paid',
      'the customer has paid; the order becomes paid shortly',
    )
  }
  const isClosed = await closeAttempt(deps.db, payment, outcome.proof, deps.clock.now())
  if (!isClosed) throw new Problem(409, 'payment_moved', 'the payment was paid or closed meanwhile')
}
