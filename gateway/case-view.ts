import { z } from 'zod'
import type { CaseRow } from '#db/case/case-list'

export const CASE_STATES = ['open', 'resolved'] as const

export const caseSchema = z.object({
  id: z.string(),
  object: z.literal('case'),
  kind: z.string(),
  subject: z.string().describe('The id of what the case is about.'),
  state: z.enum(CASE_STATES),
  evidence: z.record(z.string(), z.unknown()),
  opened_at: z.iso.datetime(),
  resolved_at: z.iso.datetime().nullable(),
})

/** A case as the merchant API shows it: who decided, and why, is for operators. */
export const viewCase = (row: CaseRow): z.input<typeof caseSchema> => ({
  id: row.id,
  object: 'case',
  kind: row.kind,
  subject: row.subject,
  state: row.state,
  evidence: row.evidence,
  opened_at: row.opened_at.toISOString(),
  resolved_at: row.resolved_at?.toISOString() ?? null,
})
