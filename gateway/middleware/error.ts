import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { Problem, problemResponse } from '../problem.ts'

/** The one place that turns an exception into a status. What is not expected is 503: try again. */
export function handleError(deps: Pick<GatewayDeps, 'log'>) {
  return <Env extends GatewayEnv>(error: Error, context: Context<Env>): Response => {
    const requestId = context.get('requestId')
    if (error instanceof Problem) return problemResponse(error, requestId)
    if (error instanceof HTTPException) {
      return problemResponse(new Problem(400, 'bad_request', 'the request is malformed'), requestId)
    }
    if (UNSTORABLE.has(sqlStateOf(error))) {
      const problem = new Problem(
        422,
        'value_invalid',
        'a text holds NUL, or a date does not exist',
      )
      return problemResponse(problem, requestId)
    }
    deps.log.error(
      { request_id: requestId, error: error.message, stack: error.stack },
      'request failed',
    )
    return problemResponse(new Problem(503, 'unavailable', 'not done; try again'), requestId)
  }
}

/** What the database cannot hold, whoever sends it again: text with NUL, and a day of no year. */
const UNSTORABLE = new Set(['22021', '22P05', '22008'])

const sqlStateOf = (error: Error): string => ('code' in error ? String(error.code) : '')
