import { Hono } from 'hono'
import type { GatewayEnv } from '../deps.ts'
import { openApi } from '../openapi/document.ts'

/** `GET /openapi.json`: the merchant API for machines. It says nothing that is not published with the source. */
export function openApiRoute(): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  const body = JSON.stringify(openApi())
  route.get('/openapi.json', () => {
    const headers = { 'content-type': 'application/json', 'cache-control': 'max-age=300' }
    return new Response(body, { headers })
  })
  return route
}
