import { z } from 'zod'
import type { OrderRow } from '#db/payment/payment'
import { jsonMinor } from '#domain/money'
import { orderStateSchema } from './payment-view.ts'

export const orderSchema = z.object({
  object: z.literal('order'),
  order_number: z.string(),
  user_id: z.string(),
  amount: z.int(),
  currency: z.literal('CNY'),
  state: orderStateSchema,
  close_wanted: z.boolean().describe('It takes no new attempt, and closes with its last one.'),
  paid_payment: z.string().nullable().describe('The payment that counts.'),
  created_at: z.iso.datetime(),
})

/** An order as the merchant API shows it. */
export const viewOrder = (row: OrderRow): z.input<typeof orderSchema> => ({
  object: 'order',
  order_number: row.order_number,
  user_id: row.user_id,
  amount: jsonMinor(row.amount),
  currency: row.currency,
  state: row.state,
  close_wanted: row.close_wanted,
  paid_payment: row.paid_payment_id,
  created_at: row.created_at.toISOString(),
})
