import type { Context } from 'hono'
import { Hono } from 'hono'
import { redact } from '#channel/redact'
import type { PaymentRow } from '#db/payment/payment'
import { findPaymentById } from '#db/payment/payment-page'
import { appendLog } from '#db/transaction-log'
import { unreachable } from '#domain/assert'
import type { ChannelAccountId } from '#domain/id'
import { parseChannelAccountId, parsePaymentId } from '#domain/id'
import type { LiveAccount } from '../account-cache.ts'
import { readBody } from '../body.ts'
import type { GatewayDeps, GatewayEnv } from '../deps.ts'
import { renderPage } from '../page/layout.ts'
import { returnPage } from '../page/return.ts'

const FIELDS_BYTES_MAX = 8 * 1024
const FIELDS_MAX = 100
/** Anybody can come to this address; nobody fills the log through it. */
const LOGGED_PER_MINUTE_MAX = 600
const MINUTE_MS = 60_000

/** `/return/{account}`: the customer comes back. What the address claims is logged and never believed. */
export function returnRoute(deps: GatewayDeps): Hono<GatewayEnv> {
  const route = new Hono<GatewayEnv>()
  const isWithinLimit = createLimit()
  route.on(['GET', 'POST'], '/return/:account/:payment?', async (context) => {
    const fields = await readFields(context)
    const id = parseChannelAccountId(context.req.param('account'))
    const live = id === undefined ? undefined : await deps.accounts.find(id)
    if (live === undefined) return renderPage(returnPage(undefined))
    const reading = await readReturn(live, fields)
    const payment = await findOwn(deps, live, context.req.param('payment') ?? reading.number)
    if (isWithinLimit(live.account.id)) {
      await appendLog(deps.db, [
        {
          merchantId: live.account.merchantId,
          channel: live.account.channel,
          paymentId: payment?.id,
          kind: 'return',
          content: {
            method: context.req.method,
            verified: reading.note,
            fields: keptFields(fields),
          },
        },
      ])
    }
    return renderPage(returnPage(payment && `${deps.publicUrl}/pay/${payment.id}`))
  })
  return route
}

/** Query and form fields together, cut at the limit. */
async function readFields(context: Context): Promise<URLSearchParams> {
  const query = new URL(context.req.url).search.slice(1)
  const isForm = (context.req.header('content-type') ?? '').startsWith(
    'application/x-www-form-urlencoded',
  )
  const body = context.req.method === 'POST' ? await readBody(context.req.raw) : new Uint8Array()
  const text = Buffer.concat([Buffer.from(`${query}&`), isForm ? body : new Uint8Array()])
  return new URLSearchParams(text.subarray(0, FIELDS_BYTES_MAX).toString())
}

interface Reading {
  readonly number: string
  /** For people: whether the vendor signed it, or why not. */
  readonly note: string
}

async function readReturn({ channel }: LiveAccount, fields: URLSearchParams): Promise<Reading> {
  if (channel.readReturn === undefined) return { number: '', note: 'unsigned' }
  const reading = await channel.readReturn([...fields])
  switch (reading.kind) {
    case 'verified':
      return { number: reading.paymentNumber, note: 'verified' }
    case 'unverified':
      return { number: '', note: reading.explanation }
    default:
      return unreachable(reading)
  }
}

/** The payment that the address names, if it was made with this very account. */
async function findOwn(
  deps: GatewayDeps,
  { account }: LiveAccount,
  text: string,
): Promise<PaymentRow | undefined> {
  const id = parsePaymentId(text)
  const payment = id === undefined ? undefined : await findPaymentById(deps.db, id)
  const isOwn =
    payment?.merchant_id === account.merchantId && payment.channel_account_id === account.id
  return isOwn ? payment : undefined
}

const keptFields = (fields: URLSearchParams): readonly (readonly [string, string])[] =>
  [...fields].slice(0, FIELDS_MAX).map(([name, value]) => keptField(plain(name), plain(value)))

/** Redacts the decoded value, so that no way of encoding hides what must not be kept. */
function keptField(name: string, value: string): readonly [string, string] {
  const isHidden = redact(`${name}=shown`) !== `${name}=shown`
  return [redact(name), isHidden ? '[redacted]' : redact(value)]
}

/** Postgres stores no NUL, neither as a character nor written as its JSON escape. */
const plain = (text: string): string =>
  text.replaceAll('\u0000', '?').replaceAll(String.raw`\u0000`, '?')

/** At most so many entries an account and minute. */
function createLimit(): (id: ChannelAccountId) => boolean {
  const counts = new Map<ChannelAccountId, number>()
  let startedAt = performance.now()
  return (id) => {
    if (performance.now() - startedAt >= MINUTE_MS) {
      counts.clear()
      startedAt = performance.now()
    }
    const count = (counts.get(id) ?? 0) + 1
    counts.set(id, count)
    return count <= LOGGED_PER_MINUTE_MAX
  }
}
