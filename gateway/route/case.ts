import { Hono } from 'hono'
import { z } from 'zod'
import { findCases } from '#db/case-list'
import type { CaseRow } from '#db/case-list'
import { parseCaseId } from '#domain/id'
import type { CaseId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { json, parseQuery } from '../json.ts'
import { loadMerchant } from '../middleware/key.ts'

const LIMIT_MAX = 100

const caseId = z.custom<CaseId>((id) => id !== undefined, 'expected one of an earlier page')

const filter = z.strictObject({
  state: z.enum(['open', 'resolved']).optional(),
  kind: z.string().max(64).optional(),
  subject: z.string().max(128).optional(),
  cursor: z.string().transform(parseCaseId).pipe(caseId).optional(),
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(LIMIT_MAX),
})

/** `GET /v1/cases`: what waits for a person. Merchants read; decisions are made by operators. */
export function caseRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/cases', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    const { cursor: after, limit, ...rest } = parseQuery(filter, context.req.query())
    // One more than asked tells whether there is a next page.
    const rows = await findCases(deps.db, { merchantId, ...rest, after, limit: limit + 1 })
    const page = rows.slice(0, limit)
    const hasMore = rows.length > limit
    return json({
      object: 'list',
      data: page.map(viewCase),
      next_cursor: hasMore ? (page.at(-1)?.id ?? null) : null,
    })
  })
  return route
}

const viewCase = (row: CaseRow) => ({
  id: row.id,
  object: 'case',
  kind: row.kind,
  subject: row.subject,
  state: row.state,
  evidence: row.evidence,
  opened_at: row.opened_at.toISOString(),
  resolved_at: row.resolved_at?.toISOString() ?? null,
})
