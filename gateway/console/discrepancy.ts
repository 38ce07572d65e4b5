import { Hono } from 'hono'
import { z } from 'zod'
import { decideDiscrepancy } from '#db/bill/decide-discrepancy'
import type { DiscrepancyOutcome } from '#db/bill/decide-discrepancy'
import type { DiscrepancyRow } from '#db/bill/discrepancy'
import { findDiscrepancies, findDiscrepancyById } from '#db/bill/reconciliation-list'
import { unreachable } from '#domain/assert'
import {
  DISCREPANCY_DECISIONS,
  DISCREPANCY_KINDS,
  DISCREPANCY_STATES,
  isAllowed,
} from '#domain/discrepancy'
import { parseDiscrepancyId, parseMerchantId } from '#domain/id'
import type { DiscrepancyId, MerchantId } from '#domain/id'
import { parseReason } from '#domain/reason'
import { readBody } from '../body.ts'
import type { GatewayDeps } from '../deps.ts'
import { viewDiscrepancy } from '../discrepancy-view.ts'
import { json, parseBody, parseQuery } from '../json.ts'
import { listPage, pageOf } from '../list.ts'
import { Problem } from '../problem.ts'
import type { ConsoleEnv } from './app.ts'

const merchantId = z.custom<MerchantId>((id) => id !== undefined, 'expected the id of a merchant')

const filter = z.strictObject({
  merchant: z.string().transform(parseMerchantId).pipe(merchantId).optional(),
  state: z.enum(DISCREPANCY_STATES).optional(),
  kind: z.enum(DISCREPANCY_KINDS).optional(),
  ...pageOf(parseDiscrepancyId),
})

const reason = z.custom<string>(
  (text) => text !== undefined,
  'expected one line of 1 to 500 characters',
)

const decisionBody = z.strictObject({
  decision: z.enum(DISCREPANCY_DECISIONS),
  reason: z.string().transform(parseReason).pipe(reason),
})

/** `/v1/discrepancies`: a person reads what was found, and decides, with a reason, on what he has seen. */
export function discrepancyRoute(deps: GatewayDeps): Hono<ConsoleEnv> {
  const route = new Hono<ConsoleEnv>()
  route.get('/v1/discrepancies', async (context) => {
    const { cursor: after, limit, merchant, ...rest } = parseQuery(filter, context.req.query())
    const query = { merchantId: merchant, ...rest, after, limit: limit + 1 }
    return listPage(await findDiscrepancies(deps.db, query), limit, view)
  })
  route.get('/v1/discrepancies/:id', async (context) => {
    const found = await findDiscrepancyById(deps.db, readId(context.req.param('id')))
    if (found === undefined) throw notFound()
    return show(found)
  })
  route.post('/v1/discrepancies/:id/resolve', async (context) => {
    const id = readId(context.req.param('id'))
    const version = readVersion(context.req.header('if-match'))
    const body = parseBody(decisionBody, await readBody(context.req.raw))
    const request = { id, version, ...body, actor: context.get('operator') }
    const decideDeps = { jobs: deps.jobs, now: () => deps.clock.now() }
    return tell(await decideDiscrepancy(deps.db, decideDeps, request))
  })
  return route
}

function tell(outcome: DiscrepancyOutcome): Response {
  switch (outcome.kind) {
    case 'decided':
      return show(outcome.row)
    case 'not_found':
      throw notFound()
    case 'changed':
      throw new Problem(412, 'version_differs', 'somebody decided meanwhile: read it again')
    case 'not_allowed':
      throw new Problem(409, 'decision_not_allowed', 'this decision does not fit as it stands')
    case 'impossible':
      throw new Problem(409, 'decision_impossible', outcome.problem)
    default:
      return unreachable(outcome)
  }
}

/** Operators see all merchants, and what they may do. */
const view = (row: DiscrepancyRow) => ({
  ...viewDiscrepancy(row),
  merchant: row.merchant_id,
  allowed_decisions: DISCREPANCY_DECISIONS.filter((decision) => isAllowed(decision, row)),
})

/** The entity tag is what a decision sends back in If-Match. */
function show(row: DiscrepancyRow): Response {
  const response = json(view(row))
  response.headers.set('ETag', `"${row.version}"`)
  return response
}

function readId(text: string): DiscrepancyId {
  const id = parseDiscrepancyId(text)
  if (id === undefined) throw notFound()
  return id
}

const notFound = (): Problem =>
  new Problem(404, 'discrepancy_not_found', 'no discrepancy has this id')

/** RFC 9110, section 13.1.1: the version that was read, as its entity tag. */
function readVersion(text: string | undefined): bigint {
  const digits = /^"(\d{1,15})"$/.exec(text ?? '')?.[1]
  if (digits === undefined) {
    throw new Problem(428, 'if_match_missing', 'send If-Match with the version that you have read')
  }
  return BigInt(digits)
}
