import { z } from 'zod'

import { parseJson } from '../config.ts'
import type { ChannelRule } from './channel-rule.ts'
import { CHANNELS, CHOICES, RULES, URL_KEYS } from './channel-rule.ts'

const DESCRIPTION_MAX = 255
const SUBJECT_MAX = 32
const METADATA_PAIRS_MAX = 20
const METADATA_CHARACTERS_MAX = 1_000
const PRODUCT_ID_MAX = 32

const record = z.record(z.string(), z.unknown())

/** The body of `POST /v1/charges` (dossier 2.1). A parameter that does not exist is refused. */
const bodySchema = z.strictObject({
  order_no: z.string().regex(/^[A-Za-z0-9]+$/),
  app: z.strictObject({ id: z.string().min(1) }),
  channel: z.enum(CHANNELS),
  amount: z.int().min(1),
  client_ip: z.ipv4(),
  currency: z.literal('cny'),
  subject: z.string().min(1),
  body: z.string().min(1),
  extra: record.default({}),
  time_expire: z.int().exactOptional(),
  metadata: record.default({}),
  description: z.string().max(DESCRIPTION_MAX).exactOptional(),
})

export type ChargeBody = z.output<typeof bodySchema>

export type Reading<Body> =
  | { readonly kind: 'read'; readonly body: Body }
  | { readonly kind: 'wrong'; readonly param?: string; readonly message: string }

/** Reads and judges a body. `nowSeconds` is the moment of creation. */
export function readChargeBody(text: string, nowSeconds: number): Reading<ChargeBody> {
  const reading = readBody(bodySchema, text)
  if (reading.kind === 'wrong') return reading
  const { body } = reading
  const rule = RULES[body.channel]
  const fault =
    findTextFault(body, rule) ??
    findExtraFault(body, rule) ??
    findTimeFault(body, rule, nowSeconds) ??
    findMetadataFault(body.metadata)
  if (fault === undefined) return reading
  return { kind: 'wrong', param: fault, message: `参数 ${fault} 无效` }
}

/** Reads a JSON body by a schema and names the first wrong parameter. */
export function readBody<Body>(schema: z.ZodType<Body>, text: string): Reading<Body> {
  const value = parseJson(text)
  if (value === undefined) return { kind: 'wrong', message: '请求内容不是有效的 JSON' }
  const reading = schema.safeParse(value)
  if (reading.success) return { kind: 'read', body: reading.data }
  const [issue] = reading.error.issues
  const path = issue?.code === 'unrecognized_keys' ? [issue.keys[0] ?? ''] : (issue?.path ?? [])
  const [first = '', ...rest] = path.map(String)
  const param = [first, ...rest.map((key) => `[${key}]`)].join('')
  return { kind: 'wrong', param, message: `参数 ${param} 无效` }
}

type Fault = string | undefined

/** Characters as people count them: an emoji is one, not two. */
const charactersIn = (text: string): number => [...text].length

function findTextFault(body: ChargeBody, rule: ChannelRule): Fault {
  const [least, most] = rule.orderNumber
  if (body.order_no.length < least || body.order_no.length > most) return 'order_no'
  const isInBytes = rule.subjectUnit === 'bytes'
  const subject = isInBytes ? Buffer.byteLength(body.subject) : charactersIn(body.subject)
  if (subject > SUBJECT_MAX) return 'subject'
  return charactersIn(body.body) > rule.bodyCharactersMax ? 'body' : undefined
}

function findExtraFault({ extra }: ChargeBody, { required }: ChannelRule): Fault {
  const lacking = required.find((key) => extra[key] === undefined || extra[key] === '')
  const wrong =
    lacking ??
    URL_KEYS.find((key) => extra[key] !== undefined && !isPlainUrl(extra[key])) ??
    Object.keys(CHOICES).find(
      (key) => extra[key] !== undefined && !CHOICES[key]?.includes(extra[key]),
    ) ??
    (isProductIdTooLong(extra['product_id']) ? 'product_id' : undefined)
  return wrong === undefined ? undefined : `extra[${wrong}]`
}

const isProductIdTooLong = (value: unknown): boolean =>
  value !== undefined && (typeof value !== 'string' || value.length > PRODUCT_ID_MAX)

/** No query, and not `localhost` (dossier 2.4). */
function isPlainUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, hostname } = new URL(value)
  const isHttp = protocol === 'https:' || protocol === 'http:'
  return isHttp && hostname !== 'localhost' && !value.includes('?')
}

function findTimeFault(body: ChargeBody, { expiry }: ChannelRule, nowSeconds: number): Fault {
  if (body.time_expire === undefined) return undefined
  const seconds = body.time_expire - nowSeconds
  return seconds < expiry.least || seconds > expiry.most ? 'time_expire' : undefined
}

function findMetadataFault(metadata: Readonly<Record<string, unknown>>): Fault {
  const pairs = Object.entries(metadata)
  const characters = pairs.map(([key, value]) => key.length + String(value).length)
  const sum = characters.reduce((total, length) => total + length, 0)
  return pairs.length > METADATA_PAIRS_MAX || sum > METADATA_CHARACTERS_MAX ? 'metadata' : undefined
}
