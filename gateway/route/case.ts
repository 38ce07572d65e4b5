import { Hono } from 'hono'
import { z } from 'zod'
import { findCases } from '#db/case-list'
import type { CaseRow } from '#db/case-list'
import { parseCaseId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { parseQuery } from '../json.ts'
import { listPage, pageOf } from '../list.ts'
import { loadMerchant } from '../middleware/key.ts'

const filter = z.strictObject({
  state: z.enum(['open', 'resolved']).optional(),
  kind: z.string().max(64).optional(),
  subject: z.string().max(128).optional(),
  ...pageOf(parseCaseId),
})

/** `GET /v1/cases`: what waits for a person. Merchants read; decisions are made by operators. */
export function caseRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/cases', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    const { cursor: after, limit, ...rest } = parseQuery(filter, context.req.query())
    const rows = await findCases(deps.db, { merchantId, ...rest, after, limit: limit + 1 })
    return listPage(rows, limit, viewCase)
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
