import { Hono } from 'hono'
import { z } from 'zod'
import { findAttempts, findDeliveries, findEvent, findEvents } from '#db/event/event-list'
import { resendEvent } from '#db/event/event-resend'
import { EVENT_TYPES } from '#domain/event'
import { parseEventId } from '#domain/id'
import type { EventId } from '#domain/id'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { viewDelivery, viewEvent } from '../event-view.ts'
import { json, parseQuery } from '../json.ts'
import { listPage, pageOf } from '../list.ts'
import { loadMerchant } from '../middleware/key.ts'
import { Problem } from '../problem.ts'

export const eventFilter = z.strictObject({
  type: z.enum(EVENT_TYPES).optional(),
  subject: z.string().max(128).optional().describe('The id of what events are about.'),
  ...pageOf(parseEventId),
})

/** `/v1/events`: what was told, for those who ask rather than listen, and to have it told again. */
export function eventRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.get('/v1/events', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:read')
    const { cursor: after, limit, ...rest } = parseQuery(eventFilter, context.req.query())
    const rows = await findEvents(deps.db, { merchantId, ...rest, after, limit: limit + 1 })
    return listPage(rows, limit, viewEvent)
  })
  route.get('/v1/events/:id', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:read')
    const found = await findEvent(deps.db, merchantId, readEventId(context.req.param('id')))
    if (found === undefined) throw notFound()
    return json(viewEvent(found))
  })
  route.get('/v1/events/:id/deliveries', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:read')
    const id = readEventId(context.req.param('id'))
    const rows = await findDeliveries(deps.db, merchantId, id)
    if (rows === undefined) throw notFound()
    const data = rows.map(async (row) =>
      viewDelivery(row, await findAttempts(deps.db, merchantId, row.id)),
    )
    return json({ object: 'list', data: await Promise.all(data) })
  })
  route.post('/v1/events/:id/resend', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:write')
    const id = readEventId(context.req.param('id'))
    const count = await resendEvent(deps.db, deps.jobs, { merchantId, id }, deps.clock.now())
    if (count === undefined) throw notFound()
    return json({ object: 'resend', event: id, deliveries: count }, 202)
  })
  return route
}

function readEventId(text: string): EventId {
  const id = parseEventId(text)
  if (id === undefined) throw notFound()
  return id
}

const notFound = (): Problem => new Problem(404, 'event_not_found', 'no event has this id')
