import { z } from 'zod'
import { METHODS, WALLETS } from '#domain/method'

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
