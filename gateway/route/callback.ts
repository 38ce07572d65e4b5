import { Hono } from 'hono'
import { receiveCallback } from '#channel/callback'
import { keepRejected } from '#db/rejected-callback'
import { parseChannelAccountId } from '#domain/id'
import { readBody } from '../body.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { Problem } from '../problem.ts'

/** `POST /callback/{account}`: every kind of message of a vendor comes to this one address. */
export function callbackRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.post('/callback/:account', async (context) => {
    const id = parseChannelAccountId(context.req.param('account'))
    const live = id === undefined ? undefined : await deps.accounts.find(id)
    // A retired account has nothing open any more; an account that only stopped accepting still hears.
    if (live === undefined || live.account.retired) {
      throw new Problem(404, 'account_not_found', 'no account has this callback address')
    }
    const { account, channel } = live
    const callback = {
      account: account.id,
      headers: Object.fromEntries(context.req.raw.headers),
      body: await readBody(context.req.raw),
    }
    return receiveCallback(
      channel,
      callback,
      (notification, { headers, body }) =>
        deps.intake.store({
          merchantId: account.merchantId,
          channelAccountId: account.id,
          notification,
          headers: keptHeaders(headers),
          body,
        }),
      ({ reason, explanation }) => {
        deps.log.warn({ account: account.id, reason }, 'callback rejected')
        if (reason === 'unknown_serial') deps.refreshKeys(live)
        void keepRejected(deps.db, account.id, reason, explanation).catch((error: unknown) =>
          deps.log.warn({ error: String(error) }, 'rejected callback not kept'),
        )
      },
    )
  })
  return route
}

const HEADERS_KEPT = /^(?:content-type|user-agent|request-id|wechatpay-.*)$/

/** What is needed to verify the bytes once more; no cookie or authorisation of anybody. */
const keptHeaders = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => HEADERS_KEPT.test(name)))
