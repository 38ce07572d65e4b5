import { startAnother, startAttempt, startFirst } from '#db/payment/start-attempt'
import type { AttemptOutcome } from '#db/payment/start-attempt'
import type { KeyedRequest } from '#db/idempotency'
import type { PaymentRow } from '#db/payment/payment'
import { claimSending } from '#db/payment/sending'
import { unreachable } from '#domain/assert'
import type { MerchantId } from '#domain/id'
import type { LiveAccount } from './account-cache.ts'
import type { GatewayDeps } from './deps.ts'
import { answerFirst, answerRepeat, keyOf, runOnce } from './idempotent.ts'
import type { IdempotentRequest, RunAnswer } from './idempotent.ts'
import { parseBody } from './json.ts'
import { loadPayment } from './load-payment.ts'
import { paymentBody } from './payment-body.ts'
import type { PaymentBody } from './payment-body.ts'
import { showPayment } from './payment-view.ts'
import { planPayment } from './plan-payment.ts'
import type { Plan } from './plan-payment.ts'
import { Problem } from './problem.ts'
import { submitAttempt } from './submit-attempt.ts'
import type { Submitted } from './submit-attempt.ts'

const MS_PER_SECOND = 1000

/** The attempt: without a credential the vendor's answer is still unknown. */
interface Created extends Submitted {
  readonly isNew: boolean
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
): Promise<PaymentRow> {
  const plan = await planPayment(deps, merchantId, body)
  const { payment } = await proceed(deps, plan, await startAttempt(deps.db, plan.attempt))
  return payment
}

/**
 * The same for a request with an Idempotency-Key, in two commits: the key with order and payment before the vendor
 * hears of them, and what it answered with our own answer.
 *
 * What is refused before anything is written takes the plain way, so that a repeat hears its first answer whatever
 * has changed since.
 */
export async function createOnce(
  deps: GatewayDeps,
  merchantId: MerchantId,
  request: IdempotentRequest,
): Promise<Response> {
  const { db } = deps
  const key = keyOf(request)
  const plan = await planOrProblem(deps, merchantId, request)
  if (plan instanceof Problem) return runOnce(db, request, () => Promise.reject(plan))
  const first = await startFirst(db, plan.attempt, key)
  if (first === undefined) {
    return answerRepeat(db, key, async () =>
      answerOf(deps, await proceed(deps, plan, await startAttempt(db, plan.attempt))),
    )
  }
  return answerFirst(db, key, async () => {
    const outcome = first.kind === 'started' ? first : await startAnother(db, plan.attempt)
    return answerOf(deps, await proceed(deps, plan, outcome, key))
  })
}

async function planOrProblem(
  deps: GatewayDeps,
  merchantId: MerchantId,
  { body }: IdempotentRequest,
): Promise<Plan | Problem> {
  try {
    return await planPayment(deps, merchantId, parseBody(paymentBody, body))
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
}

/** What the order allows is done: a new attempt is sent, a live one is given again. */
async function proceed(
  deps: GatewayDeps,
  plan: Plan,
  outcome: AttemptOutcome,
  key?: KeyedRequest,
): Promise<Created> {
  switch (outcome.kind) {
    case 'started':
      return { ...(await submitAttempt(deps, plan.live, outcome, key)), isNew: true }
    case 'live': {
      const renewed = await renew(deps, plan.live, outcome.payment)
      if (renewed.isUsedUp === undefined) return { ...renewed, isNew: false }
      // The customer gets another number. The old one may still be paid, so it stays and is asked about.
      const another = await startAnother(deps.db, plan.attempt, renewed.payment)
      return proceed(deps, plan, another, key)
    }
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
  if (isFresh) return { payment }
  const isAlone = await claimSending(deps.db, payment)
  return submitAttempt(deps, live, { kind: 'live', payment, isAlone })
}

async function answerOf(deps: GatewayDeps, created: Created): Promise<RunAnswer> {
  if (created.answer !== undefined) return { ...created.answer, isKept: true }
  const { payment, order } = created
  const found =
    order === undefined
      ? await loadPayment(deps, payment.merchant_id, payment.id)
      : { payment, order }
  // Without a credential the vendor's answer is unknown: accepted, not done.
  const status = payment.next_action === null ? 202 : created.isNew ? 201 : 200
  return { status, body: showPayment(deps, found.payment, found.order) }
}
