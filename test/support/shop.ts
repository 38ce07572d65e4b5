import { z } from 'zod'
import type { Platform } from './platform.ts'
import { waitFor } from './wait.ts'

const paymentView = z.object({
  id: z.string(),
  state: z.string(),
  disposition: z.string().nullable(),
  next_action: z.looseObject({ type: z.string() }).nullable(),
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

export type RefundView = z.infer<typeof refundView>

export interface Purchase {
  readonly method?: string
  readonly amount?: number
  readonly orderNumber?: string
  readonly userId?: string
}

/** The shop's backend: it knows nothing but the merchant API. */
export function createShop(platform: Pick<Platform, 'gateway' | 'apiKey'>) {
  const headers = { authorization: `Bearer ${platform.apiKey}`, 'content-type': 'application/json' }

  function post(body: unknown, idempotencyKey: string): Promise<Response> {
    return fetch(`${platform.gateway.url}/v1/payments`, {
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

  async function buy(purchase: Purchase = {}): Promise<PaymentView> {
    const response = await post(bodyOf(purchase), crypto.randomUUID())
    const text = await response.text()
    if (!response.ok) throw new Error(`create answered ${response.status}: ${text}`)
    return paymentView.parse(JSON.parse(text))
  }

  async function read(id: string): Promise<PaymentView> {
    const response = await fetch(`${platform.gateway.url}/v1/payments/${id}`, { headers })
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
    fetch(`${platform.gateway.url}/v1/payments/${payment}/refunds`, {
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
    const response = await fetch(`${platform.gateway.url}/v1/refunds/${id}`, { headers })
    return refundView.parse(await response.json())
  }

  return { headers, post, bodyOf, buy, read, waitForState, askRefund, refund, readRefund }
}
