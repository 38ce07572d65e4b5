import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { assert } from '#domain/assert'
import type { NextAction } from '#domain/method'
import { around } from '#failpoint'
import type { Db } from '../database.ts'
import type { KeyedRequest } from '../idempotency.ts'
import type { PaymentRow, ShownOrder } from './payment.ts'
import { appendLog, insertLog } from '../transaction-log.ts'
import type { LogEntry } from '../transaction-log.ts'

export interface Credential {
  readonly nextAction: NextAction
  /** Where the vendor gives its number with the credential. */
  readonly channelPaymentId?: string
}

/** What was said to the vendor for it, and when the answer came. */
export interface Said {
  readonly entries: readonly LogEntry[]
  readonly at: Date
}

/** The answer to a request, written before it is known to be right. */
export interface Draft {
  readonly key: KeyedRequest
  readonly status: number
  readonly body: string
  /** The vendor's number that stands in it. */
  readonly channelPaymentId: string | null
}

/** A payment, and what its answer shows of the order. */
export interface KeptPayment {
  readonly payment: PaymentRow
  readonly order: ShownOrder
}

/**
 * Keeps the credential that the vendor gave, what was said for it, and the answer to the request, in one commit.
 * created → pending; a payment that a callback has made paid meanwhile keeps its state (CB-05).
 *
 * `isAnswered`: the draft came true and is the answer from now on. What was said is kept even where the rest is
 * refused, such as a number that another payment has.
 */
export async function keepCredential(
  db: Db,
  payment: PaymentRow,
  credential: Credential,
  said: Said,
  draft?: Draft,
): Promise<KeptPayment & { readonly isAnswered: boolean }> {
  try {
    return await keepTogether(db, payment, credential, said, draft)
  } catch (error) {
    if (isRefused(error)) await appendLog(db, said.entries)
    throw error
  }
}

/** The data were refused (classes 22 and 23), so nothing of the statement is there: no lost connection. */
const isRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code))

type KeptRow = PaymentRow & {
  readonly order_number: string
  readonly order_state: ShownOrder['state']
  readonly user_id: string
  readonly answered_key: string | null
}

/**
 * One statement, because the customer waits. Raw, because building it would take longer than the way to the database.
 *
 * The order is locked first, as everywhere, so that it is not older than the payment. Without a draft the key is
 * null, and no key is that. The last three conditions are what may have moved since the draft was written.
 */
async function keepTogether(
  db: Db,
  payment: PaymentRow,
  credential: Credential,
  { entries, at }: Said,
  draft: Draft | undefined,
): Promise<KeptPayment & { readonly isAnswered: boolean }> {
  const { merchant_id: merchantId, id, order_id: orderId } = payment
  const { rows } = await around('payment.credential', () =>
    sql<KeptRow>`
    WITH ${saidPart(db, entries)}
    kept AS (
      UPDATE payment p SET
        next_action = ${JSON.stringify(credential.nextAction)},
        credential_at = ${at},
        sending_until = NULL,
        state = CASE p.state WHEN 'created' THEN 'pending' ELSE p.state END,
        channel_payment_id = coalesce(p.channel_payment_id, ${credential.channelPaymentId ?? null})
      FROM (
        SELECT order_number, state, user_id FROM customer_order
        WHERE merchant_id = ${merchantId} AND id = ${orderId} FOR NO KEY UPDATE) o
      WHERE p.merchant_id = ${merchantId} AND p.id = ${id}
      RETURNING p.*, o.order_number, o.state AS order_state, o.user_id),
    answered AS (
      UPDATE idempotency_key k SET status = ${draft?.status ?? null}, body = ${draft?.body ?? null}
      FROM kept
      WHERE k.merchant_id = ${merchantId} AND k.key = ${draft?.key.key ?? null}
        AND kept.state = 'pending' AND kept.order_state = 'unpaid'
        AND kept.channel_payment_id IS NOT DISTINCT FROM ${draft?.channelPaymentId ?? null}
      RETURNING k.key)
    SELECT kept.*, answered.key AS answered_key FROM kept LEFT JOIN answered ON true`.execute(db),
  )
  const [row] = rows
  assert(row !== undefined, `expected the payment ${id} with its order, found none`)
  const { order_number, order_state: state, user_id, answered_key: answered, ...kept } = row
  return { payment: kept, order: { order_number, state, user_id }, isAnswered: answered !== null }
}

/** A form that the browser sends itself: nothing was said. */
const saidPart = (db: Db, entries: readonly LogEntry[]): RawBuilder<unknown> =>
  entries.length === 0 ? sql`` : sql`said AS (${insertLog(db, entries)}),`
