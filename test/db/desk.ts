import { sql } from 'kysely'
import { applyRefund } from '#db/refund/apply-refund'
import type { ConfirmDeps } from '#db/payment/confirm-payment'
import { confirmPayment } from '#db/payment/confirm-payment'
import { jobsOf } from '#db/job'
import type { PaymentRow } from '#db/payment/payment'
import type { LatePolicy } from '#db/schema'
import { requestRefund } from '#db/refund/refund'
import type { NewRefund, RefundRequestOutcome, RefundRow } from '#db/refund/refund'
import { assert } from '#domain/assert'
import { newOrderId, newPaymentId } from '#domain/id'
import type { OrderId, PaymentId } from '#domain/id'
import type { PaymentFacts, RefundFacts } from '#domain/notification'
import type { RefundOrigin, Witness } from '#domain/state'
import { insertSales } from '../flow/crash/sale.ts'
import type { Sale } from '../flow/crash/sale.ts'
import { attemptAgain, factsOf, startBatch } from '../flow/batch.ts'
import type { Batch } from '../flow/batch.ts'
import { findRefundViolations } from '../support/refund-invariant.ts'
import type { Violation } from '../support/invariant.ts'
import { MCHID } from '../support/platform.ts'

/** A merchant whose money is moved by calling the functions of `db/`, without any process. */
export interface Desk extends Batch {
  readonly deps: ConfirmDeps
  /** An order with so many pending attempts, and its user. */
  order(amount?: number, attempts?: number): Promise<Counter>
  setPolicy(policy: LatePolicy): Promise<void>
  pay(sale: Sale, changes?: Partial<PaymentFacts>, witness?: Witness): Promise<string>
  ask(sale: Sale, amount: bigint, origin?: RefundOrigin): Promise<RefundRequestOutcome>
  askAs(wanted: NewRefund): Promise<RefundRequestOutcome>
  /** As `ask`, and throws when there was no refund. */
  refund(sale: Sale, amount: bigint, origin?: RefundOrigin): Promise<RefundRow>
  hear(facts: RefundFacts, witness?: Witness): Promise<string>
  /** Says that the refund was sent, as a submitting job does before its call. */
  markSent(refund: RefundRow, sentAt?: Date): Promise<void>
  /** The whole row, as the functions of `db/` take it. */
  load(id: PaymentId): Promise<PaymentRow>
  payment(id: PaymentId): Promise<Stored>
  orderState(id: OrderId): Promise<string>
  refunds(id: PaymentId): Promise<readonly RefundRow[]>
  points(id: OrderId): Promise<readonly PointsLine[]>
  /** Runs `work` while no payment has this number. */
  hidePayment(id: PaymentId, work: () => Promise<void>): Promise<void>
  cases(subject: string): Promise<readonly string[]>
  jobs(queue: string, subject: string): Promise<number>
  /** All invariants that need neither vendor nor points system. */
  violations(): Promise<readonly Violation[]>
}

export interface Counter {
  readonly orderId: OrderId
  readonly userId: string
  readonly first: Sale
  readonly second: Sale
  readonly sales: readonly Sale[]
}

interface Stored {
  readonly state: string
  readonly disposition: string | null
  readonly reserved: bigint
  readonly refunded: bigint
}

interface PointsLine {
  readonly kind: string
  readonly state: string
  readonly points: bigint
}

export async function openDesk(databaseUrl: string): Promise<Desk> {
  const batch = await startBatch(databaseUrl)
  const { db, merchantId, accountId } = batch
  const deps: ConfirmDeps = {
    jobs: jobsOf(batch.boss),
    compensationSeconds: 3600,
    now: () => new Date(),
  }

  async function pay(
    sale: Sale,
    changes: Partial<PaymentFacts> = {},
    witness: Witness = 'query',
  ): Promise<string> {
    const claim = { facts: { ...factsOf(sale), ...changes }, channelAccountId: accountId }
    const [outcome] = await db
      .transaction()
      .execute((trx) => confirmPayment(trx, deps, merchantId, [claim], witness))
    assert(outcome !== undefined, 'one claim has one outcome')
    const { decision } = outcome
    return decision.kind === 'pay' ? decision.disposition : decision.kind
  }

  async function hear(facts: RefundFacts, witness: Witness = 'query'): Promise<string> {
    const claim = { facts, channelAccountId: accountId }
    const decision = await db
      .transaction()
      .execute((trx) => applyRefund(trx, deps, merchantId, claim, witness))
    return decision.kind === 'quarantine' ? decision.reason : decision.kind
  }

  const ask: Desk['ask'] = (sale, amount, origin = 'merchant') =>
    requestRefund(db, deps.jobs, {
      merchantId,
      paymentId: sale.paymentId,
      amountMinor: amount,
      reason: 'test',
      origin,
      now: deps.now(),
    })

  return {
    ...batch,
    deps,
    pay,
    hear,
    ask,
    askAs: (wanted) => requestRefund(db, deps.jobs, wanted),
    order: (amount = 2000, attempts = 1) => makeOrder(batch, amount, attempts),
    async setPolicy(policy) {
      await db
        .updateTable('merchant')
        .set({ late_policy: policy })
        .where('id', '=', merchantId)
        .execute()
    },
    async refund(sale, amount, origin) {
      const outcome = await ask(sale, amount, origin)
      assert(outcome.kind === 'requested', `expected a refund, got ${outcome.kind}`)
      return outcome.refund
    },
    async markSent(refund, sentAt = new Date()) {
      await db
        .updateTable('refund')
        .set({ state: 'sent', sent_at: sentAt })
        .where('id', '=', refund.id)
        .execute()
    },
    ...readers(batch),
  }
}

