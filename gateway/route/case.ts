import { Hono } from 'hono'
import { z } from 'zod'
import { findCaseOf, findCases } from '#db/case/case-list'
import { parseCaseId } from '#domain/id'
import { CASE_STATES, viewCase } from '../case-view.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { json, parseQuery } from '../json.ts'
import { listPage, pageOf } from '../list.ts'
import { loadMerchant } from '../middleware/key.ts'
import { Problem } from '../problem.ts'

export const caseFilter = z.strictObject({
  state: z.enum(CASE_STATES).optional(),
  kind: z.string().max(64).optional(),
  subject: z.string().max(128).optional(),
  ...pageOf(parseCaseId),
})

/** `/v1/cases`: what waits for a person. Merchants read; decisions are made by operators. */
export function caseRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/cases', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'case:read')
    const { cursor: after, limit, ...rest } = parseQuery(caseFilter, context.req.query())
    const rows = await findCases(deps.db, { merchantId, ...rest, after, limit: limit + 1 })
    return listPage(rows, limit, viewCase)
  })
  route.get('/v1/cases/:id', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'case:read')
    const id = parseCaseId(context.req.param('id'))
    const found = id && (await findCaseOf(deps.db, merchantId, id))
    if (found === undefined) throw new Problem(404, 'case_not_found', 'no case has this id')
    return json(viewCase(found))
  })
  return route
}
