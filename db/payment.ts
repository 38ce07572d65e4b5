import { sql } from 'kysely'
import type { QueryCreator, Selectable } from 'kysely'
import type { ChannelAccountId, MerchantId, OrderId, PaymentId } from '#domain/id'
import { newOrderId } from '#domain/id'
import type { Method, NextAction, Wallet } from '#domain/method'
import type { Money } from '#domain/money'
import type { PaymentReference } from '#domain/payment'
import { around } from '#failpoint'
import { endAttempt, lockOrder as lockRow } from './close-payment.ts'
import { commit } from './commit.ts'
import type { Db, Trx } from './database.ts'
import type { Schema } from './schema.ts'
import { insertLog } from './transaction-log.ts'
import type { LogEntry } from './transaction-log.ts'

export type PaymentRow = Selectable<Schema['payment']>
export type OrderRow = Selectable<Schema['customer_order']>

export interface NewAttempt {
  readonly merchantId: MerchantId
  readonly paymentId: PaymentId
  readonly orderNumber: string
  readonly userId: string
  readonly amount: Money
  readonly channelAccountId: ChannelAccountId
  readonly method: Method
  readonly subject: string
  readonly wallet: Wallet | undefined
  readonly clientIp: string
  readonly payerOpenId: string | undefined
  readonly vendorRequest: string
  readonly vendorTime: string | undefined
  readonly vendorProduct: string | undefined
  readonly returnUrl: string | undefined
  readonly expiresAt: Date
  readonly now: Date
  readonly firstQueryAt: Date
}

/** What an order allows: a new attempt, the live one of the same kind again, or nothing. */
export type AttemptOutcome =
  | { readonly kind: 'started'; readonly payment: PaymentRow }
  | { readonly kind: 'live'; readonly payment: PaymentRow }
  | { readonly kind: 'order_amount_differs' }
  | { readonly kind: 'order_not_payable' }
  | { readonly kind: 'money_in_doubt' }

/**
 * Commits order and payment before the vendor hears of them.
 *
 * A double click finds the live attempt of the same account, method and product instead of a second one.
 */
export async function startAttempt(db: Db, attempt: NewAttempt): Promise<AttemptOutcome> {
  const first = await startFirst(db, attempt)
  return first === undefined ? startAnother(db, attempt) : { kind: 'started', payment: first }
}

/**
 * The first attempt of an order that nobody has named before, in one statement; `undefined`: it is there.
 *
 * The customer waits for it, and it is by far the most frequent one. Raw, because kysely knows no insert of
 * bound values from a common table.
 */
async function startFirst(db: Db, attempt: NewAttempt): Promise<PaymentRow | undefined> {
  const { merchantId, amount } = attempt
  const { rows } = await around('payment.start', () =>
    sql<PaymentRow>`
    WITH made AS (
      INSERT INTO customer_order (merchant_id, id, order_number, user_id, amount, currency)
      VALUES (${merchantId}, ${newOrderId()}, ${attempt.orderNumber}, ${attempt.userId}, ${amount.minor},
              ${amount.currency})
      ON CONFLICT (merchant_id, order_number) DO NOTHING
      RETURNING id)
    INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, currency, subject, wallet,
                         client_ip, payer_open_id, vendor_request, vendor_time, vendor_product, return_url,
                         expires_at, next_query_at)
    SELECT ${merchantId}, ${attempt.paymentId}, made.id, ${attempt.channelAccountId}, ${attempt.method},
           ${amount.minor}, ${amount.currency}, ${attempt.subject}, ${attempt.wallet ?? null},
           ${attempt.clientIp}, ${attempt.payerOpenId ?? null}, ${attempt.vendorRequest},
           ${attempt.vendorTime ?? null}, ${attempt.vendorProduct ?? null}, ${attempt.returnUrl ?? null},
           ${attempt.expiresAt}, ${attempt.firstQueryAt}
    FROM made
    RETURNING *`.execute(db),
  )
  return rows[0]
}

/** Under the order's lock: what it allows depends on the attempts that it has. */
function startAnother(db: Db, attempt: NewAttempt): Promise<AttemptOutcome> {
  return commit(db, 'payment.start-another', async (trx) => {
    const order = await lockOrder(trx, attempt)
    if (order.amount !== attempt.amount.minor || order.currency !== attempt.amount.currency) {
      return { kind: 'order_amount_differs' }
    }
    if (order.state !== 'unpaid' || order.close_wanted) return { kind: 'order_not_payable' }
    const others = await trx
      .selectFrom('payment')
      .selectAll()
      .where('merchant_id', '=', attempt.merchantId)
      .where('order_id', '=', order.id)
      .execute()
    if (others.some((row) => row.money_in_doubt)) return { kind: 'money_in_doubt' }
    const live = others.find(
      (row) =>
        isLive(row, attempt.now) &&
        row.channel_account_id === attempt.channelAccountId &&
        row.method === attempt.method &&
        row.vendor_product === (attempt.vendorProduct ?? null),
    )
    if (live !== undefined) return { kind: 'live', payment: live }
    return { kind: 'started', payment: await insertAttempt(trx, attempt, order.id) }
  })
}

