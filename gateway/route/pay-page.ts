import { Hono } from 'hono'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { SSEStreamingApi } from 'hono/streaming'
import type { PaymentRow } from '#db/payment/payment'
import { findPaymentById, findSuccessor } from '#db/payment/payment-page'
import { askForQuery } from '#db/payment/payment-query'
import type { PaymentId } from '#domain/id'
import { parsePaymentId } from '#domain/id'
import { browserOf } from '../browser.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { renderPage } from '../page/layout.ts'
import { missingPage, payPage, refusedPage } from '../page/pay.ts'
import type { Visit } from '../page/pay.ts'
import { offerOf } from '../pay-offer.ts'
import { isPayable, isWaiting } from '../payable.ts'
import type { Offer } from '../pay-offer.ts'
import { Problem } from '../problem.ts'
import { switchMethod } from '../switch-method.ts'
import { qrRoute } from './qr.ts'
import { returnRoute } from './return.ts'

const POLL_MS = 1000
const STREAM_MS_MAX = 15 * 60 * 1000
const POLLS_PER_COMMENT = 5
/** Each open stream reads a row a second. Beyond this the page asks again by itself. */
const STREAMS_MAX = 500
const STREAMS_PER_PAYMENT_MAX = 4

/** Everything a customer's browser asks for: the pay page, its events, the code, the way back. */
export function payPageRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  const streams = new Map<PaymentId, number>()
  route.get('/pay/:id', async (context) => {
    const payment = await findByText(deps, context.req.param('id'))
    if (payment === undefined) return renderPage(missingPage, 404)
    return renderPage(payPage(await visitOf(deps, payment, context)))
  })
  route.post('/pay/:id/method', async (context) => {
    const payment = await findByText(deps, context.req.param('id'))
    if (payment === undefined) return renderPage(missingPage, 404)
    const { offer } = await visitOf(deps, payment, context)
    // A page that was opened before, perhaps of a payment that has ended: what is right by now is shown there.
    if (offer.kind !== 'switch' || !isPayable(payment, deps.clock.now())) {
      return context.redirect(`${deps.publicUrl}/pay/${payment.id}`, 303)
    }
    try {
      const id = await switchMethod(deps, payment, offer.method)
      return context.redirect(`${deps.publicUrl}/pay/${id}`, 303)
    } catch (error) {
      // A customer gets a page, never the merchant's problem document.
      if (error instanceof Problem) return renderPage(refusedPage, error.status)
      throw error
    }
  })
  route.post('/pay/:id/query', async (context) => {
    const payment = await findByText(deps, context.req.param('id'))
    if (payment === undefined) return renderPage(missingPage, 404)
    // The page shows what comes of it; whether one was asked for just now makes no difference there.
    if (isWaiting(payment)) await askFor(deps, payment)
    return context.redirect(`${deps.publicUrl}/pay/${payment.id}`, 303)
  })
  route.get('/pay/:id/events', async (context) => {
    const payment = await findByText(deps, context.req.param('id'))
    if (payment === undefined) {
      throw new Problem(404, 'payment_not_found', 'no payment has this id')
    }
    const release = takeStream(streams, payment.id)
    context.header('X-Accel-Buffering', 'no')
    return streamSSE(context, async (stream) => {
      try {
        await sendStates(deps, stream, payment)
      } catch (error) {
        // The browser connects again; hono would send it our message.
        deps.log.warn({ error: String(error) }, 'pay page events ended early')
      } finally {
        release()
      }
    })
  })
  route.route('/', qrRoute(deps))
  route.route('/', returnRoute(deps))
  return route
}

async function findByText(deps: GatewayDeps, text: string): Promise<PaymentRow | undefined> {
  const id = parsePaymentId(text)
  return id === undefined ? undefined : findPaymentById(deps.db, id)
}

const askFor = (deps: GatewayDeps, payment: PaymentRow): Promise<boolean> =>
  askForQuery(deps.db, deps.jobs, {
    merchantId: payment.merchant_id,
    paymentId: payment.id,
    now: deps.clock.now(),
  })

async function visitOf(
  deps: GatewayDeps,
  payment: PaymentRow,
  context: Context<GatewayEnv>,
): Promise<Visit> {
  const browser = browserOf(context.req.header('user-agent') ?? '')
  const live = await deps.accounts.find(payment.channel_account_id)
  const offer: Offer =
    live === undefined
      ? { kind: 'as_created' }
      : offerOf(payment, live.account.channel, live.channel.capabilities, browser)
  const successor = await findSuccessor(deps.db, payment)
  const now = deps.clock.now()
  return { payment, browser, offer, now, ...(successor === undefined ? {} : { successor }) }
}

/** Counts a stream until it is released; throws 503 when there are too many. */
function takeStream(streams: Map<PaymentId, number>, id: PaymentId): () => void {
  const total = streams.values().reduce((sum, count) => sum + count, 0)
  const own = streams.get(id) ?? 0
  if (total >= STREAMS_MAX || own >= STREAMS_PER_PAYMENT_MAX) {
    throw new Problem(503, 'too_many_streams', 'too many pages are listening; load the page again')
  }
  streams.set(id, own + 1)
  return () => {
    const left = (streams.get(id) ?? 1) - 1
    if (left === 0) streams.delete(id)
    else streams.set(id, left)
  }
}

/** Sends the state at once and after each change, and ends when the payment is paid or closed. */
async function sendStates(
  deps: GatewayDeps,
  stream: SSEStreamingApi,
  first: PaymentRow,
): Promise<void> {
  const end = performance.now() + STREAM_MS_MAX
  let state = first.state
  await sendState(stream, state)
  for (let polls = 1; !isFinal(state) && performance.now() < end; polls += 1) {
    await stream.sleep(POLL_MS)
    if (stream.aborted) return
    const payment = await findPaymentById(deps.db, first.id)
    if (payment === undefined) return
    if (payment.state !== state) await sendState(stream, payment.state)
    state = payment.state
    // A comment keeps proxies from cutting a quiet line.
    if (polls % POLLS_PER_COMMENT === 0) await stream.write(': waiting\n\n')
  }
}

const isFinal = (state: PaymentRow['state']): boolean => state === 'paid' || state === 'closed'

const sendState = (stream: SSEStreamingApi, state: PaymentRow['state']): Promise<void> =>
  stream.writeSSE({ event: 'state', data: JSON.stringify({ state }) })
