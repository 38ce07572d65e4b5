import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { assert } from '#domain/assert'
import type { PaymentId } from '#domain/id'
import { parseRefundId } from '#domain/id'
import type { RefundId } from '#domain/id'
import { Secret } from '#domain/secret'
import { addMs } from '#domain/time'
import type { WorkerDeps } from '#worker/deps'
import { runOrderStatus } from '#worker/job/order-status'
import { runPaymentQuery } from '#worker/job/payment-query'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { createQueryLimit } from '#worker/query-limit'
import { createTurns } from '#worker/turn'
import { bookedAt } from '../emulator/alipay/by-number.ts'
import { APP_ID, SELLER_ID, startTestMerchant } from '../emulator/alipay/merchant.ts'
import type { TestMerchant } from '../emulator/alipay/merchant.ts'
import { buyAt, openCounter, payAt } from '../support/counter.ts'
import type { Counter } from '../support/counter.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import type { Till } from '../support/till.ts'
import { makeWorker } from './own-worker.ts'

const CALL_TIMEOUT_MS = 1_000

/** The platform with an account at Alipay, and what a test of refunds asks of both. */
export interface AlipayScene {
  readonly vendor: TestMerchant
  readonly platform: Platform
  readonly counter: Counter
  /** An order that waits for its buyer, who has opened the cashier. */
  buy(amount?: number, userId?: string): Promise<PaymentId>
  /** All refunds of a payment in the vendor's books, the oldest first. */
  atVendor(id: PaymentId): readonly { outRequestNo: string; fen: number; at: Date }[]
  /** The business fields of every refund call about a payment, as the log has them. */
  refundCalls(id: PaymentId): Promise<readonly string[]>
  /** By another system with the same keys, or at the console. */
  refundAtConsole(id: PaymentId, number: string, yuan: string): Promise<unknown>
  /** Refund news of a payment as it is stored, the oldest first. */
  news(id: PaymentId): Promise<readonly { state: string; quarantine_reason: string | null }[]>
  paymentRow(id: PaymentId): Promise<PaymentColumns>
  refundRow(id: string): Promise<{ state: string; attempts: bigint; due_at: Date | null }>
  casesOf(subject: string): Promise<readonly string[]>
  askRefund(id: PaymentId, amount: number): Promise<RefundId>
  stop(): Promise<void>
}

interface PaymentColumns {
  readonly state: string
  readonly refund_reserved: bigint
  readonly refunded: bigint
  readonly refundable: boolean
}

/** Where the test runs each job itself, at the time that it likes. */
export interface SteppedScene extends AlipayScene {
  /** All clocks go forward together: ours and the vendor's. */
  passSeconds(seconds: number): void
  now(): Date
  readonly deps: WorkerDeps
  /** From now on the queues run by themselves, by the moved clock. */
  startWorker(): Promise<void>
  /** Runs before every call to the vendor from now on. */
  lookBeforeCalls(look: () => Promise<void>): void
  buyPaid(amount?: number): Promise<PaymentId>
  submit(refund: RefundId): Promise<void>
  query(refund: RefundId): Promise<void>
  queryPayment(id: PaymentId): Promise<void>
  /** Applies every callback that is stored, when the vendor has sent all. */
  applyCallbacks(): Promise<void>
}

/** With the real worker and the real time. */
export async function openAlipayScene(databaseUrl: string): Promise<AlipayScene> {
  const vendor = await startTestMerchant()
  const localHosts = [new URL(vendor.emulator.url).host]
  const platform = await startPlatform({ databaseUrl, localHosts })
  return openWith(platform, vendor, () => Promise.resolve())
}

export async function openSteppedScene(databaseUrl: string): Promise<SteppedScene> {
  let aheadMs = 0
  let look = (): Promise<void> => Promise.resolve()
  const clock = { now: (): Date => addMs(new Date(), aheadMs) }
  const vendor = await startTestMerchant({ clock: clock.now })
  const localHosts = [new URL(vendor.emulator.url).host]
  const platform = await startPlatform({ databaseUrl, localHosts, clock, hasWorker: false })
  const worker = await makeWorker(databaseUrl, platform)
  const deps: WorkerDeps = {
    ...worker.deps,
    clock,
    now: clock.now,
    retrySeconds: 1,
    queryLimit: createQueryLimit(clock),
    turns: createTurns(clock),
    registry: createRegistry(strategies, {
      clock,
      fetch: async (url, init) => {
        await look()
        return fetch(url, init)
      },
      localHosts: platform.localHosts,
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
      timeoutMs: CALL_TIMEOUT_MS,
    }),
  }
  const scene = await openWith(platform, vendor, () => worker.stop())
  return {
    ...scene,
    ...stepsOf(scene, deps),
    deps,
    now: clock.now,
    startWorker: () => worker.start(deps),
    passSeconds(seconds) {
      aheadMs += seconds * 1000
    },
    lookBeforeCalls(next) {
      look = next
    },
  }
}

