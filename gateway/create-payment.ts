import type { Capabilities, CreateOutcome } from '#channel/channel'
import type { Exchange } from '#channel/http'
import { findAccepting } from '#db/account'
import { keepCredential, refuseAttempt, startAttempt } from '#db/payment'
import type { AttemptOutcome, KeptPayment, PaymentRow } from '#db/payment'
import { appendLog } from '#db/transaction-log'
import type { LogEntry } from '#db/transaction-log'
import { unreachable } from '#domain/assert'
import { newPaymentId } from '#domain/id'
import type { ChannelAccountId, MerchantId, PaymentId } from '#domain/id'
import { cny } from '#domain/money'
import { addMs } from '#domain/time'
import { around } from '#failpoint'
import type { LiveAccount } from './account-cache.ts'
import type { GatewayDeps } from './deps.ts'
import type { PaymentBody } from './payment-body.ts'
import { Problem } from './problem.ts'

const MS_PER_SECOND = 1000

/** The attempt: without a credential the vendor's answer is still unknown. */
export interface Created extends Submitted {
  readonly isNew: boolean
}

interface Submitted {
  readonly payment: PaymentRow
  /** Where it was read with the payment, and nothing can have moved since. */
  readonly order?: KeptPayment['order']
}

/**
 * Creates a payment, or returns the live one of the same order, account and method.
 *
 * Rows are committed before the vendor hears of them; an unknown answer leaves the attempt `created`, and a
 * repeated request sends the same bytes again.
 */
export async function createPayment(
  deps: GatewayDeps,
  merchantId: MerchantId,
  body: PaymentBody,
): Promise<Created> {
  const live = await loadAccepting(deps, merchantId, body)
  const attempt = prepareAttempt(deps, merchantId, live, body)
  const outcome = await startAttempt(deps.db, attempt)
  switch (outcome.kind) {
    case 'started':
      return { ...(await submit(deps, live, outcome)), isNew: true }
    case 'live':
      return { ...(await renew(deps, live, outcome.payment)), isNew: false }
    case 'order_amount_differs':
      throw new Problem(409, 'order_amount_differs', 'this order number has another amount')
    case 'order_not_payable':
      throw new Problem(409, 'order_not_payable', 'this order is paid or closed')
    case 'money_in_doubt':
      throw new Problem(
        409,
        'money_in_doubt',
        'money may have moved for this order; a person decides',
      )
    default:
      return unreachable(outcome)
  }
}

async function loadAccepting(
  deps: GatewayDeps,
  merchantId: MerchantId,
  body: PaymentBody,
): Promise<LiveAccount> {
  const filter = { channel: body.channel, account: body.channel_account }
  const [id, another] = await findAccepting(deps.db, merchantId, filter)
  if (id === undefined) {
    throw new Problem(422, 'no_channel_account', 'no account that accepts payments fits')
  }
  if (another !== undefined) {
    throw new Problem(409, 'several_channel_accounts', 'several accounts fit: name channel_account')
  }
  const live = await deps.accounts.find(id)
  if (live === undefined) throw new Problem(422, 'no_channel_account', 'the account is gone')
  return live
}

function prepareAttempt(
  deps: GatewayDeps,
  merchantId: MerchantId,
  { account, channel }: LiveAccount,
  body: PaymentBody,
) {
  const { capabilities } = channel
  const seconds = body.expires_in_s
  const { expiresInSecondsMin: min, expiresInSecondsMax: max } = capabilities
  if (seconds < min || seconds > max) {
    throw new Problem(422, 'expires_in_s_invalid', `this channel allows ${min} to ${max} seconds`)
  }
  checkMethod(capabilities, body)
  const now = deps.clock.now()
  const paymentId = newPaymentId()
  const amount = cny(BigInt(body.amount))
  const expiresAt = addMs(now, seconds * MS_PER_SECOND)
  const prepared = channel.preparePayment({
    paymentId,
    method: body.method,
    amount,
    subject: body.subject,
    clientIp: body.client_ip,
    expiresAt,
    callbackUrl: `${deps.publicUrl}/callback/${account.id}`,
    returnUrl: returnAddress(deps, account.id, paymentId),
    ...(body.payer_open_id === undefined ? {} : { payerOpenId: body.payer_open_id }),
    ...(body.wallet === undefined ? {} : { wallet: body.wallet }),
  })
  if (prepared.kind === 'refused') throw new Problem(422, prepared.code, prepared.message)
  return {
    merchantId,
    paymentId,
    orderNumber: body.order_number,
    userId: body.user_id,
    amount,
    channelAccountId: account.id,
    method: body.method,
    subject: body.subject,
    wallet: body.wallet,
    clientIp: body.client_ip,
    payerOpenId: body.payer_open_id,
    vendorRequest: prepared.prepared.body,
    vendorTime: prepared.prepared.vendorTime,
    vendorProduct: prepared.prepared.vendorProduct,
    returnUrl: body.return_url,
    expiresAt,
    now,
    firstQueryAt: addMs(now, (capabilities.queryPaceSeconds[0] ?? 0) * MS_PER_SECOND),
  }
}