async function makeOrder(batch: Batch, amount: number, attempts: number): Promise<Counter> {
  const first: Sale = {
    orderId: newOrderId(),
    paymentId: newPaymentId(),
    userId: `user-${crypto.randomUUID()}`,
    amount,
    paidAmount: amount,
    eventId: crypto.randomUUID(),
    transactionId: '4200',
  }
  await insertSales(batch.db, batch.merchantId, batch.accountId, [first])
  const sales = [first]
  while (sales.length < attempts) sales.push(...(await attemptAgain(batch, [first])))
  const { orderId, userId } = first
  return { orderId, userId, first, second: sales[1] ?? first, sales }
}

function readers({ db, merchantId, broken }: Batch) {
  const load = (id: PaymentId): Promise<PaymentRow> =>
    db.selectFrom('payment').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  return {
    load,
    async payment(id: PaymentId): Promise<Stored> {
      const row = await load(id)
      const { state, disposition, refund_reserved: reserved, refunded } = row
      return { state, disposition, reserved, refunded }
    },
    async orderState(id: OrderId): Promise<string> {
      const row = await db
        .selectFrom('customer_order')
        .select('state')
        .where('id', '=', id)
        .executeTakeFirstOrThrow()
      return row.state
    },
    refunds: (id: PaymentId): Promise<readonly RefundRow[]> =>
      db.selectFrom('refund').selectAll().where('payment_id', '=', id).orderBy('id').execute(),
    points: (id: OrderId): Promise<readonly PointsLine[]> =>
      db
        .selectFrom('points_grant')
        .select(['kind', 'state', 'points'])
        .where('order_id', '=', id)
        .orderBy('id')
        .execute(),
    async hidePayment(id: PaymentId, work: () => Promise<void>): Promise<void> {
      const rename = (from: string, to: string) =>
        sql`UPDATE payment SET id = ${to} WHERE id = ${from}`.execute(db)
      const away = newPaymentId()
      await rename(id, away)
      await work()
      await rename(away, id)
    },
    async cases(subject: string): Promise<readonly string[]> {
      const rows = await db
        .selectFrom('open_case')
        .select('kind')
        .where('subject', '=', subject)
        .orderBy('kind')
        .execute()
      return rows.map(({ kind }) => kind)
    },
    async jobs(queue: string, subject: string): Promise<number> {
      // Raw, because pg-boss's tables are not of our schema. A test may look into them; we never do.
      const { rows } = await sql`
        SELECT 1 FROM pgboss.job WHERE name = ${queue} AND data::text LIKE ${`%${subject}%`}`.execute(
        db,
      )
      return rows.length
    },
    violations: async (): Promise<readonly Violation[]> =>
      [...(await broken()), ...(await findRefundViolations(db, []))].filter(
        // Without a points system nothing was given; what is owed is another test's.
        ({ invariant }) => invariant !== 'I2',
      ),
    merchantId,
  }
}

/** What the vendor says about a refund of the sale's payment. */
export const refundFactsOf = (
  sale: Sale,
  refund: { readonly id: string; readonly amount: bigint },
  refundState: RefundFacts['refundState'],
): RefundFacts => ({
  kind: 'refund',
  paymentNumber: sale.paymentId,
  refundNumber: refund.id,
  identity: { mchid: MCHID },
  refundState,
  refundStateText: refundState.toUpperCase(),
  channelRefundId: `50${refund.id}`,
  amountMinor: refund.amount,
})
