import { z } from 'zod'

import type { ControlActions } from '../core/control.ts'
import { controlFound, controlMissing } from '../core/control.ts'
import type { EmulatedCharge } from './charge.ts'
import { chargeObject } from './charge.ts'
import { FORGERIES, sendForgery } from './forge.ts'
import { makeVendorKeys } from './keys.ts'
import { sendDailySummary } from './summary.ts'
import type { PingppVendor } from './vendor.ts'

const text = z.string().min(1)
const scope = { livemode: z.boolean().exactOptional(), app: text.exactOptional() } as const

const payBody = z.strictObject({
  ...scope,
  orderNumber: text,
  isLate: z.boolean().exactOptional(),
})

const forgeBody = z.strictObject({
  ...scope,
  forgery: z.enum(FORGERIES),
  orderNumber: text,
  url: z.url().exactOptional(),
  amount: z.int().exactOptional(),
})

/** A genuine event with whatever content; `body` is the raw text, or a value that becomes it. */
export const sendBody = z.strictObject({
  url: z.url(),
  body: z.unknown(),
  eventId: text.exactOptional(),
  orderNumber: z.string().exactOptional(),
})

export const webhookBody = z.strictObject({
  app: text,
  livemode: z.boolean(),
  url: z.url(),
  types: z.array(text).exactOptional(),
})

const refundBody = z.strictObject({ refundId: text, ending: z.enum(['succeeded', 'failed']) })
const summaryBody = z.strictObject({
  app: text,
  day: z.iso.date(),
  livemode: z.boolean().exactOptional(),
})

/** What the buyer, the channel and the dashboard do: beside the actions that all emulators have. */
export const controlActions = (vendor: PingppVendor): ControlActions => ({
  'GET orders': () => controlFound({ orders: vendor.book.list().map((one) => view(vendor, one)) }),
  'GET events': () => controlFound({ events: vendor.events.list() }),
  'POST pay': (body) => pay(vendor, body),
  'POST forge': (body) => forge(vendor, body),
  'POST callback': async (body) => controlFound(await send(vendor, sendBody.parse(body))),
  'POST webhook': (body) => {
    vendor.events.addWebhook(webhookBody.parse(body))
    return controlFound({ ok: true })
  },
  'POST rotate-key': async () => {
    const keys = await makeVendorKeys()
    vendor.keyring.rotate(keys)
    return controlFound({ publicKeyPem: keys.publicKeyPem })
  },
  'POST refund': (body) => {
    const { refundId, ending } = refundBody.parse(body)
    const emission = vendor.refunds.finish(refundId, ending)
    return emission === undefined ? controlMissing() : controlFound({ eventId: emission.eventId })
  },
  'POST summary': (body) => {
    const { eventId } = sendDailySummary(vendor, summaryBody.parse(body))
    return controlFound({ eventId })
  },
})

export type SendRequest = z.input<typeof sendBody>

/** Sends a genuine event once, known to the books or not. */
export function send(vendor: PingppVendor, { url, body, ...names }: SendRequest) {
  const raw = typeof body === 'string' ? body : JSON.stringify(body)
  const { eventId = '', orderNumber = '' } = names
  return vendor.sendText({ eventId, orderNumber, url, body: raw })
}

function pay(vendor: PingppVendor, body: unknown): Response {
  const { orderNumber, ...options } = payBody.parse(body)
  const result = vendor.pay(vendor.findByNumber(orderNumber, options), options)
  if (result.kind === 'refused') return Response.json(result, { status: 409 })
  const { kind, eventId, transactionNumber } = result
  return controlFound({ kind, eventId, transactionNumber })
}

async function forge(vendor: PingppVendor, body: unknown): Promise<Response> {
  const delivery = await sendForgery(vendor, forgeBody.parse(body))
  return delivery === undefined ? controlMissing() : controlFound(delivery)
}

const view = (vendor: PingppVendor, charge: EmulatedCharge): Record<string, unknown> => ({
  ...chargeObject(charge, vendor.book.refundsOf(charge.id)),
  buyer_page: `${vendor.baseUrl}/buyer/${charge.id}`,
})
