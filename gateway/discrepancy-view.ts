import { z } from 'zod'
import type { DiscrepancyRow } from '#db/bill/discrepancy'
import { DISCREPANCY_KINDS, DISCREPANCY_STATES } from '#domain/discrepancy'
import { jsonMinor } from '#domain/money'

export const discrepancySchema = z.object({
  id: z.string(),
  object: z.literal('discrepancy'),
  kind: z.enum(DISCREPANCY_KINDS),
  subject_kind: z.enum(['payment', 'refund', 'points', 'day']),
  subject: z.string(),
  business_date: z.iso.date(),
  state: z.enum(DISCREPANCY_STATES),
  our_amount: z.int().nullable(),
  their_amount: z.int().nullable(),
  evidence: z.record(z.string(), z.unknown()),
  decision: z.string().nullable(),
  reason: z.string().nullable(),
  decided_by: z.string().nullable(),
  version: z.int(),
  opened_at: z.iso.datetime(),
  resolved_at: z.iso.datetime().nullable(),
})

/** A discrepancy as merchants and operators see it. */
export const viewDiscrepancy = (row: DiscrepancyRow): z.input<typeof discrepancySchema> => ({
  id: row.id,
  object: 'discrepancy',
  kind: row.kind,
  subject_kind: row.subject_kind,
  subject: row.subject,
  business_date: row.business_date,
  state: row.state,
  our_amount: row.our_amount === null ? null : jsonMinor(row.our_amount),
  their_amount: row.their_amount === null ? null : jsonMinor(row.their_amount),
  evidence: row.evidence,
  decision: row.decision,
  reason: row.reason,
  decided_by: row.decided_by,
  version: Number(row.version),
  opened_at: row.opened_at.toISOString(),
  resolved_at: row.resolved_at?.toISOString() ?? null,
})
