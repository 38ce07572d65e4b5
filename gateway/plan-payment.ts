import type { Capabilities } from '#channel/channel'
import { findAccepting } from '#db/account/account'
import type { NewAttempt } from '#db/payment/start-attempt'
import { newPaymentId } from '#domain/id'
import type { ChannelAccountId, MerchantId, PaymentId } from '#domain/id'
import { cny } from '#domain/money'
import { addMs } from '#domain/time'
import type { LiveAccount } from './account-cache.ts'
import type { GatewayDeps } from './deps.ts'
import type { PaymentBody } from './payment-body.ts'
import { Problem } from './problem.ts'

const MS_PER_SECOND = 1000

/** An attempt that could be started, and through whom. */
export interface Plan {
  readonly live: LiveAccount
  readonly attempt: NewAttempt
}

/** Chooses the account and builds the request to the vendor. Nothing is written or sent; throws a `Problem`. */
export async function planPayment(
  deps: GatewayDeps,
  merchantId: MerchantId,
  body: PaymentBody,
): Promise<Plan> {
  const live = await loadAccepting(deps, merchantId, body)
  return { live, attempt: prepareAttempt(deps, merchantId, live, body) }
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
): NewAttempt {
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
export const returnAddress = (
  deps: GatewayDeps,
  account: ChannelAccountId,
  paymentId: PaymentId,
): string => `${deps.publicUrl}/return/${account}/${paymentId}`
