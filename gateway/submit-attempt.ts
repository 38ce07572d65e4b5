import type { CreateOutcome } from '#channel/channel'
import type { Exchange } from '#channel/http'
import { keepCredential } from '#db/payment/credential'
import type { Credential, Draft, Said } from '#db/payment/credential'
import type { KeyedRequest } from '#db/idempotency'
import { refuseAttempt } from '#db/payment/payment'
import type { PaymentRow, ShownOrder } from '#db/payment/payment'
import { endSending } from '#db/payment/sending'
import type { Started } from '#db/payment/start-attempt'
import { appendLog } from '#db/transaction-log'
import type { LogEntry } from '#db/transaction-log'
import { unreachable } from '#domain/assert'
import { around } from '#failpoint'
import type { LiveAccount } from './account-cache.ts'
import type { GatewayDeps } from './deps.ts'
import type { KeptAnswer } from './idempotent.ts'
import { showPayment } from './payment-view.ts'
import { returnAddress } from './plan-payment.ts'
import { Problem } from './problem.ts'

const STATUS_CREATED = 201

export interface Submitted {
  readonly payment: PaymentRow
  /** Where it was read with the payment, and nothing can have moved since. */
  readonly order?: ShownOrder
  /** Where it is kept already. */
  readonly answer?: KeptAnswer
  /** The number brings no credential any more, and no other call is under way that could. */
  readonly isUsedUp?: true
}

/** An attempt that is sent again. */
export interface SentAgain {
  readonly kind: 'live'
  readonly payment: PaymentRow
  /** No other call for it is under way. */
  readonly isAlone: boolean
}

/** An attempt that is sent: the first time, or again. */
type Sent = Started | SentAgain

/** A refusal of a repeat is no proof for the call before it, which may have arrived: the vendor is asked. */
const believed = ({ kind }: Sent, outcome: CreateOutcome): CreateOutcome =>
  kind === 'live' && outcome.kind === 'refused' ? { kind: 'unknown', cause: outcome.code } : outcome

/** Sends what is stored, and keeps what the vendor answers; with the key of the request also our own answer to it. */
export async function submitAttempt(
  deps: GatewayDeps,
  { account, channel }: LiveAccount,
  sent: Sent,
  key?: KeyedRequest,
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
  const entries = entriesOf(account.channel, payment, exchanges)
  if (outcome.kind === 'created') {
    return keep(deps, sent, outcome, { said: { entries, at: deps.clock.now() }, key })
  }
  switch (outcome.kind) {
    case 'refused':
      await appendLog(deps.db, entries)
      await refuseAttempt(deps.db, payment, outcome.code, deps.clock.now())
      throw new Problem(502, 'channel_refused', 'the vendor refused the payment', {
        name: account.channel,
        code: outcome.code,
        message: outcome.message,
      })
    case 'used':
      await end(deps, sent, entries)
      return sent.kind === 'live' && sent.isAlone ? { payment, isUsedUp: true } : { payment }
    case 'unknown':
      await end(deps, sent, entries)
      return { payment }
    default:
      return unreachable(outcome)
  }
}

/** Only who is alone says that nobody is under way. */
const end = (deps: GatewayDeps, sent: Sent, entries: readonly LogEntry[]): Promise<void> =>
  sent.kind === 'live' && !sent.isAlone
    ? appendLog(deps.db, entries)
    : endSending(deps.db, sent.payment, entries)

interface Asked {
  readonly said: Said
  readonly key: KeyedRequest | undefined
}

async function keep(
  deps: GatewayDeps,
  sent: Sent,
  credential: Credential,
  { said, key }: Asked,
): Promise<Submitted> {
  const draft =
    key === undefined || sent.kind === 'live'
      ? undefined
      : { key, ...draftOf(deps, sent, credential, said.at) }
  const kept = await keepCredential(deps.db, sent.payment, credential, said, draft)
  if (draft !== undefined && kept.isAnswered) return { ...kept, answer: draft }
  // A callback was faster: what it did to the order may be newer than what was read with the payment.
  return kept.payment.state === 'pending' ? kept : { payment: kept.payment }
}

/** Our answer as it will be, unless something moves before the credential is kept. */
function draftOf(
  deps: GatewayDeps,
  { payment, order }: Started,
  credential: Credential,
  at: Date,
): Omit<Draft, 'key'> {
  const channelPaymentId = credential.channelPaymentId ?? null
  const pending: PaymentRow = {
    ...payment,
    state: 'pending',
    next_action: credential.nextAction,
    credential_at: at,
    channel_payment_id: channelPaymentId,
  }
  return { status: STATUS_CREATED, body: showPayment(deps, pending, order), channelPaymentId }
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
