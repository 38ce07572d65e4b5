import { sql } from 'kysely'
import { digestFacts, storeFacts } from '#domain/facts'
import { newNotificationId } from '#domain/id'
import type { ChannelAccountId, MerchantId, NotificationId } from '#domain/id'
import type { VerifiedNotification } from '#domain/notification'
import { hit } from '#failpoint'
import { openCases } from '../case/case.ts'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import type { Jobs } from '../job.ts'

/** A verified callback on its way to its row. */
export interface Arrival {
  readonly merchantId: MerchantId
  readonly channelAccountId: ChannelAccountId
  readonly notification: VerifiedNotification
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

interface Row {
  readonly id: NotificationId
  readonly arrival: Arrival
  readonly eventKey: string
  readonly facts: string
  readonly digest: string
  readonly paymentNumber: string | null
}

/** Seconds after which the second consumer looks whether everything has happened. */
export interface StoreOptions {
  readonly compensationSeconds: number
}

/**
 * Stores callbacks that arrived together in one commit, with one pair of jobs per merchant.
 *
 * When it resolves, every arrival is durable: its own row, or the row of an earlier delivery. Rows go in
 * sorted by key, because two gateways that insert the same keys in different orders deadlock.
 */
export async function storeNotifications(
  db: Db,
  jobs: Jobs,
  arrivals: readonly Arrival[],
  options: StoreOptions,
): Promise<void> {
  const rows = arrivals.map(toRow)
  hit('callback.begin:before')
  await commit(db, 'callback.commit', async (trx) => {
    hit('callback.begin:after')
    const inserted = await insertRows(trx, rows)
    await sendJobs(
      trx,
      jobs,
      rows.filter((row) => inserted.has(row.id)),
      options,
    )
    await storeConflicts(
      trx,
      rows.filter((row) => !inserted.has(row.id)),
    )
  })
}

function toRow(arrival: Arrival): Row {
  const { facts } = arrival.notification
  const eventKey = storable(arrival.notification.eventKey)
  const stored = storeFacts(facts)
  return {
    id: newNotificationId(),
    arrival,
    eventKey,
    facts: JSON.stringify(stored, (_key, value: unknown) =>
      typeof value === 'string' ? storable(value) : value,
    ),
    digest: digestFacts(stored),
    paymentNumber:
      typeof stored['paymentNumber'] === 'string' ? storable(stored['paymentNumber']) : null,
  }
}

/**
 * Text as PostgreSQL can hold it: without NUL and without half a surrogate pair.
 *
 * The raw body keeps both. A genuine callback must be storable whatever it says, or it comes again for ever.
 */
const storable = (text: string): string => text.replaceAll('\u0000', '\ufffd').toWellFormed()

// Raw, because kysely has no `unnest` over several arrays.
async function insertRows(trx: Trx, rows: readonly Row[]): Promise<Set<NotificationId>> {
  hit('callback.insert:before')
  const result = await sql<{ id: NotificationId }>`
    INSERT INTO notification (merchant_id, id, channel_account_id, event_key, facts, facts_digest,
                              payment_number, key_serial, headers, body)
    SELECT merchant_id, id, account_id, event_key, facts::jsonb, digest, number, serial, headers::jsonb, body
    FROM unnest(
      ${rows.map((row) => row.arrival.merchantId)}::text[],
      ${rows.map((row) => row.id)}::text[],
      ${rows.map((row) => row.arrival.channelAccountId)}::text[],
      ${rows.map((row) => row.eventKey)}::text[],
      ${rows.map((row) => row.facts)}::text[],
      ${rows.map((row) => row.digest)}::text[],
      ${rows.map((row) => row.paymentNumber)}::text[],
      ${rows.map((row) => row.arrival.notification.keySerial)}::text[],
      ${rows.map((row) => JSON.stringify(row.arrival.headers))}::text[],
      ${rows.map((row) => Buffer.from(row.arrival.body))}::bytea[]
    ) AS t (merchant_id, id, account_id, event_key, facts, digest, number, serial, headers, body)
    ORDER BY account_id, event_key
    ON CONFLICT DO NOTHING
    RETURNING id`.execute(trx)
  hit('callback.insert:after')
  return new Set(result.rows.map((row) => row.id))
}

async function sendJobs(
  trx: Trx,
  jobs: Jobs,
  rows: readonly Row[],
  options: StoreOptions,
): Promise<void> {
  const byMerchant = Map.groupBy(rows, (row) => row.arrival.merchantId)
  const payloads = [...byMerchant].map(([merchantId, group]) => ({
    merchantId,
    notificationIds: group.map((row) => row.id),
  }))
  hit('callback.order-status-job:before')
  await jobs.send(
    trx,
    'order-status',
    payloads.map((data) => ({ data })),
  )
  hit('callback.order-status-job:after')
  const startAfterSeconds = options.compensationSeconds
  hit('callback.compensation-job:before')
  await jobs.send(
    trx,
    'compensation',
    payloads.map((data) => ({ data, startAfterSeconds })),
  )
  hit('callback.compensation-job:after')
}

/** The same key with other facts is kept beside the first one, and a person looks (payment rules, 2). */
async function storeConflicts(trx: Trx, rows: readonly Row[]): Promise<void> {
  for (const row of rows) {
    const { merchantId, channelAccountId, notification, headers, body } = row.arrival
    hit('callback.conflict-read:before')
    const first = await trx
      .selectFrom('notification')
      .select('facts_digest')
      .where('merchant_id', '=', merchantId)
      .where('channel_account_id', '=', channelAccountId)
      .where('event_key', '=', row.eventKey)
      .executeTakeFirstOrThrow()
    hit('callback.conflict-read:after')
    if (first.facts_digest === row.digest) continue
    hit('callback.conflict-row:before')
    await trx
      .insertInto('notification')
      .values({
        merchant_id: merchantId,
        id: row.id,
        channel_account_id: channelAccountId,
        event_key: `${row.eventKey}:conflict:${row.digest}`,
        facts: row.facts,
        facts_digest: row.digest,
        payment_number: row.paymentNumber,
        key_serial: notification.keySerial,
        headers: JSON.stringify(headers),
        body: Buffer.from(body),
        state: 'quarantined',
        quarantine_reason: 'event_conflict',
        due_at: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    hit('callback.conflict-row:after')
    hit('callback.conflict-case:before')
    await openCases(trx, [
      {
        merchantId,
        kind: 'event_conflict',
        subject: row.eventKey,
        evidence: { notification: row.id },
      },
    ])
    hit('callback.conflict-case:after')
  }
}
