import { z } from 'zod'
import type { ReconciliationRow } from '#db/bill/reconciliation-list'
import { jsonMinor } from '#domain/money'

export const reconciliationSchema = z.object({
  id: z.string(),
  object: z.literal('reconciliation'),
  channel: z.string(),
  vendor_merchant: z.string().describe('The merchant number whose bill was compared.'),
  business_date: z.iso.date().describe("The vendor's own day."),
  version: z.int(),
  lines: z.int(),
  matched: z.int(),
  our_amount: z.int(),
  their_amount: z.int(),
  created_at: z.iso.datetime(),
})

/** A comparison of one day's bill with our books. */
export const viewReconciliation = (
  row: ReconciliationRow,
): z.input<typeof reconciliationSchema> => ({
  id: row.id,
  object: 'reconciliation',
  channel: row.channel,
  vendor_merchant: row.vendor_merchant,
  business_date: row.business_date,
  version: Number(row.version),
  lines: Number(row.lines),
  matched: Number(row.matched),
  our_amount: jsonMinor(row.our_amount),
  their_amount: jsonMinor(row.their_amount),
  created_at: row.created_at.toISOString(),
})
