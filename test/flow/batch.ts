import { sql } from 'kysely'
import { addMerchant } from '#db/account/merchant'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { jobsOf, openSender } from '#db/job'
import { storeNotifications } from '#db/notification/notification'
import type { Arrival } from '#db/notification/notification'
import { newOrderId, newPaymentId } from '#domain/id'
import type { ChannelAccountId, MerchantId, NotificationId, PaymentId } from '#domain/id'
import { mintVerified } from '#domain/notification'
import type { NotificationFacts, PaymentFacts } from '#domain/notification'
import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import {
  findDoubleEvents,
  findForgottenNotifications,
  findIllegalMoves,
  findUnfoundedPayments,
} from '../support/invariant.ts'
import type { Violation } from '../support/invariant.ts'
import { APPID, MCHID, addWechatPay } from '../support/platform.ts'
import { insertSales, makeSales } from './crash/sale.ts'
import type { Sale } from './crash/sale.ts'

/** A merchant with one account, and verified callbacks that are stored without a gateway. */
export interface Batch {
  readonly db: Db
  readonly databaseUrl: string
  readonly boss: Awaited<ReturnType<typeof openSender>>
  readonly merchantId: MerchantId
  readonly accountId: ChannelAccountId
  /** Stores callbacks in one commit. Returns the ids of their rows, in their order. */
  store(facts: readonly NotificationFacts[]): Promise<readonly NotificationId[]>
  /** Rows that are still to be applied. */
  receivedIds(): Promise<readonly NotificationId[]>
  /** Paid payments by their disposition. */
  dispositions(): Promise<Record<string, number>>
  /** What must hold whatever was killed; what the points system did is another test's. */
  broken(): Promise<readonly Violation[]>
  stop(): Promise<void>
}

export async function startBatch(databaseUrl: string): Promise<Batch> {
  const db = openDatabase(databaseUrl, workerDatabase, () => undefined)
  const boss = await openSender(databaseUrl, () => undefined)
  const merchantId = await addMerchant(db, crypto.randomUUID())
  const keys = await makeWechatPayKeys()
  const accountId = await addWechatPay(db, merchantId, keys, 'http://127.0.0.1:9', 'WeChat Pay')

  async function store(facts: readonly NotificationFacts[]): Promise<readonly NotificationId[]> {
    const arrivals = facts.map((item, index): Arrival => {
      const eventKey = `evt:${String(index).padStart(6, '0')}-${crypto.randomUUID()}`
      const content = { eventKey, keySerial: '1', facts: item }
      return {
        merchantId,
        channelAccountId: accountId,
        notification: mintVerified(content),
        headers: {},
        body: new TextEncoder().encode(eventKey),
      }
    })
    await storeNotifications(db, jobsOf(boss), arrivals, { compensationSeconds: 3600 })
    const keysOfRows = arrivals.map((arrival) => arrival.notification.eventKey)
    const rows = await db
      .selectFrom('notification')
      .select('id')
      .where('event_key', 'in', keysOfRows)
      .orderBy('event_key')
      .execute()
    return rows.map((row) => row.id)
  }

  return {
    db,
    databaseUrl,
    boss,
    merchantId,
    accountId,
    store,
    async receivedIds() {
      const rows = await db
        .selectFrom('notification')
        .select('id')
        .where('merchant_id', '=', merchantId)
        .where('state', '=', 'received')
        .execute()
      return rows.map((row) => row.id)
    },
    async dispositions() {
      const rows = await db
        .selectFrom('payment')
        .select((select) => ['disposition', select.fn.countAll<bigint>().as('count')])
        .where('merchant_id', '=', merchantId)
        .where('state', '=', 'paid')
        .groupBy('disposition')
        .execute()
      return Object.fromEntries(rows.map((row) => [row.disposition ?? '', Number(row.count)]))
    },
    broken: async () => [
      ...(await findIllegalMoves(db)),
      ...(await findDoubleEvents(db)),
      ...(await findForgottenNotifications(db)),
      ...(await findUnfoundedPayments(db)),
    ],
    async stop() {
      await boss.stop({ graceful: false })
      await db.destroy()
    },
  }
}

/** What the vendor says about a sale that was paid as agreed. */
export const factsOf = (sale: Sale): PaymentFacts => ({
  kind: 'payment',
  paymentNumber: sale.paymentId,
  identity: { mchid: MCHID, appid: APPID },
  vendorState: 'success',
  vendorStateText: 'SUCCESS',
  channelPaymentId: `${sale.transactionId}${sale.eventId}`,
  amountMinor: BigInt(sale.amount),
  currency: 'CNY',
})

/** Of the sales that are made, the first ones earn no points. */
const CHEAP = 2

/** Sales with pending payments, each of an order of its own that earns points. */
export async function sell(batch: Batch, count: number): Promise<readonly Sale[]> {
  const sales = makeSales(count + CHEAP).slice(CHEAP)
  await insertSales(batch.db, batch.merchantId, batch.accountId, sales)
  return sales
}

/** A second pending attempt of the sale's order. */
export async function attemptAgain(batch: Batch, sales: readonly Sale[]): Promise<readonly Sale[]> {
  const again = sales.map((sale) => ({
    ...sale,
    paymentId: newPaymentId(),
    eventId: crypto.randomUUID(),
  }))
  // Raw, because kysely has no `unnest` over several arrays.
  await sql`
    INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, currency,
                         subject, state, vendor_request, expires_at)
    SELECT ${batch.merchantId}, id, order_id, ${batch.accountId}, 'app', amount, 'CNY',
           'Demo tea set', 'pending', '{}', now() + interval '2 hours'
    FROM unnest(${again.map((sale) => sale.paymentId)}::text[],
                ${again.map((sale) => sale.orderId)}::text[],
                ${again.map((sale) => sale.amount)}::bigint[]) AS t (id, order_id, amount)`.execute(
    batch.db,
  )
  return again
}

/** A payment number of our form that nobody has. */
export const unknownPayment = (): PaymentId => newPaymentId()
/** Not ours at all, and PostgreSQL cannot hold it as it is. */
export const numberWithNul = (): string => `${newOrderId()}\u0000`
