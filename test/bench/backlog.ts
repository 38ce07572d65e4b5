import { sql } from 'kysely'
import type { Db } from '#db/database'
import { jobsOf, openSender } from '#db/job'
import type { Jobs } from '#db/job'
import { assert } from '#domain/assert'
import { digestFacts, storeFacts } from '#domain/facts'
import type { ChannelAccountId, MerchantId, NotificationId } from '#domain/id'
import { defaultIntake } from '#gateway/intake'
import { makeChannel, withSecrets } from './channel.ts'
import { findVendor } from './vendor/table.ts'
import { AMOUNT_FEN, SUBJECT, VENDOR_URL } from './vendor/vendor.ts'
import type { BenchAccount, Callback } from './vendor/vendor.ts'

/** One genuine callback, as the gateway has read it: every row of the backlog is a copy with its own numbers. */
export interface Template {
  readonly account: BenchAccount
  readonly callback: Callback
  readonly facts: Readonly<Record<string, unknown>>
  readonly keySerial: string
}

export async function makeTemplate(vendorName: string, now: Date): Promise<Template> {
  const vendor = findVendor(vendorName)
  const { keys, account } = await vendor.open(now)
  const callback = vendor.signer(keys, now)(0)
  const { id, channel } = makeChannel(withSecrets(account), {
    clock: { now: () => now },
    fetch: (url, init) => fetch(url, init),
    localHosts: [new URL(VENDOR_URL).host],
  })
  const headers = Object.fromEntries(new Headers(callback.headers))
  const body = new TextEncoder().encode(callback.body)
  const reading = await channel.readCallback({ account: id, headers, body })
  assert(reading.kind === 'verified', `the callback of the template was ${reading.kind}`)
  const { facts, keySerial } = reading.notification
  return { account, callback, facts: storeFacts(facts), keySerial }
}

/** Where the backlog goes. */
export interface Shop {
  readonly db: Db
  readonly databaseUrl: string
  readonly merchantId: MerchantId
  readonly account: ChannelAccountId
}

/**
 * Writes so many unpaid orders with a stored callback each, and the jobs that the gateway leaves with them.
 *
 * The jobs name as many callbacks as a full commit of the gateway holds: a backlog is what a rush leaves.
 */
export async function writeBacklog(shop: Shop, template: Template, count: number): Promise<void> {
  const { db } = shop
  await writeOrders(shop, count)
  await writeNotifications(shop, template, count)
  await writeJobs(shop, count)
  // What autovacuum and the checkpointer do within minutes would else be done while we measure.
  await sql`VACUUM ANALYZE`.execute(db)
  await sql`CHECKPOINT`.execute(db)
}

const place = sql`lpad(i::text, 25, '0')`

async function writeOrders({ db, merchantId, account }: Shop, count: number): Promise<void> {
  await sql`
    INSERT INTO customer_order (merchant_id, id, order_number, user_id, amount, currency)
    SELECT ${merchantId}, 'o' || ${place}, 'order-' || i, 'user-' || i % 1000, ${AMOUNT_FEN}, 'CNY'
    FROM generate_series(1, ${count}::int) AS t (i)`.execute(db)
  // Their next query is later than the end of this: no vendor takes part.
  await sql`
    INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, currency, subject, state,
                         vendor_request, client_ip, next_action, credential_at, expires_at, next_query_at)
    SELECT ${merchantId}, 'p' || ${place}, 'o' || ${place}, ${account}, 'qr', ${AMOUNT_FEN}, 'CNY', ${SUBJECT},
           'pending', '{}', '203.0.113.7', '{"type":"qr_code","content":"weixin://wxpay/bizpayurl?pr=bench"}',
           now(), now() + interval '1 day', now() + interval '1 day'
    FROM generate_series(1, ${count}::int) AS t (i)`.execute(db)
}

async function writeNotifications(
  { db, merchantId, account }: Shop,
  { facts, callback, keySerial }: Template,
  count: number,
): Promise<void> {
  await sql`
    INSERT INTO notification (merchant_id, id, channel_account_id, event_key, facts, facts_digest, payment_number,
                              key_serial, headers, body)
    SELECT ${merchantId}, 'n' || ${place}, ${account}, 'evt:' || i,
           ${JSON.stringify(facts)}::jsonb
             || jsonb_build_object('paymentNumber', 'p' || ${place}, 'channelPaymentId', '4200' || i),
           ${digestFacts(facts)}, 'p' || ${place}, ${keySerial}, ${JSON.stringify(callback.headers)}::jsonb,
           ${Buffer.from(callback.body)}
    FROM generate_series(1, ${count}::int) AS t (i)`.execute(db)
}

const COMPENSATION_SECONDS = 60

async function writeJobs({ db, databaseUrl, merchantId }: Shop, count: number): Promise<void> {
  const { rows } = await sql<{ id: NotificationId }>`
    SELECT id FROM notification WHERE merchant_id = ${merchantId} ORDER BY id`.execute(db)
  assert(rows.length === count, `expected ${count} notifications, found ${rows.length}`)
  const batches = Array.from({ length: Math.ceil(count / defaultIntake.batchMax) }, (_, index) =>
    rows.slice(index * defaultIntake.batchMax, (index + 1) * defaultIntake.batchMax),
  )
  const payloads = batches.map((batch) => ({
    data: { merchantId, notificationIds: batch.map(({ id }) => id) },
  }))
  await withJobs(databaseUrl, (jobs) =>
    db.transaction().execute(async (trx) => {
      await jobs.send(trx, 'order-status', payloads)
      const startAfterSeconds = COMPENSATION_SECONDS
      await jobs.send(
        trx,
        'compensation',
        payloads.map(({ data }) => ({ data, startAfterSeconds })),
      )
    }),
  )
}

async function withJobs(url: string, work: (jobs: Jobs) => Promise<void>): Promise<void> {
  const boss = await openSender(url, (error) => console.error(error.message))
  try {
    await work(jobsOf(boss))
  } finally {
    await boss.stop({ graceful: false })
  }
}
