import { sql } from 'kysely'
import type { ChannelAccountId, MerchantId, OrderId, PaymentId } from '#domain/id'
import { newOrderId } from '#domain/id'
import type { Method, Wallet } from '#domain/method'
import type { Money } from '#domain/money'
import { around } from '#failpoint'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { insertKey } from '../idempotency.ts'
import type { KeyedRequest } from '../idempotency.ts'
import type { OrderRow, PaymentRow, ShownOrder } from './payment.ts'

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

/** A new attempt, with what its answer shows of the order. */
export interface Started {
  readonly kind: 'started'
  readonly payment: PaymentRow
  readonly order: ShownOrder
}

/** What an order allows: a new attempt, the live one of the same kind again, or nothing. */
export type AttemptOutcome =
  | Started
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
  return first?.kind === 'started' ? first : startAnother(db, attempt)
}

/** The order was named before: what it allows is seen under its lock. */
export interface OrderIsThere {
  readonly kind: 'order_is_there'
}

/**
 * The first attempt of an order that nobody has named before, and the request's key with it, in one statement and
 * one commit. `undefined`: the key is there already, and nothing was started.
 *
 * The customer waits for it, and it is by far the most frequent one. Raw, because kysely knows no insert of
 * bound values from a common table.
 */
export async function startFirst(
  db: Db,
  attempt: NewAttempt,
  request?: KeyedRequest,
): Promise<Started | OrderIsThere | undefined> {
  const { merchantId, orderNumber, userId, amount } = attempt
  const { rows } = await around('payment.start', () =>
    sql<PaymentRow | Readonly<Record<keyof PaymentRow, null>>>`
    WITH taken AS (${insertKey(request)}),
    made AS (
      INSERT INTO customer_order (merchant_id, id, order_number, user_id, amount, currency)
      SELECT ${merchantId}, ${newOrderId()}, ${orderNumber}, ${userId}, ${amount.minor}, ${amount.currency}
      FROM taken
      ON CONFLICT (merchant_id, order_number) DO NOTHING
      RETURNING id),
    started AS (
      INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, currency, subject, wallet,
                           client_ip, payer_open_id, vendor_request, vendor_time, vendor_product, return_url,
                           expires_at, next_query_at)
      SELECT ${merchantId}, ${attempt.paymentId}, made.id, ${attempt.channelAccountId}, ${attempt.method},
             ${amount.minor}, ${amount.currency}, ${attempt.subject}, ${attempt.wallet ?? null},
             ${attempt.clientIp}, ${attempt.payerOpenId ?? null}, ${attempt.vendorRequest},
             ${attempt.vendorTime ?? null}, ${attempt.vendorProduct ?? null}, ${attempt.returnUrl ?? null},
             ${attempt.expiresAt}, ${attempt.firstQueryAt}
      FROM made
      RETURNING *)
    SELECT started.* FROM taken LEFT JOIN started ON true`.execute(db),
  )
  const [row] = rows
  if (row === undefined) return undefined
  if (row.id === null) return { kind: 'order_is_there' }
  const order = { order_number: orderNumber, state: 'unpaid', user_id: userId } as const
  return { kind: 'started', payment: row, order }
}

/**
 * Under the order's lock: what it allows depends on the attempts that it has.
 *
 * `replaced` has a number that is used up and brings no credential. It is not given again, nor what it has replaced, unless
 * it has got one meanwhile; it stays as it is, and is asked about until it ends by proof.
 */
export function startAnother(
  db: Db,
  attempt: NewAttempt,
  replaced?: PaymentRow,
): Promise<AttemptOutcome> {
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
    const live = others
      .filter((row) => isLive(row, attempt.now) && isAlike(row, attempt))
      .filter((row) => replaced === undefined || isAfter(row, replaced))
      .toSorted(byUse)[0]
    if (live !== undefined) return { kind: 'live', payment: live }
    return { kind: 'started', payment: await insertAttempt(trx, attempt, order.id), order }
  })
}

/** One that has expired is closed by proof later; the customer does not wait for that. */
const isLive = ({ state, expires_at: until }: PaymentRow, now: Date): boolean =>
  (state === 'created' || state === 'pending') && now < until

const isAlike = (row: PaymentRow, attempt: NewAttempt): boolean =>
  row.channel_account_id === attempt.channelAccountId &&
  row.method === attempt.method &&
  row.vendor_product === (attempt.vendorProduct ?? null)

/** A younger one, or the same with a credential that is newer. */
const isAfter = (row: PaymentRow, replaced: PaymentRow): boolean =>
  row.id === replaced.id
    ? row.credential_at?.getTime() !== replaced.credential_at?.getTime()
    : row.id > replaced.id

/** What the customer can pay with stands first, then the youngest: an older one may have been replaced. */
const byUse = (one: PaymentRow, other: PaymentRow): number =>
  Number(other.credential_at !== null) - Number(one.credential_at !== null) ||
  (one.id < other.id ? 1 : -1)

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