async function openWith(
  platform: Platform,
  vendor: TestMerchant,
  stopWorker: () => Promise<void>,
): Promise<AlipayScene> {
  const counter = await openCounter(platform, platform, tillOf(vendor))
  return {
    vendor,
    platform,
    counter,
    async buy(amount = 1999, userId = 'user-1') {
      const id = await buyAt(counter, { amount, userId })
      vendor.emulator.enter(id)
      return id
    },
    ...atVendorOf(vendor),
    ...rowsOf(platform),
    async askRefund(id, amount) {
      const refund = parseRefundId((await counter.shop.refund(id, amount)).id)
      assert(refund !== undefined, 'the id is of our form')
      return refund
    },
    async stop() {
      await stopWorker()
      await platform.stop()
      await vendor.stop()
    },
  }
}

function stepsOf({ counter, platform, vendor, buy }: AlipayScene, deps: WorkerDeps) {
  const { merchantId } = platform
  async function applyCallbacks(): Promise<void> {
    await vendor.emulator.idle()
    const rows = await platform.db
      .selectFrom('notification')
      .select('id')
      .where('state', '=', 'received')
      .orderBy('id')
      .execute()
    await runOrderStatus(deps, { merchantId, notificationIds: rows.map(({ id }) => id) })
  }
  return {
    applyCallbacks,
    async buyPaid(amount?: number): Promise<PaymentId> {
      const id = await buy(amount)
      await payAt(counter, id)
      await applyCallbacks()
      return id
    },
    submit: (refundId: RefundId) => runRefundSubmit(deps, { merchantId, refundId }),
    query: (refundId: RefundId) => runRefundQuery(deps, { merchantId, refundId }),
    queryPayment: (paymentId: PaymentId) => runPaymentQuery(deps, { merchantId, paymentId }),
  }
}

function tillOf({ emulator, keys }: TestMerchant): Till {
  return {
    strategy: 'alipay',
    settings: { app_id: APP_ID, seller_id: SELLER_ID, gateway_url: emulator.gatewayUrl },
    keys: [
      { purpose: 'merchant_private', serial: 'app', value: new Secret(keys.app.privateKeyPem) },
      { purpose: 'vendor_public', serial: 'alipay', value: new Secret(keys.vendor.publicKeyPem) },
    ],
    vendor: emulator,
    pay: (orderNumber) => emulator.pay(orderNumber),
    follow: () => Promise.reject(new Error('these tests pay by number')),
  }
}

function atVendorOf({ emulator, call }: TestMerchant) {
  return {
    atVendor: (id: PaymentId) => bookedAt(emulator, id)?.refunds ?? [],
    refundAtConsole: async (id: PaymentId, number: string, yuan: string): Promise<unknown> => {
      const wish = { out_trade_no: id, out_request_no: number, refund_amount: yuan }
      return (await call('alipay.trade.refund', wish)).node['fund_change']
    },
  }
}

function rowsOf({ db }: Platform) {
  return {
    news: async (id: PaymentId) => {
      const rows = await db
        .selectFrom('notification')
        .select(['facts', 'state', 'quarantine_reason'])
        .orderBy('received_at')
        .execute()
      return rows
        .filter(({ facts }) => facts['kind'] === 'refund' && facts['paymentNumber'] === id)
        .map(({ state, quarantine_reason }) => ({ state, quarantine_reason }))
    },
    async refundCalls(id: PaymentId) {
      const rows = await db
        .selectFrom('transaction_log')
        .select('content')
        .where('payment_id', '=', id)
        .where('kind', '=', 'refund')
        .orderBy('at')
        .execute()
      return rows.map(({ content }) =>
        String(new URLSearchParams(String(content['requestBody'])).get('biz_content')),
      )
    },
    paymentRow: (id: PaymentId) =>
      db
        .selectFrom('payment')
        .select(['state', 'refund_reserved', 'refunded', 'refundable'])
        .where('id', '=', id)
        .executeTakeFirstOrThrow(),
    refundRow: (id: string) =>
      db
        .selectFrom('refund')
        .select(['state', 'attempts', 'due_at'])
        .where((where) => where.eb('id', '=', parseRefundId(id) ?? null))
        .executeTakeFirstOrThrow(),
    async casesOf(subject: string) {
      const rows = await db
        .selectFrom('open_case')
        .select('kind')
        .where('subject', '=', subject)
        .orderBy('kind')
        .execute()
      return rows.map(({ kind }) => kind)
    },
  }
}
