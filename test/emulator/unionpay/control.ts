import { z } from 'zod'

import type { ControlActions } from '../core/control.ts'
import { controlFound, controlMissing } from '../core/control.ts'
import { FORGERIES } from './forge.ts'
import type { EmulatedOrder, EmulatedRefund } from './order.ts'
import { callbackFields } from './order.ts'
import type { PayResult, UnionpayVendor } from './vendor.ts'

const text = z.string().min(1)
const fields = z.record(z.string(), z.string())
const code = z.string().regex(/^[0-9A-Z]{2}$/)

/** `target`: the order number, the `tn` or the text of the QR code. */
const payBody = z.strictObject({
  target: text,
  code: code.exactOptional(),
  amount: z.int().positive().transform(BigInt).exactOptional(),
  settleDate: z
    .string()
    .regex(/^\d{4}$/)
    .exactOptional(),
  merId: text.exactOptional(),
  callback: z.boolean().exactOptional(),
})

const targetBody = z.strictObject({ target: text, merId: text.exactOptional() })

const refundBody = z.strictObject({
  orderNumber: text,
  code: code.exactOptional(),
  merId: text.exactOptional(),
})

const forgeBody = z.strictObject({
  forgery: z.enum(FORGERIES),
  orderNumber: text,
  url: z.url().exactOptional(),
  merId: text.exactOptional(),
  fields: fields.exactOptional(),
})

const callbackBody = z.strictObject({
  url: z.url(),
  fields,
  charset: z.enum(['UTF-8', 'GBK']).exactOptional(),
})

const billBody = z.strictObject({ merId: text, date: z.iso.date() })

/** The control panel: what the buyer and the bank do. Keys are `METHOD name`. */
export function controlActions(vendor: UnionpayVendor): ControlActions {
  const buyer = (act: 'pay' | 'begin' | 'fail') => (body: unknown) => {
    const { target, ...options } = payBody.parse(body)
    return moveResponse(vendor[act](target, options))
  }
  return {
    'GET orders': () => controlFound({ orders: vendor.book.orders().map(orderView) }),
    'GET refunds': () => controlFound({ refunds: vendor.book.refunds().map(refundView) }),
    'POST pay': buyer('pay'),
    'POST begin': buyer('begin'),
    'POST fail': buyer('fail'),
    'POST return-form': (body) => {
      const { target, merId } = targetBody.parse(body)
      return orMissing(vendor.returnForm(target, merId))
    },
    'POST app-result': (body) => orMissing(vendor.appResult(targetBody.parse(body).target)),
    'POST refund': (body) => {
      const { orderNumber, code: ending, merId } = refundBody.parse(body)
      const campaign = vendor.finishRefund(orderNumber, ending, merId)
      return orMissing(campaign && { ok: true })
    },
    'POST bill': (body) => {
      const detail = Buffer.from(vendor.bills.write(billBody.parse(body)))
      return controlFound({ detail: detail.toString('base64') })
    },
    'POST rotate': async () =>
      controlFound({ certificatePem: await vendor.rotateSigningCertificate() }),
    'POST forge': async (body) => orMissing(await vendor.forge(forgeBody.parse(body))),
    'POST callback': async (body) =>
      controlFound(await vendor.sendCallback(callbackBody.parse(body))),
  }
}

const orMissing = (value: unknown): Response =>
  value === undefined ? controlMissing() : controlFound(value)

function moveResponse(result: PayResult): Response {
  if (result.kind === 'refused') return Response.json(result, { status: 409 })
  const { kind, code: moved, queryId, eventId } = result
  return controlFound({ kind, code: moved, queryId, eventId: eventId ?? null })
}

function orderView(order: EmulatedOrder): Record<string, unknown> {
  const { attempt, message, product, deadline, takenBack, credential } = order
  return {
    product,
    credential: credential ?? null,
    deadline: deadline.toISOString(),
    takenBack: String(takenBack),
    code: attempt?.code ?? null,
    request: message.fields,
    ...(attempt !== undefined && { result: callbackFields(order, attempt) }),
  }
}

const refundView = (refund: EmulatedRefund): Record<string, unknown> => ({
  code: refund.attempt.code,
  origin: refund.origin,
  request: refund.message.fields,
  result: callbackFields(refund, refund.attempt),
})
