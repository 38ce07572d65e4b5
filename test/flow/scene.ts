import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import type { Fetch } from '#channel/http'
import { findPayment } from '#db/payment/payment'
import type { OrderRow, PaymentRow } from '#db/payment/payment'
import { findRefund, requestRefund } from '#db/refund/refund'
import type { RefundRow } from '#db/refund/refund'
import { assert } from '#domain/assert'
import { parsePaymentId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import type { RefundOrigin } from '#domain/state'
import { addMs } from '#domain/time'
import type { WorkerDeps } from '#worker/deps'
import { runOrderStatus } from '#worker/job/order-status'
import { createQueryLimit } from '#worker/query-limit'
import { createTurns } from '#worker/turn'
import { startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { createShop } from '../support/shop.ts'
import type { Purchase } from '../support/shop.ts'
import { makeWorker } from './own-worker.ts'

/** The platform with its vendor, where the test runs each job itself, at the time that it likes. */
export interface Scene extends Platform {
  readonly shop: ReturnType<typeof createShop>
  readonly deps: WorkerDeps
  /** All clocks go forward together: ours and the vendor's. */
  passSeconds(seconds: number): void
  now(): Date
  /** What the worker's calls to the vendor go through; a test may look, wait or break in. */
  interceptWith(intercept: Intercept | undefined): void
  buy(purchase?: Purchase): Promise<PaymentId>
  /** A payment that is paid here, with its points job still to run. */
  buyPaid(purchase?: Purchase): Promise<PaymentId>
  /** The customer pays; resolves when the callback is stored or lost. */
  pay(id: PaymentId): Promise<string>
  /** Applies every callback that is stored. */
  applyCallbacks(): Promise<void>
  askRefund(id: PaymentId, amount: number, origin?: RefundOrigin): Promise<RefundId>
  payment(id: PaymentId): Promise<PaymentRow>
  order(id: PaymentId): Promise<OrderRow>
  refund(id: RefundId): Promise<RefundRow>
  cases(subject: string): Promise<readonly string[]>
  logged(id: PaymentId, kind: string): Promise<readonly Record<string, unknown>[]>
}

/** Stands before a call to the vendor. */
export type Intercept = (url: string, go: () => Promise<Response>) => Promise<Response>

/** A vendor that does not answer costs a test this much. */
const TIMEOUT_MS = 700

export async function openScene(databaseUrl: string): Promise<Scene> {
  let aheadMs = 0
  const now = (): Date => addMs(new Date(), aheadMs)
  const clock = { now }
  let intercept: Intercept | undefined
  const platform = await startPlatform({ databaseUrl, hasWorker: false, clock })
  const worker = await makeWorker(databaseUrl, platform)
  const send: Fetch = (url, init) => {
    const go = (): Promise<Response> => fetch(url, init)
    return intercept === undefined ? go() : intercept(url, go)
  }
  const deps: WorkerDeps = {
    ...worker.deps,
    clock,
    now,
    retrySeconds: 60,
    queryLimit: createQueryLimit(clock),
    turns: createTurns(clock),
    registry: createRegistry(strategies, {
      clock,
      fetch: send,
      localHosts: platform.localHosts,
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
      timeoutMs: TIMEOUT_MS,
    }),
    sealKey: testSealKey(),
  }
  return {
    ...platform,
    ...acts(platform, deps),
    deps,
    now,
    passSeconds(seconds) {
      aheadMs += seconds * 1000
    },
    interceptWith(next) {
      intercept = next
    },
    async stop() {
      await worker.stop()
      await platform.stop()
    },
  }
}

function acts(platform: Platform, deps: WorkerDeps) {
  const { db, merchantId, emulator } = platform
  const shop = createShop(platform)

  async function buy(purchase: Purchase = {}): Promise<PaymentId> {
    const id = parsePaymentId((await shop.buy(purchase)).id)
    assert(id !== undefined, 'the id is of our form')
    // The database has a clock of its own, which no test can move.
    await db.updateTable('payment').set({ created_at: deps.now() }).where('id', '=', id).execute()
    return id
  }

  async function pay(id: PaymentId): Promise<string> {
    const result = emulator.pay(id)
    if (result.kind === 'refused') return result.reason
    await result.done
    return 'paid'
  }

  async function applyCallbacks(): Promise<void> {
    const rows = await db
      .selectFrom('notification')
      .select('id')
      .where('state', '=', 'received')
      .execute()
    await runOrderStatus(deps, { merchantId, notificationIds: rows.map(({ id }) => id) })
  }

  return {
    shop,
    buy,
    pay,
    applyCallbacks,
    async buyPaid(purchase: Purchase = {}): Promise<PaymentId> {
      const id = await buy(purchase)
      assert((await pay(id)) === 'paid', 'the customer can pay')
      await applyCallbacks()
      return id
    },
    async askRefund(
      id: PaymentId,
      amount: number,
      origin: RefundOrigin = 'merchant',
    ): Promise<RefundId> {
      const outcome = await requestRefund(db, deps.jobs, {
        merchantId,
        paymentId: id,
        amountMinor: BigInt(amount),
        reason: 'test',
        origin,
        now: deps.now(),
      })
      assert(outcome.kind === 'requested', `expected a refund, got ${outcome.kind}`)
      return outcome.refund.id
    },
    ...readers(platform),
  }
}

function readers({ db, merchantId }: Platform) {
  async function find(id: PaymentId) {
    const found = await findPayment(db, merchantId, id)
    assert(found !== undefined, `expected a payment: ${id}`)
    return found
  }
  return {
    payment: async (id: PaymentId): Promise<PaymentRow> => (await find(id)).payment,
    order: async (id: PaymentId): Promise<OrderRow> => (await find(id)).order,
    async refund(id: RefundId): Promise<RefundRow> {
      const row = await findRefund(db, merchantId, id)
      assert(row !== undefined, `expected a refund: ${id}`)
      return row
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
    async logged(id: PaymentId, kind: string): Promise<readonly Record<string, unknown>[]> {
      const rows = await db
        .selectFrom('transaction_log')
        .select(['content', 'kind'])
        .where('payment_id', '=', id)
        .orderBy('at')
        .execute()
      return rows.filter((row) => row.kind === kind).map(({ content }) => content)
    },
  }
}
