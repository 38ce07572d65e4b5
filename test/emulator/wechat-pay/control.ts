import { z } from 'zod'

import { parseJson } from '../config.ts'
import type { ApiRequest } from './authorization.ts'
import { FORGERIES } from './forge.ts'
import { orderObject } from './order.ts'
import type { WechatPayVendor } from './vendor.ts'

const number = z.string().min(1)
const serialMode = z.enum(['public', 'certificate'])

const payBody = z.strictObject({
  outTradeNo: number,
  payerTotal: z.int().min(0).exactOptional(),
  openid: z.string().exactOptional(),
  bankType: z.string().exactOptional(),
  mchid: z.string().exactOptional(),
})

const forgeBody = z.strictObject({
  forgery: z.enum(FORGERIES),
  outTradeNo: number,
  url: z.url().exactOptional(),
  mchid: z.string().exactOptional(),
  amount: z.int().exactOptional(),
  plaintext: z.unknown().optional(),
  serialMode: serialMode.exactOptional(),
})

const callbackBody = z.strictObject({
  url: z.url(),
  plaintext: z.unknown(),
  eventType: z.string().exactOptional(),
  eventId: z.string().exactOptional(),
  mchid: z.string().exactOptional(),
  outTradeNo: z.string().exactOptional(),
  serialMode: serialMode.exactOptional(),
})

const orderBody = z.strictObject({ outTradeNo: number, mchid: z.string().exactOptional() })

type Action = (vendor: WechatPayVendor, body: unknown) => Response | Promise<Response>

const found = (value: unknown): Response => Response.json(value)
const missing = (): Response => Response.json({ error: 'no such order' }, { status: 404 })

/** The control panel: what the buyer does and what goes wrong. Keys are `METHOD name`. */
const actions: Readonly<Record<string, Action>> = {
  'GET health': () => found({ ok: true }),
  'GET knobs': (vendor) => found(vendor.panel.get()),
  'POST knobs': (vendor, body) => found(vendor.panel.set(body)),
  'DELETE knobs': (vendor) => found(vendor.panel.reset()),
  'GET log': (vendor) =>
    found({ deliveries: vendor.deliveries.list(), requests: vendor.requests.list() }),
  'GET orders': (vendor) => found({ orders: vendor.book.list().map(orderView) }),
  'POST pay': pay,
  'POST resend': resend,
  'POST forge': forge,
  'POST callback': async (vendor, body) =>
    found(await vendor.sendCallback(callbackBody.parse(body))),
  'POST refund-state': (vendor, body) => {
    const { outTradeNo, mchid } = orderBody.parse(body)
    return vendor.markRefunded(outTradeNo, mchid) ? found({ ok: true }) : missing()
  },
}

/** Answers 404 for an unknown action and 400 for a body that it cannot read. */
export async function handleControl(
  vendor: WechatPayVendor,
  request: ApiRequest,
  name: string,
): Promise<Response> {
  const action = actions[`${request.method} ${name}`]
  if (action === undefined) return Response.json({ error: 'no such action' }, { status: 404 })
  try {
    return await action(vendor, parseJson(request.body))
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error
    return Response.json({ error: z.prettifyError(error) }, { status: 400 })
  }
}

function pay(vendor: WechatPayVendor, body: unknown): Response {
  const { outTradeNo, ...options } = payBody.parse(body)
  const result = vendor.pay(outTradeNo, options)
  if (result.kind === 'refused') return Response.json(result, { status: 409 })
  const { kind, eventId, transactionId } = result
  return found({ kind, eventId, transactionId })
}

async function resend(vendor: WechatPayVendor, body: unknown): Promise<Response> {
  const campaign = vendor.resend(orderBody.parse(body).outTradeNo)
  if (campaign === undefined) return missing()
  await campaign.first
  return found({ ok: true })
}

async function forge(vendor: WechatPayVendor, body: unknown): Promise<Response> {
  const delivery = await vendor.forge(forgeBody.parse(body))
  return delivery === undefined ? missing() : found(delivery)
}

function orderView(
  order: ReturnType<WechatPayVendor['book']['list']>[number],
): Record<string, unknown> {
  return {
    product: order.product,
    notify_url: order.body.notify_url,
    expires_at: order.expiresAt.toISOString(),
    ...orderObject(order),
  }
}
