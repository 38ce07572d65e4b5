import { z } from 'zod'
import { checkAnswer } from './contract.ts'
import { waitFor } from './wait.ts'

const paymentView = z.object({
  id: z.string(),
  state: z.string(),
  disposition: z.string().nullable(),
  wallet_payment_id: z.string().nullable(),
  next_action: z.looseObject({ type: z.string() }).nullable(),
  expires_at: z.coerce.date(),
  order: z.object({ state: z.string(), order_number: z.string(), user_id: z.string() }),
})

export type PaymentView = z.infer<typeof paymentView>

const refundView = z.object({
  id: z.string(),
  state: z.string(),
  origin: z.string(),
  amount: z.number(),
  points_taken_back: z.number(),
  refusal_code: z.string().nullable(),
})

const caseView = z.object({
  id: z.string(),
  kind: z.string(),
  subject: z.string(),
  state: z.string(),
})

export type CaseView = z.infer<typeof caseView>
export type RefundView = z.infer<typeof refundView>

export interface Purchase {
  readonly method?: string
  readonly amount?: number
  readonly orderNumber?: string
  readonly userId?: string
}

/** Where the shop finds the gateway, and its key. */
export interface ShopAccess {
  readonly gateway: { readonly url: string }
  readonly apiKey: string
  /** For measurements: answers are not compared with the API's document. */
  readonly isUnchecked?: true
}

/** The shop's backend: it knows nothing but the merchant API. */
export function createShop(platform: ShopAccess) {
  const headers = { authorization: `Bearer ${platform.apiKey}`, 'content-type': 'application/json' }

  /** Whatever a test asks for: an answer that the API's document does not have is an error. */
  async function call(path: string, init: RequestInit): Promise<Response> {
    const url = platform.gateway.url + path
    const response = await fetch(url, init)
    if (platform.isUnchecked === true) return response
    const { operation, errors } = await checkAnswer(init.method ?? 'GET', url, response.clone())
    if (errors.length > 0) throw new Error(`${operation}: ${errors.join('; ')}`)
    return response
  }

  function post(body: unknown, idempotencyKey: string): Promise<Response> {
    return call('/v1/payments', {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': idempotencyKey },
      body: JSON.stringify(body),
    })
  }

  function bodyOf(purchase: Purchase) {
    const method = purchase.method ?? 'qr'
    const hasPayer = method === 'jsapi' || method === 'mini_program'
    return {
      order_number: purchase.orderNumber ?? crypto.randomUUID(),
      user_id: purchase.userId ?? 'user-1',
      amount: purchase.amount ?? 1999,
      currency: 'CNY',
      method,
      subject: 'Demo tea set',
      client_ip: '203.0.113.7',
      ...(hasPayer ? { payer_open_id: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' } : {}),
    }
  }

  const buy = (purchase: Purchase = {}): Promise<PaymentView> => buyWith(bodyOf(purchase))

  /** Sends a body as it is. */
  async function buyWith(body: unknown): Promise<PaymentView> {
    const response = await post(body, crypto.randomUUID())
    const text = await response.text()
    if (!response.ok) throw new Error(`create answered ${response.status}: ${text}`)
    return paymentView.parse(JSON.parse(text))
  }

  async function read(id: string): Promise<PaymentView> {
    const response = await call(`/v1/payments/${id}`, { headers })
    return paymentView.parse(await response.json())
  }

  const waitForState = (id: string, state: string, timeoutMs?: number): Promise<PaymentView> =>
    waitFor(
      `payment ${id} ${state}`,
      async () => {
        const view = await read(id)
        return view.state === state ? view : undefined
      },
      timeoutMs,
    )

  const askRefund = (payment: string, body: unknown, idempotencyKey: string): Promise<Response> =>
    call(`/v1/payments/${payment}/refunds`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': idempotencyKey },
      body: JSON.stringify(body),
    })

  async function refund(payment: string, amount: number): Promise<RefundView> {
    const response = await askRefund(payment, { amount }, crypto.randomUUID())
    const text = await response.text()
    if (!response.ok) throw new Error(`refund answered ${response.status}: ${text}`)
    return refundView.parse(JSON.parse(text))
  }

  async function readRefund(id: string): Promise<RefundView> {
    const response = await call(`/v1/refunds/${id}`, { headers })
    return refundView.parse(await response.json())
  }

  async function list<T>(path: string, item: z.ZodType<T>): Promise<readonly T[]> {
    const response = await call(path, { headers })
    return z.object({ data: z.array(item) }).parse(await response.json()).data
  }

  const refundsOf = (payment: string): Promise<readonly RefundView[]> =>
    list(`/v1/payments/${payment}/refunds`, refundView)

  const cases = (): Promise<readonly CaseView[]> => list('/v1/cases', caseView)

  const closeOrder = (orderNumber: string): Promise<Response> =>
    call(`/v1/orders/${encodeURIComponent(orderNumber)}/close`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': crypto.randomUUID() },
    })

  const calls = { call, post, askRefund, list, refundsOf, cases, closeOrder }
  return { headers, bodyOf, buy, buyWith, read, waitForState, refund, readRefund, ...calls }
}
