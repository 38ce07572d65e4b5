import { sql } from 'kysely'
import type {
  DeliveryId,
  MerchantId,
  NotificationId,
  PaymentId,
  PointsGrantId,
  RefundId,
} from '#domain/id'
import { addMs } from '#domain/time'
import type { Db } from './database.ts'
import type { Jobs } from './job.ts'

const ROWS_MAX = 500

export interface SweepOptions {
  /** Rows that were due earlier than this are overdue. */
  readonly overdueSince: Date
  /** Payments whose next query was due before this are asked about now. */
  readonly now: Date
  /** When a payment that is asked about now comes up again. */
  readonly nextQueryAt: Date
}

/** What a sweep found and fed to the queues. */
export interface SweepCounts {
  readonly notifications: number
  readonly grants: number
  readonly queries: number
  readonly refunds: number
  readonly events: number
}

/**
 * Feeds overdue rows to `compensation`: the guarantee behind every lost or dead job.
 *
 * It reads rows, never pg-boss's tables. `due_at` is pushed forward in the same commit, so that the same
 * row is not fed again on each tick of an outage.
 */
export async function sweep(db: Db, jobs: Jobs, options: SweepOptions): Promise<SweepCounts> {
  const notifications = await sweepNotifications(db, jobs, options)
  const grants = await sweepGrants(db, jobs, options)
  const queries = await sweepQueries(db, jobs, options)
  const refunds = await sweepRefunds(db, jobs, options)
  const events = await sweepEvents(db, jobs, options)
  return { notifications, grants, queries, refunds, events }
}

interface Due<Id> {
  readonly merchant_id: MerchantId
  readonly id: Id
}

const byMerchant = <Id>(rows: readonly Due<Id>[]) =>
  [...Map.groupBy(rows, (row) => row.merchant_id)].map(([merchantId, group]) => ({
    merchantId,
    ids: group.map((row) => row.id),
  }))

function sweepNotifications(
  db: Db,
  jobs: Jobs,
  { overdueSince, now }: SweepOptions,
): Promise<number> {
  return db.transaction().execute(async (trx) => {
    // Raw, because kysely cannot update rows that a locking subquery chose.
    const { rows } = await sql<Due<NotificationId>>`
      UPDATE notification n SET due_at = ${now}
      FROM (SELECT merchant_id, id FROM notification WHERE due_at < ${overdueSince}
            ORDER BY due_at LIMIT ${ROWS_MAX} FOR NO KEY UPDATE SKIP LOCKED) d
      WHERE n.merchant_id = d.merchant_id AND n.id = d.id
      RETURNING n.merchant_id, n.id`.execute(trx)
    const payloads = byMerchant(rows).map(({ merchantId, ids }) => ({
      data: { merchantId, notificationIds: ids },
    }))
    await jobs.send(trx, 'compensation', payloads)
    return rows.length
  })
}

function sweepGrants(db: Db, jobs: Jobs, { overdueSince, now }: SweepOptions): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<Due<PointsGrantId>>`
      UPDATE points_grant g SET due_at = ${now}
      FROM (SELECT merchant_id, id FROM points_grant WHERE due_at < ${overdueSince}
            ORDER BY due_at LIMIT ${ROWS_MAX} FOR NO KEY UPDATE SKIP LOCKED) d
      WHERE g.merchant_id = d.merchant_id AND g.id = d.id
      RETURNING g.merchant_id, g.id`.execute(trx)
    const payloads = byMerchant(rows).map(({ merchantId, ids }) => ({
      data: { merchantId, grantIds: ids },
    }))
    await jobs.send(trx, 'compensation', payloads)
    return rows.length
  })
}

/** A refund's `due_at` is a moment, not a limit: queries are planned with it. */
function sweepRefunds(db: Db, jobs: Jobs, { now, nextQueryAt }: SweepOptions): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<Due<RefundId>>`
      UPDATE refund r SET due_at = ${nextQueryAt}
      FROM (SELECT merchant_id, id FROM refund WHERE due_at < ${now}
            ORDER BY due_at LIMIT ${ROWS_MAX} FOR NO KEY UPDATE SKIP LOCKED) d
      WHERE r.merchant_id = d.merchant_id AND r.id = d.id
      RETURNING r.merchant_id, r.id`.execute(trx)
    const payloads = byMerchant(rows).map(({ merchantId, ids }) => ({
      data: { merchantId, refundIds: ids },
    }))
    await jobs.send(trx, 'compensation', payloads)
    return rows.length
  })
}

/** An event that is due for longer has lost its job, or never had one. */
const EVENT_GRACE_MS = 5_000

/**
 * Events have their own schedule in `due_at`; a few seconds past it they are fed.
 *
 * A row that is fed is due now, and so it is behind the others on the next tick: the many that wait for an
 * address that hangs never keep a tick from the few that wait for another.
 */
function sweepEvents(db: Db, jobs: Jobs, { now }: SweepOptions): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<Due<DeliveryId>>`
      UPDATE event_delivery e SET due_at = ${now}
      FROM (SELECT merchant_id, id FROM event_delivery WHERE due_at < ${addMs(now, -EVENT_GRACE_MS)}
            ORDER BY due_at LIMIT ${ROWS_MAX} FOR NO KEY UPDATE SKIP LOCKED) d
      WHERE e.merchant_id = d.merchant_id AND e.id = d.id
      RETURNING e.merchant_id, e.id`.execute(trx)
    const payloads = byMerchant(rows).map(({ merchantId, ids }) => ({
      data: { merchantId, deliveryIds: ids },
    }))
    await jobs.send(trx, 'compensation', payloads)
    return rows.length
  })
}

function sweepQueries(db: Db, jobs: Jobs, { now, nextQueryAt }: SweepOptions): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<Due<PaymentId>>`
      UPDATE payment p SET next_query_at = ${nextQueryAt}, queries = queries + 1
      FROM (SELECT merchant_id, id FROM payment WHERE next_query_at < ${now}
            ORDER BY next_query_at LIMIT ${ROWS_MAX} FOR NO KEY UPDATE SKIP LOCKED) d
      WHERE p.merchant_id = d.merchant_id AND p.id = d.id
      RETURNING p.merchant_id, p.id`.execute(trx)
    const payloads = rows.map((row) => ({
      data: { merchantId: row.merchant_id, paymentId: row.id },
    }))
    await jobs.send(trx, 'payment-query', payloads)
    return rows.length
  })
}
