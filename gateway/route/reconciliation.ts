import { Hono } from 'hono'
import { z } from 'zod'
import {
  findDiscrepancies,
  findReconciliation,
  findReconciliations,
} from '#db/bill/reconciliation-list'
import type { ReconciliationRow } from '#db/bill/reconciliation-list'
import { parseDiscrepancyId, parseReconciliationId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { fileOf } from '../discrepancy-file.ts'
import { viewDiscrepancy } from '../discrepancy-view.ts'
import { json, parseQuery } from '../json.ts'
import { listPage, pageOf } from '../list.ts'
import { loadMerchant } from '../middleware/key.ts'
import { Problem } from '../problem.ts'
import { viewReconciliation } from '../reconciliation-view.ts'

export const reconciliationFilter = z.strictObject({
  channel: z.string().max(32).optional(),
  business_date: z.iso.date().optional(),
  ...pageOf(parseReconciliationId),
})

export const discrepancyFilter = z.strictObject(pageOf(parseDiscrepancyId))

/** `/v1/reconciliations`: how each day's bill compares with our books. Read only: operators decide. */
export function reconciliationRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/reconciliations', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'reconciliation:read')
    const wanted = parseQuery(reconciliationFilter, context.req.query())
    const { channel, limit, cursor: before, business_date: businessDate } = wanted
    const query = { merchantId, channel, businessDate, before, limit: limit + 1 }
    return listPage(await findReconciliations(deps.db, query), limit, viewReconciliation)
  })
  route.get('/v1/reconciliations/:id', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'reconciliation:read')
    return json(viewReconciliation(await loadRun(deps, merchantId, context.req.param('id'))))
  })
  route.get('/v1/reconciliations/:id/discrepancies', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'reconciliation:read')
    const run = await loadRun(deps, merchantId, context.req.param('id'))
    const { cursor: after, limit } = parseQuery(discrepancyFilter, context.req.query())
    const query = { merchantId, reconciliationId: run.id, after, limit: limit + 1 }
    return listPage(await findDiscrepancies(deps.db, query), limit, viewDiscrepancy)
  })
  route.get('/v1/reconciliations/:id/discrepancies.csv', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'reconciliation:read')
    return fileOf(deps, await loadRun(deps, merchantId, context.req.param('id')))
  })
  return route
}

async function loadRun(
  deps: GatewayDeps,
  merchantId: MerchantId,
  text: string,
): Promise<ReconciliationRow> {
  const id = parseReconciliationId(text)
  const found = id && (await findReconciliation(deps.db, merchantId, id))
  if (found === undefined) {
    throw new Problem(404, 'reconciliation_not_found', 'no reconciliation has this id')
  }
  return found
}
