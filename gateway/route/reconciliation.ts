import { Hono } from 'hono'
import { z } from 'zod'
import type { DiscrepancyRow } from '#db/discrepancy'
import { findDiscrepancies, findReconciliation, findReconciliations } from '#db/reconciliation-list'
import type { ReconciliationRow } from '#db/reconciliation-list'
import { parseReconciliationId } from '#domain/id'
import type { MerchantId, ReconciliationId } from '#domain/id'
import { jsonMinor } from '#domain/money'
import { csvRow } from '../csv.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { viewDiscrepancy } from '../discrepancy-view.ts'
import { json, parseQuery } from '../json.ts'
import { loadMerchant } from '../middleware/key.ts'
import { Problem } from '../problem.ts'

const LIMIT_MAX = 100

const runId = z.custom<ReconciliationId>((id) => id !== undefined, 'expected one of a page')

const filter = z.strictObject({
  channel: z.string().max(32).optional(),
  business_date: z.iso.date().optional(),
  cursor: z.string().transform(parseReconciliationId).pipe(runId).optional(),
  limit: z.coerce.number().int().min(1).max(LIMIT_MAX).default(LIMIT_MAX),
})

/** `/v1/reconciliations`: how each day's bill compares with our books. Read only: operators decide. */
export function reconciliationRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/reconciliations', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    const wanted = parseQuery(filter, context.req.query())
    const { channel, limit, cursor: before } = wanted
    const businessDate = wanted.business_date
    // One more than asked tells whether there is a next page.
    const query = { merchantId, channel, businessDate, before, limit: limit + 1 }
    const rows = await findReconciliations(deps.db, query)
    const page = rows.slice(0, limit)
    const next = rows.length > limit ? (page.at(-1)?.id ?? null) : null
    return json({ object: 'list', data: page.map(viewRun), next_cursor: next })
  })
  route.get('/v1/reconciliations/:id', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    return json(viewRun(await loadRun(deps, merchantId, context.req.param('id'))))
  })
  route.get('/v1/reconciliations/:id/discrepancies', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    const run = await loadRun(deps, merchantId, context.req.param('id'))
    const rows = await findDiscrepancies(deps.db, merchantId, run.id)
    return json({ object: 'list', data: rows.map(viewDiscrepancy) })
  })
  route.get('/v1/reconciliations/:id/discrepancies.csv', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw)
    const run = await loadRun(deps, merchantId, context.req.param('id'))
    const rows = await findDiscrepancies(deps.db, merchantId, run.id)
    return new Response(HEAD + rows.map(csvOf).join(''), {
      headers: {
        'content-type': 'text/csv; charset=utf-8',
        'content-disposition': `attachment; filename="${run.channel}-${run.business_date}.csv"`,
        'cache-control': 'no-store',
      },
    })
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

const viewRun = (row: ReconciliationRow) => ({
  id: row.id,
  object: 'reconciliation',
  channel: row.channel,
  business_date: row.business_date,
  version: Number(row.version),
  lines: Number(row.lines),
  matched: Number(row.matched),
  our_amount: jsonMinor(row.our_amount),
  their_amount: jsonMinor(row.their_amount),
  created_at: row.created_at.toISOString(),
})

const COLUMNS = ['business_date', 'kind', 'subject_kind', 'subject', 'state'] as const
const HEAD = csvRow([...COLUMNS, 'our_amount', 'their_amount', 'decision', 'reason', 'decided_by'])

const csvOf = (row: DiscrepancyRow): string =>
  csvRow([
    ...COLUMNS.map((name) => row[name]),
    row.our_amount === null ? null : jsonMinor(row.our_amount),
    row.their_amount === null ? null : jsonMinor(row.their_amount),
    row.decision,
    row.reason,
    row.decided_by,
  ])
