import { z } from 'zod'

import type { ControlActions } from '../core/control.ts'
import { controlFound, controlMissing } from '../core/control.ts'
import { BILL_KINDS } from './bill-desk.ts'
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

const billWish = { mchid: number, date: z.iso.date() } as const
const billBody = z.strictObject({ ...billWish, kind: z.enum(BILL_KINDS) })
const billFileBody = z.strictObject({ ...billWish, path: number, sha1: z.hex().length(40) })

const orderBody = z.strictObject({ outTradeNo: number, mchid: z.string().exactOptional() })

/** What the buyer does, and what is sent: beside the actions that all emulators have. */
export const controlActions = (vendor: WechatPayVendor): ControlActions => ({
  'GET orders': () => controlFound({ orders: vendor.book.list().map(orderView) }),
  'POST pay': (body) => pay(vendor, body),
  'POST forge': (body) => forge(vendor, body),
  /** Takes the panel's plants into account, and no hour of the day. */
  'POST bill': (body) => {
    const { kind, ...wish } = billBody.parse(body)
    return controlFound({ text: vendor.bills.write(kind, wish) })
  },
  'POST bill-file': (body) => {
    vendor.bills.put(billFileBody.parse(body))
    return controlFound({ ok: true })
  },
  'POST callback': async (body) =>
    controlFound(await vendor.sendCallback(callbackBody.parse(body))),
  'POST refund-state': (body) => {
    const { outTradeNo, mchid } = orderBody.parse(body)
    return vendor.markRefunded(outTradeNo, mchid) ? controlFound({ ok: true }) : controlMissing()
  },
})

function pay(vendor: WechatPayVendor, body: unknown): Response {
  const { outTradeNo, ...options } = payBody.parse(body)
  const result = vendor.pay(outTradeNo, options)
  if (result.kind === 'refused') return Response.json(result, { status: 409 })
  const { kind, eventId, transactionId } = result
  return controlFound({ kind, eventId, transactionId })
}

async function forge(vendor: WechatPayVendor, body: unknown): Promise<Response> {
  const delivery = await vendor.forge(forgeBody.parse(body))
  return delivery === undefined ? controlMissing() : controlFound(delivery)
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
