import { z } from 'zod'

import { formatChinaDateTime } from '../core/china-time.ts'
import type { ControlActions } from '../core/control.ts'
import { controlFound, controlMissing } from '../core/control.ts'
import { BILL_KINDS } from './bill-desk.ts'
import { FORGERIES } from './forge.ts'
import type { AlipayHttp } from './http.ts'
import type { Trade } from './trade.ts'
import type { AlipayVendor } from './vendor.ts'
import { formatYuan } from './yuan.ts'

const number = z.string().min(1)
const orderBody = z.strictObject({ outTradeNo: number })

const payBody = z.strictObject({
  outTradeNo: number,
  buyerPaysFen: z.int().min(0).exactOptional(),
  isFinal: z.boolean().exactOptional(),
})

const noticeBody = {
  outTradeNo: number,
  changes: z.record(z.string(), z.string()).exactOptional(),
  url: z.url().exactOptional(),
} as const

const forgeBody = z.strictObject({ ...noticeBody, forgery: z.enum(FORGERIES) })

const billBody = z.strictObject({
  kind: z.enum(BILL_KINDS),
  sellerId: number,
  date: z.iso.date(),
})

/** What the buyer does, and what is sent: beside the actions that all emulators have. */
export const controlActions = (vendor: AlipayVendor, http: AlipayHttp): ControlActions => ({
  'GET orders': () => controlFound({ orders: vendor.book.list().map(tradeView) }),
  'POST order-string': (body) =>
    controlFound(
      http.takeOrderString(z.strictObject({ orderString: number }).parse(body).orderString),
    ),
  'POST scan': (body) => {
    const { code } = z.strictObject({ code: number }).parse(body)
    const outTradeNo = vendor.book.readQrCode(code)
    return outTradeNo === undefined ? controlMissing() : enter(vendor, outTradeNo)
  },
  'POST enter': (body) => enter(vendor, orderBody.parse(body).outTradeNo),
  'POST pay': (body) => {
    const { outTradeNo, ...options } = payBody.parse(body)
    const result = vendor.pay(outTradeNo, options)
    if (result.kind === 'refused') return Response.json(result, { status: 409 })
    const { kind, eventId, tradeNo } = result
    return controlFound({ kind, eventId, tradeNo })
  },
  'POST finish': (body) =>
    vendor.finish(orderBody.parse(body).outTradeNo) === undefined
      ? controlMissing()
      : controlFound({ ok: true }),
  'POST expire': (body) => {
    const trade = vendor.expire(orderBody.parse(body).outTradeNo)
    return trade === undefined ? controlMissing() : controlFound(tradeView(trade))
  },
  'POST forge': async (body) => {
    const delivery = await vendor.forge(forgeBody.parse(body))
    return delivery === undefined ? controlMissing() : controlFound(delivery)
  },
  'POST callback': async (body) => {
    const delivery = await vendor.sendNotice(z.strictObject(noticeBody).parse(body))
    return delivery === undefined ? controlMissing() : controlFound(delivery)
  },
  /** Takes the panel's plants into account, and no hour of the day. */
  'POST bill': (body) => {
    const { kind, ...wish } = billBody.parse(body)
    return controlFound({ members: vendor.bills.write(kind, wish) })
  },
  'POST rotate-key': async () =>
    controlFound({ publicKeyPem: (await vendor.rotateKey()).publicKeyPem }),
  'POST rotate-certificate': async () => {
    const { certificatePem, number: serial } = (await vendor.rotateCertificate()).certificate
    return controlFound({ certificatePem, number: serial })
  },
})

function enter(vendor: AlipayVendor, outTradeNo: string): Response {
  const move = vendor.enter(outTradeNo)
  if (move.kind === 'refused') return Response.json(move, { status: 409 })
  return controlFound(tradeView(move.trade))
}

const tradeView = ({ offer, tradeNo, state, refunds }: Trade): Record<string, unknown> => ({
  product: offer.product,
  out_trade_no: offer.outTradeNo,
  trade_no: tradeNo,
  trade_status: state,
  total_amount: formatYuan(offer.totalFen),
  notify_url: offer.notifyUrl,
  expires_at: formatChinaDateTime(offer.expiresAt),
  refunds: refunds.map(({ outRequestNo, fen }) => ({ outRequestNo, amount: formatYuan(fen) })),
})
