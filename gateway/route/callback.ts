import { Hono } from 'hono'
import { receiveCallback } from '#channel/callback'
import type { RejectedReading } from '#channel/callback'
import { keepRejected } from '#db/notification/rejected-callback'
import { parseChannelAccountId } from '#domain/id'
import { hit } from '#failpoint'
import type { LiveAccount } from '../account-cache.ts'
import { readBody } from '../body.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { Problem } from '../problem.ts'

/** `POST /callback/{account}`: every kind of message of a vendor comes to this one address. */
export function callbackRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  route.post('/callback/:account', async (context) => {
    const id = parseChannelAccountId(context.req.param('account'))
    hit('callback.account:before')
    const live = id === undefined ? undefined : await deps.accounts.find(id)
    hit('callback.account:after')
    // A retired account has nothing open any more; an account that only stopped accepting still hears.
    if (live === undefined || live.account.retired) {
      throw new Problem(404, 'account_not_found', 'no account has this callback address')
    }
    const { account, channel } = live
    hit('callback.body:before')
    const body = await readBody(context.req.raw)
    hit('callback.body:after')
    const headers = Object.fromEntries(context.req.raw.headers)
    let isProbe = false
    hit('callback.verify:before')
    const answer = await receiveCallback(
      channel,
      { account: account.id, headers, body },
      (notification) => {
        hit('callback.verify:after')
        return deps.intake.store({
          merchantId: account.merchantId,
          channelAccountId: account.id,
          notification,
          headers: keptHeaders(headers),
          body,
        })
      },
      (rejected) => {
        isProbe = rejected.reason === 'probe'
        explain(deps, live, rejected)
      },
      (outcome) => deps.callbacks.add(account.channel, isProbe ? 'probe' : outcome),
    )
    hit('callback.answer:before')
    return answer
  })
  return route
}

/**
 * Tells people about a refused callback, in the background: the vendor's answer does not wait for it.
 *
 * A probe is the vendor's own test whether we look; it is counted apart and alarms nobody.
 */
function explain(deps: GatewayDeps, live: LiveAccount, rejected: RejectedReading): void {
  const { reason, explanation } = rejected
  const account = live.account.id
  if (reason === 'probe') deps.log.info({ account, reason }, 'callback probed')
  // How far the clocks are apart is the first question about a stale one; the other texts are longer.
  else if (reason === 'stale') deps.log.warn({ account, reason, explanation }, 'callback rejected')
  else deps.log.warn({ account, reason }, 'callback rejected')
  if (reason === 'unknown_serial') deps.refreshKeys(live)
  void keepRejected(deps.db, account, reason, explanation).catch((error: unknown) =>
    deps.log.warn({ error: String(error) }, 'rejected callback not kept'),
  )
}

const HEADERS_KEPT =
  /^(?:content-type|user-agent|request-id|.*(?:signature|serial|nonce|timestamp).*)$/

/** What is needed to verify the bytes once more; no cookie or authorisation of anybody. */
const keptHeaders = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => HEADERS_KEPT.test(name)))
