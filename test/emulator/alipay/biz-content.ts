import { z } from 'zod'

import { parseChinaDateTime } from '../core/china-time.ts'
import type { Problem } from './answer.ts'
import { problem } from './answer.ts'
import type { GatewayCall } from './gateway-call.ts'
import type { Offer, Product } from './trade.ts'
import { parseYuan } from './yuan.ts'

/** The order fields of one product, checked (dossier 2.2, 2.4, 2.5). */
export type OfferReading =
  | { readonly kind: 'read'; readonly offer: Offer }
  | { readonly kind: 'refused'; readonly problem: Problem }

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const LIFE_MAX_MS = 15 * DAY_MS
const TOTAL_FEN_MAX = 10_000_000_000

const text = (max: number) => z.string().min(1).max(max)

/** Fields that all order calls know. A field beside them and the product's own is refused. */
const commonFields = {
  out_trade_no: z.string().regex(/^\w{1,64}$/),
  total_amount: z.union([z.string(), z.number().transform(String)]),
  subject: text(256).regex(/^[^/=&]*$/),
  product_code: text(64).optional(),
  body: text(128).optional(),
  seller_id: text(28).optional(),
  goods_detail: z.array(z.unknown()).max(150).optional(),
  extend_params: z.unknown().optional(),
  business_params: z.unknown().optional(),
  promo_params: z.unknown().optional(),
  timeout_express: z
    .string()
    .regex(/^([1-9]\d*[mhd]|1c)$/)
    .optional(),
  time_expire: z.string().optional(),
  passback_params: text(512).optional(),
  store_id: text(32).optional(),
  merchant_order_no: text(32).optional(),
  enable_pay_channels: text(128).optional(),
  disable_pay_channels: text(128).optional(),
  ext_user_info: z.unknown().optional(),
  settle_info: z.unknown().optional(),
  royalty_info: z.unknown().optional(),
  invoice_info: z.unknown().optional(),
  query_options: z.array(z.string()).optional(),
} as const

const clerkFields = {
  operator_id: text(28).optional(),
  terminal_id: text(32).optional(),
  buyer_id: text(28).optional(),
  buyer_open_id: text(128).optional(),
  discountable_amount: z.string().optional(),
  undiscountable_amount: z.string().optional(),
} as const

const schemas = {
  page: z.strictObject({
    ...commonFields,
    product_code: z.literal('FAST_INSTANT_TRADE_PAY'),
    qr_pay_mode: z.enum(['0', '1', '2', '3', '4']).optional(),
    qrcode_width: z.union([z.string(), z.number()]).optional(),
    integration_type: z.enum(['PCWEB', 'ALIAPP']).optional(),
    request_from_url: text(256).optional(),
    goods_type: z.enum(['0', '1']).optional(),
  }),
  wap: z.strictObject({
    ...commonFields,
    product_code: z.literal('QUICK_WAP_WAY'),
    quit_url: text(400).optional(),
    auth_token: text(40).optional(),
    goods_type: z.enum(['0', '1']).optional(),
  }),
  app: z.strictObject({
    ...commonFields,
    product_code: z.literal('QUICK_MSECURITY_PAY').optional(),
    goods_type: z.enum(['0', '1']).optional(),
  }),
  precreate: z.strictObject({
    ...commonFields,
    ...clerkFields,
    product_code: z.enum(['FACE_TO_FACE_PAYMENT', 'QR_CODE_OFFLINE']).optional(),
    qr_code_timeout_express: text(6).optional(),
    code_type: text(32).optional(),
  }),
  create: z
    .strictObject({
      ...commonFields,
      ...clerkFields,
      product_code: z.enum(['JSAPI_PAY', 'FACE_TO_FACE_PAYMENT']).optional(),
      op_app_id: text(32).optional(),
      op_buyer_open_id: text(128).optional(),
      logistics_detail: z.unknown().optional(),
      receiver_address_info: z.unknown().optional(),
    })
    .refine(
      ({ buyer_id, buyer_open_id }) => buyer_id !== undefined || buyer_open_id !== undefined,
      {
        message: 'buyer_id or buyer_open_id is required',
      },
    ),
} as const satisfies Record<Product, z.ZodType>

