import { Hono } from 'hono'
import { z } from 'zod'
import { decideDiscrepancy } from '#db/decide-discrepancy'
import { unreachable } from '#domain/assert'
import { DISCREPANCY_DECISIONS } from '#domain/discrepancy'
import { parseDiscrepancyId } from '#domain/id'
import { readBody } from '../body.ts'
import type { GatewayDeps } from '../deps.ts'
import { viewDiscrepancy } from '../discrepancy-view.ts'
import { json, parseBody } from '../json.ts'
import { Problem } from '../problem.ts'
import type { ConsoleEnv } from './app.ts'

const REASON_CHARACTERS_MAX = 500

const decisionBody = z.strictObject({
  decision: z.enum(DISCREPANCY_DECISIONS),
  reason: z.string().min(1).max(REASON_CHARACTERS_MAX),
})

/** `POST /v1/discrepancies/{id}/resolve`: a person decides, with a reason, on what he has seen. */
export function discrepancyRoute(deps: GatewayDeps): Hono<ConsoleEnv> {
  const route = new Hono<ConsoleEnv>()
  route.post('/v1/discrepancies/:id/resolve', async (context) => {
    const id = parseDiscrepancyId(context.req.param('id'))
    if (id === undefined) throw notFound()
    const version = readVersion(context.req.header('if-match'))
    const body = parseBody(decisionBody, await readBody(context.req.raw))
    const request = { id, version, ...body, actor: context.get('operator') }
    const decideDeps = { jobs: deps.jobs, now: () => deps.clock.now() }
    const outcome = await decideDiscrepancy(deps.db, decideDeps, request)
    switch (outcome.kind) {
      case 'decided':
        return json(viewDiscrepancy(outcome.row))
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
  })
  return route
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
