import type { DiscrepancyRow } from '#db/discrepancy'
import { jsonMinor } from '#domain/money'

/** A discrepancy as merchants and operators see it. */
export const viewDiscrepancy = (row: DiscrepancyRow) => ({
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
