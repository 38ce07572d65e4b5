import { z } from 'zod'
import { METHODS, WALLETS } from '#domain/method'
import { Problem } from './problem.ts'

const EXPIRES_IN_SECONDS = 900

/** `POST /v1/payments` (design, section 5). Amounts are whole minor units. */
export const paymentBody = z.strictObject({
  order_number: z.string().min(1).max(64),
  user_id: z.string().min(1).max(64),
  amount: z.int().min(1),
  currency: z.literal('CNY'),
  method: z.enum(METHODS),
  wallet: z.enum(WALLETS).optional(),
  subject: z.string().min(1).max(127),
  client_ip: z.union([z.ipv4(), z.ipv6()]),
  channel: z.string().max(32).optional(),
  channel_account: z.string().max(64).optional(),
  payer_open_id: z.string().min(1).max(128).optional(),
  return_url: z.url().max(255).optional(),
  expires_in_s: z.int().default(EXPIRES_IN_SECONDS),
})

export type PaymentBody = z.infer<typeof paymentBody>

/** Reads the body. Throws 422 and names the field, never its value. */
export function parsePaymentBody(bytes: Uint8Array): PaymentBody {
  const parsed = paymentBody.safeParse(parseJson(bytes))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = issue === undefined ? '' : issue.path.join('/')
  throw new Problem(422, 'body_invalid', `/${path}: ${issue?.message ?? 'invalid'}`)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // The parser's message would repeat what the client sent.
    throw new Problem(400, 'json_invalid', 'the body is not JSON in UTF-8')
  }
}