/** Reads what the merchant sells. `now` starts a relative deadline. */
export function readOffer(product: Product, call: GatewayCall, now: Date): OfferReading {
  const reading = schemas[product].safeParse(call.biz)
  if (!reading.success) return refuse('ACQ.INVALID_PARAMETER', z.prettifyError(reading.error))
  const biz = reading.data
  const totalFen = parseYuan(biz.total_amount)
  if (totalFen === undefined || totalFen === 0) {
    return refuse('ACQ.INVALID_PARAMETER', 'total_amount不合法')
  }
  if (totalFen > TOTAL_FEN_MAX) return refuse('ACQ.TOTAL_FEE_EXCEED', '订单总金额不在允许范围内')
  const isFaceToFace = product === 'precreate'
  const expiresAt = readDeadline(biz, now, isFaceToFace)
  if (expiresAt === undefined) return refuse('ACQ.INVALID_PARAMETER', '订单有效期不合法')
  if (expiresAt <= now) {
    return refuse('ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR', '当前时间已超过允许支付的时间')
  }
  const { app, parameters } = call
  const offer: Offer = {
    product,
    appId: app.appId,
    sellerId: app.sellerId,
    outTradeNo: biz.out_trade_no,
    totalFen,
    subject: biz.subject,
    charset: parameters.get('charset') ?? '',
    expiresAt,
    isFaceToFace,
    ...given('body', biz.body),
    ...given('passbackParams', biz.passback_params),
    ...given('notifyUrl', parameters.get('notify_url')),
    ...given('returnUrl', parameters.get('return_url')),
    ...given('quitUrl', 'quit_url' in biz ? biz.quit_url : undefined),
    ...given('buyerOpenId', 'buyer_open_id' in biz ? biz.buyer_open_id : undefined),
    ...given('buyerUserId', 'buyer_id' in biz ? biz.buyer_id : undefined),
  }
  const isOtherSeller = biz.seller_id !== undefined && biz.seller_id !== app.sellerId
  if (isOtherSeller) return refuse('ACQ.INVALID_RECEIVE_ACCOUNT', 'seller_id不在允许列表')
  return { kind: 'read', offer }
}

const given = <Name extends string>(
  name: Name,
  value: string | undefined,
): Partial<Record<Name, string>> => {
  const entry: Partial<Record<Name, string>> = {}
  if (value === undefined) return entry
  return Object.assign(entry, { [name]: value })
}

const refuse = (subCode: string, message: string): OfferReading => ({
  kind: 'refused',
  problem: problem(subCode, message),
})

interface Deadline {
  readonly time_expire?: string | undefined
  readonly timeout_express?: string | undefined
}

/** `undefined`: not a date, or more than 15 days ahead. */
function readDeadline(biz: Deadline, now: Date, isFaceToFace: boolean): Date | undefined {
  const latest = new Date(now.getTime() + LIFE_MAX_MS)
  const usual = isFaceToFace ? new Date(now.getTime() + 3 * HOUR_MS) : latest
  if (biz.time_expire !== undefined) {
    const wished = parseChinaDateTime(biz.time_expire)
    return wished === undefined || wished > latest ? undefined : wished
  }
  if (biz.timeout_express === undefined) return usual
  const wished = new Date(now.getTime() + relativeMs(biz.timeout_express, now))
  return wished > latest ? undefined : wished
}

const UNITS: Readonly<Record<string, number>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }
const CHINA_OFFSET_MS = 8 * HOUR_MS

function relativeMs(text: string, now: Date): number {
  if (text === '1c') return DAY_MS - ((now.getTime() + CHINA_OFFSET_MS) % DAY_MS)
  return Number.parseInt(text, 10) * (UNITS[text.slice(-1)] ?? MINUTE_MS)
}