/** What the channel offers, for the wallet that the shop names where there are several. */
function checkMethod({ methods, wallets }: Capabilities, { method, wallet }: PaymentBody): void {
  if (wallets === undefined && wallet !== undefined) {
    throw new Problem(422, 'wallet_not_available', 'this channel is one wallet: leave wallet out')
  }
  if (wallets !== undefined && wallet === undefined) {
    const names = Object.keys(wallets).join(', ')
    throw new Problem(422, 'wallet_missing', `this channel reaches several wallets: ${names}`)
  }
  const offered = wallet === undefined ? methods : (wallets?.[wallet] ?? [])
  if (!offered.includes(method)) {
    throw new Problem(422, 'method_not_available', `this channel has: ${offered.join(', ')}`)
  }
}

/** The path alone names the payment: some vendors refuse a query, and others add one. */
const returnAddress = (
  deps: GatewayDeps,
  account: ChannelAccountId,
  paymentId: PaymentId,
): string => `${deps.publicUrl}/return/${account}/${paymentId}`

/** A live attempt keeps its credential while it lives; then the stored bytes are sent again. */
async function renew(
  deps: GatewayDeps,
  live: LiveAccount,
  payment: PaymentRow,
): Promise<Submitted> {
  const seconds = live.channel.capabilities.credentialSeconds[payment.method] ?? Infinity
  const at = payment.credential_at
  const ageMs = at === null ? Infinity : deps.clock.now().getTime() - at.getTime()
  const isFresh = at !== null && ageMs < seconds * MS_PER_SECOND
  return isFresh ? { payment } : submit(deps, live, { kind: 'live', payment })
}

/** An attempt that is sent: the first time, or again. */
type Sent = Extract<AttemptOutcome, { readonly payment: PaymentRow }>

/** A refusal of a repeat is no proof for the call before it, which may have arrived: the vendor is asked. */
const believed = ({ kind }: Sent, outcome: CreateOutcome): CreateOutcome =>
  kind === 'live' && outcome.kind === 'refused' ? { kind: 'unknown', cause: outcome.code } : outcome

async function submit(
  deps: GatewayDeps,
  { account, channel }: LiveAccount,
  sent: Sent,
): Promise<Submitted> {
  const { payment } = sent
  const exchanges: Exchange[] = []
  const prepared = {
    paymentId: payment.id,
    method: payment.method,
    body: payment.vendor_request,
    returnUrl: returnAddress(deps, account.id, payment.id),
    ...(payment.vendor_time === null ? {} : { vendorTime: payment.vendor_time }),
    ...(payment.vendor_product === null ? {} : { vendorProduct: payment.vendor_product }),
  }
  const answer = await around('vendor.create', () =>
    channel.createPayment(prepared, (exchange) => exchanges.push(exchange)),
  )
  const outcome = believed(sent, answer)
  if (outcome.kind === 'created') {
    const entries = entriesOf(account.channel, payment, exchanges)
    const kept = await keepCredential(deps.db, payment, outcome, { entries, at: deps.clock.now() })
    // A callback was faster: what it did to the order may be newer than what was read with the payment.
    return kept.payment.state === 'pending' ? kept : { payment: kept.payment }
  }
  await logExchanges(deps, account.channel, payment, exchanges)
  switch (outcome.kind) {
    case 'refused':
      await refuseAttempt(deps.db, payment, outcome.code, deps.clock.now())
      throw new Problem(502, 'channel_refused', 'the vendor refused the payment', {
        name: account.channel,
        code: outcome.code,
        message: outcome.message,
      })
    case 'unknown':
      return { payment }
    default:
      return unreachable(outcome)
  }
}

/** Appends what was said to the vendor and what it answered. */
export const logExchanges = (
  deps: Pick<GatewayDeps, 'db'>,
  channel: string,
  payment: PaymentRow,
  exchanges: readonly Exchange[],
): Promise<void> => appendLog(deps.db, entriesOf(channel, payment, exchanges))

const entriesOf = (
  channel: string,
  payment: PaymentRow,
  exchanges: readonly Exchange[],
): readonly LogEntry[] =>
  exchanges.map((exchange) => ({
    merchantId: payment.merchant_id,
    channel,
    paymentId: payment.id,
    kind: exchange.kind,
    content: { ...exchange },
  }))
