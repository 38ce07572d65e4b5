import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { PhaseDatabase } from './database.ts'
import type { GeneratedBill } from './wechat-bill.ts'

/**
 * Writes our side of a generated bill: as many orders and payments as it has positions, and the refunds.
 *
 * They are written as they are at the end of their day, with no trigger in between: a year's worth of moves is
 * not what is measured.
 */
export async function writeOurRows(
  { url, merchantId, account }: PhaseDatabase,
  bill: GeneratedBill,
): Promise<void> {
  const client = new Client({ connectionString: url, options: '-c search_path=pingzhang' })
  await client.connect()
  try {
    await client.query(`SET session_replication_role = replica`)
    await client.query(STAGES)
    await copyFile(client, 'ours', bill.paymentsPath)
    await copyFile(client, 'given_back', bill.refundsPath)
    // A shop without points: they are compared in a run of their own, after the one that is measured.
    await client.query('UPDATE merchant SET points_per_yuan = 0 WHERE id = $1', [merchantId])
    await client.query(ORDERS, [merchantId])
    await client.query(PAYMENTS, [merchantId, account])
    await client.query(REFUNDS, [merchantId, account])
    // What autovacuum and the checkpointer do within minutes would else be done while we measure.
    for (const table of ['customer_order', 'payment', 'refund']) {
      await client.query(`VACUUM ANALYZE ${table}`)
    }
    await client.query('CHECKPOINT')
  } finally {
    await client.end()
  }
}

const copyFile = (client: Client, table: string, path: string): Promise<void> =>
  pipeline(createReadStream(path), client.query(copyFrom(`COPY ${table} FROM STDIN`)))

const STAGES = `
  CREATE TEMPORARY TABLE ours (id text, number text, amount bigint, state text, paid_at timestamptz);
  CREATE TEMPORARY TABLE given_back (id text, payment_id text, number text, amount bigint, sent_at timestamptz)`

const ORDERS = `
  INSERT INTO customer_order (merchant_id, id, order_number, user_id, amount, currency, state, paid_payment_id,
                              created_at)
  SELECT $1, 'o' || substr(id, 2), 'order-' || substr(id, 2), 'user', amount, 'CNY',
         CASE state WHEN 'paid' THEN 'paid' ELSE 'closed' END, CASE state WHEN 'paid' THEN id END, paid_at
  FROM ours`

const PAYMENTS = `
  INSERT INTO payment (merchant_id, id, order_id, channel_account_id, method, amount, received_amount, currency,
                       subject, state, disposition, vendor_request, client_ip, channel_payment_id, expires_at,
                       paid_at, created_at, refund_reserved, refunded, close_proof)
  SELECT $1, o.id, 'o' || substr(o.id, 2), $2, 'qr', o.amount, CASE o.state WHEN 'paid' THEN o.amount END, 'CNY',
         'Demo tea set', o.state, CASE o.state WHEN 'paid' THEN 'counted' END, '{}', '203.0.113.7',
         CASE o.state WHEN 'paid' THEN o.number END, o.paid_at + interval '2 hours',
         CASE o.state WHEN 'paid' THEN o.paid_at END, o.paid_at, coalesce(g.amount, 0), coalesce(g.amount, 0),
         CASE o.state WHEN 'closed' THEN 'vendor' END
  FROM ours o LEFT JOIN given_back g ON g.payment_id = o.id`

const REFUNDS = `
  INSERT INTO refund (merchant_id, id, payment_id, channel_account_id, origin, amount, currency, reason, state,
                      channel_refund_id, sent_at, created_at, succeeded_at)
  SELECT $1, id, payment_id, $2, 'merchant', amount, 'CNY', 'returned', 'succeeded', number, sent_at, sent_at,
         sent_at
  FROM given_back`
