import { Hono } from 'hono'
import { z } from 'zod'
import { isAllowedUrl, isLocalHost, isStandardPort } from '#channel/host'
import {
  ENDPOINTS_MAX,
  addEndpoint,
  findEndpoints,
  removeEndpoint,
  rotateSecret,
} from '#db/event/event-endpoint'
import { parseEndpointId } from '#domain/id'
import type { EndpointId } from '#domain/id'
import { addMs } from '#domain/time'
import { readBody } from '../body.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { viewEndpoint } from '../endpoint-view.ts'
import type { newEndpointSchema, newSecretSchema } from '../endpoint-view.ts'
import { json, parseBody } from '../json.ts'
import { loadMerchant } from '../middleware/key.ts'
import { Problem } from '../problem.ts'

const URL_CHARACTERS_MAX = 512
/** How long the old secret signs beside the new one. */
const PREVIOUS_MS = 24 * 3_600_000

export const endpointBody = z.strictObject({ url: z.url().max(URL_CHARACTERS_MAX) })

/** `/v1/event_endpoints`: where a merchant's systems are told what happened. */
export function eventEndpointRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.post('/v1/event_endpoints', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:write')
    const { url } = parseBody(endpointBody, await readBody(context.req.raw))
    if (!isCallable(url, deps.localHosts)) {
      throw new Problem(422, 'url_refused', 'give an https address with a public name, at port 443')
    }
    const made = await addEndpoint(deps.db, deps.sealKey, merchantId, url)
    if (made === undefined) {
      throw new Problem(409, 'too_many_endpoints', `a merchant has at most ${ENDPOINTS_MAX}`)
    }
    // The only moment at which the secret can be read.
    const secret = made.secret.reveal()
    const view: z.input<typeof newEndpointSchema> = {
      id: made.id,
      object: 'event_endpoint',
      url,
      secret,
    }
    return json(view, 201)
  })
  route.get('/v1/event_endpoints', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:read')
    const rows = await findEndpoints(deps.db, merchantId)
    return json({ object: 'list', data: rows.map(viewEndpoint) })
  })
  route.delete('/v1/event_endpoints/:id', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:write')
    const id = readEndpointId(context.req.param('id'))
    if (!(await removeEndpoint(deps.db, merchantId, id))) throw notFound()
    return new Response(null, { status: 204 })
  })
  route.post('/v1/event_endpoints/:id/secret', async (context) => {
    const merchantId = await loadMerchant(deps.db, context.req.raw, 'event:write')
    const id = readEndpointId(context.req.param('id'))
    const until = addMs(deps.clock.now(), PREVIOUS_MS)
    const secret = await rotateSecret(deps.db, deps.sealKey, { merchantId, id }, until)
    if (secret === undefined) throw notFound()
    const view: z.input<typeof newSecretSchema> = {
      id,
      object: 'event_endpoint',
      secret: secret.reveal(),
      previous_secret_until: until.toISOString(),
    }
    return json(view, 201)
  })
  return route
}

/** What the name resolves to is judged at each call. */
function isCallable(text: string, localHosts: readonly string[]): boolean {
  if (!isAllowedUrl(text, localHosts)) return false
  const url = new URL(text)
  return isLocalHost(url, localHosts) || isStandardPort(url)
}

function readEndpointId(text: string): EndpointId {
  const id = parseEndpointId(text)
  if (id === undefined) throw notFound()
  return id
}

const notFound = (): Problem => new Problem(404, 'endpoint_not_found', 'no endpoint has this id')
