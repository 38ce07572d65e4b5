import { z } from 'zod'

import { parseJson } from '../config.ts'
import type { Answer } from './answer.ts'
import { parameterError } from './answer.ts'

/** The four products of the emulator, as their endpoints are called. */
export const PRODUCTS = ['native', 'jsapi', 'h5', 'app'] as const
export type Product = (typeof PRODUCTS)[number]

const FEN_MAX = 2 ** 31 - 1
const DETAIL_BYTES_MAX = 6144
const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

const text = (max: number): z.ZodString => z.string().min(1).max(max)
const fen = z.int().min(1).max(FEN_MAX)

/** HTTPS without a query (dossier 4.6); a test's merchant on loopback may speak HTTP. */
function isNotifyUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const url = new URL(value)
  if (value.includes('?') || value.includes('#')) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
}

const goods = z.strictObject({
  merchant_goods_id: text(32),
  wechatpay_goods_id: text(32).optional(),
  goods_name: text(256).optional(),
  quantity: z.int().min(1),
  unit_price: z.int().min(0),
})

const h5Info = z.strictObject({
  type: text(32),
  app_name: text(64).optional(),
  app_url: text(128).optional(),
  bundle_id: text(128).optional(),
  package_name: text(128).optional(),
})

const sceneInfo = z.strictObject({
  payer_client_ip: text(45),
  device_id: text(32).optional(),
  store_info: z
    .strictObject({
      id: text(32),
      name: text(256).optional(),
      area_code: text(32).optional(),
      address: text(512).optional(),
    })
    .optional(),
  h5_info: h5Info.optional(),
})

const common = {
  appid: text(32),
  mchid: text(32),
  description: text(127),
  out_trade_no: z.string().regex(/^[0-9A-Za-z_\-|*]{6,32}$/),
  time_expire: z.string().max(64).regex(RFC3339).optional(),
  attach: z.string().max(128).optional(),
  notify_url: text(255).refine(isNotifyUrl),
  goods_tag: text(32).optional(),
  support_fapiao: z.boolean().optional(),
  limit_pay: z.array(z.enum(['no_balance', 'no_credit', 'no_debit', 'balance_only'])).optional(),
  amount: z.strictObject({ total: fen, currency: z.literal('CNY').optional() }),
  detail: z
    .strictObject({
      cost_price: z.int().min(1).optional(),
      invoice_id: text(32).optional(),
      goods_detail: z.array(goods).optional(),
    })
    .refine((detail) => Buffer.byteLength(JSON.stringify(detail)) <= DETAIL_BYTES_MAX)
    .optional(),
  settle_info: z.strictObject({ profit_sharing: z.boolean().optional() }).optional(),
}

const payer = z.strictObject({ openid: text(128) })

const plainBody = z.strictObject({ ...common, scene_info: sceneInfo.optional() })
const jsapiBody = z.strictObject({ ...common, payer, scene_info: sceneInfo.optional() })
const h5Body = z.strictObject({ ...common, scene_info: sceneInfo.extend({ h5_info: h5Info }) })

/** A prepay body that obeys the table of dossier 2.2. */
export type PrepayBody = z.infer<typeof plainBody> & {
  readonly payer?: { readonly openid: string }
}

export type PrepayReading =
  | { readonly kind: 'read'; readonly body: PrepayBody }
  | { readonly kind: 'refused'; readonly answer: Answer }

/** Reads the body of one product; the refusal names the first field that broke a rule. */
export function readPrepayBody(product: Product, raw: string): PrepayReading {
  const value = parseJson(raw)
  const result = parseBody(product, value)
  if (result.success) return { kind: 'read', body: result.data }
  const issue = result.error.issues[0]
  const extra = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  const path = [...(issue?.path ?? []), ...extra]
  return {
    kind: 'refused',
    answer: parameterError({
      field: path.map((part) => `/${String(part)}`).join(''),
      value: valueAt(value, path),
      issue: issue?.message ?? 'invalid',
    }),
  }
}

function parseBody(product: Product, value: unknown): z.ZodSafeParseResult<PrepayBody> {
  switch (product) {
    case 'jsapi':
      return jsapiBody.safeParse(value)
    case 'h5':
      return h5Body.safeParse(value)
    case 'native':
    case 'app':
      return plainBody.safeParse(value)
  }
}

const VALUE_CHARACTERS_MAX = 64

function valueAt(value: unknown, path: readonly PropertyKey[]): string {
  let current: unknown = value
  for (const part of path) {
    if (typeof current !== 'object' || current === null) return ''
    current = Reflect.get(current, part)
  }
  if (current === undefined) return ''
  const text = typeof current === 'string' ? current : JSON.stringify(current)
  return text.slice(0, VALUE_CHARACTERS_MAX)
}