/** One that has expired is closed by proof later; the customer does not wait for that. */
const isLive = ({ state, expires_at: until }: PaymentRow, now: Date): boolean =>
  (state === 'created' || state === 'pending') && now < until

const lockOrder = (trx: Trx, attempt: NewAttempt): Promise<OrderRow> =>
  trx
    .selectFrom('customer_order')
    .selectAll()
    .where('merchant_id', '=', attempt.merchantId)
    .where('order_number', '=', attempt.orderNumber)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow()

function insertAttempt(trx: Trx, attempt: NewAttempt, orderId: OrderId): Promise<PaymentRow> {
  return trx
    .insertInto('payment')
    .values({
      merchant_id: attempt.merchantId,
      id: attempt.paymentId,
      order_id: orderId,
      channel_account_id: attempt.channelAccountId,
      method: attempt.method,
      amount: attempt.amount.minor,
      currency: attempt.amount.currency,
      subject: attempt.subject,
      wallet: attempt.wallet ?? null,
      client_ip: attempt.clientIp,
      payer_open_id: attempt.payerOpenId ?? null,
      vendor_request: attempt.vendorRequest,
      vendor_time: attempt.vendorTime ?? null,
      vendor_product: attempt.vendorProduct ?? null,
      return_url: attempt.returnUrl ?? null,
      expires_at: attempt.expiresAt,
      next_query_at: attempt.firstQueryAt,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** What the vendor needs to find this payment again. */
export const referenceOf = (payment: PaymentRow): PaymentReference => ({
  paymentId: payment.id,
  method: payment.method,
  createdAt: payment.created_at,
  ...(payment.vendor_time === null ? {} : { vendorTime: payment.vendor_time }),
  ...(payment.vendor_product === null ? {} : { vendorProduct: payment.vendor_product }),
  ...(payment.channel_payment_id === null ? {} : { channelPaymentId: payment.channel_payment_id }),
})

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

/** A payment, and what its answer shows of the order. */
export interface KeptPayment {
  readonly payment: PaymentRow
  readonly order: Pick<OrderRow, 'order_number' | 'state' | 'user_id'>
}

/**
 * Keeps the credential that the vendor gave, and what was said for it, in one commit. created → pending; a payment
 * that a callback has made paid meanwhile keeps its state (CB-05).
 *
 * One statement, because the customer waits. The order is as it was when it began.
 */
export async function keepCredential(
  db: Db,
  payment: PaymentRow,
  credential: Credential,
  { entries, at }: Said,
): Promise<KeptPayment> {
  // A form that the browser sends itself: nothing was said.
  const creator: QueryCreator<Schema> =
    entries.length === 0 ? db : db.with('said', (one) => insertLog(one, entries))
  const number = credential.channelPaymentId ?? null
  const { order_number, order_state, user_id, ...kept } = await around('payment.credential', () =>
    creator
      .updateTable('payment as p')
      .from('customer_order as o')
      .set({
        next_action: JSON.stringify(credential.nextAction),
        credential_at: at,
        state: sql`CASE p.state WHEN 'created' THEN 'pending' ELSE p.state END`,
        channel_payment_id: sql`coalesce(p.channel_payment_id, ${number})`,
      })
      .where('p.merchant_id', '=', payment.merchant_id)
      .where('p.id', '=', payment.id)
      .where('o.merchant_id', '=', payment.merchant_id)
      .where('o.id', '=', payment.order_id)
      .returningAll('p')
      .returning(['o.order_number', 'o.state as order_state', 'o.user_id'])
      .executeTakeFirstOrThrow(),
  )
  return { payment: kept, order: { order_number, state: order_state, user_id } }
}

/**
 * A definite refusal: nobody can pay this attempt. created → closed; an order that is not wanted any more
 * ends with its last attempt.
 */
export async function refuseAttempt(
  db: Db,
  payment: PaymentRow,
  code: string,
  at: Date,
): Promise<void> {
  const closing = { proof: `refused: ${code}`, refusalCode: code, nextQueryAt: null, at }
  await commit(db, 'payment.refuse', async (trx) => {
    await lockRow(trx, payment.merchant_id, payment.order_id)
    // With a credential, from a call beside this one, it can be paid.
    await endAttempt(trx, payment, ['created'], closing)
  })
}

/** A payment with its order, for the merchant's own eyes; `undefined` when it is not this merchant's. */
export async function findPayment(
  db: Db,
  merchantId: MerchantId,
  id: PaymentId,
): Promise<{ readonly payment: PaymentRow; readonly order: OrderRow } | undefined> {
  const payment = await db
    .selectFrom('payment')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .executeTakeFirst()
  if (payment === undefined) return undefined
  const order = await db
    .selectFrom('customer_order')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('id', '=', payment.order_id)
    .executeTakeFirstOrThrow()
  return { payment, order }
}
