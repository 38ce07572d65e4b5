import { sql } from 'kysely'
import type { DeliveryId, NotificationId, PaymentId, PointsGrantId, RefundId } from '#domain/id'
import { addMs } from '#domain/time'
import type { Db } from './database.ts'
import { takeDue } from './due.ts'
import type { Due } from './due.ts'
import type { Jobs } from './job.ts'

export interface SweepOptions {
  /** Rows that were due earlier than this are overdue. */
  readonly overdueSince: Date
  /** Payments whose next query was due before this are asked about now. */
  readonly now: Date
  /** When a payment that is asked about now comes up again. */
  readonly nextQueryAt: Date
  /**
   * The newest row of a kind whose turn has come, while its queue is behind: a newer one waits in it for a job
   * of its own, and is not fed again.
   */
  readonly reached?: Readonly<Partial<Record<QueuedKind, string | undefined>>>
}

/** Rows that have a job from the commit that made them. */
export type QueuedKind = 'notifications' | 'grants' | 'events'

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
  const due = dueOf(options)
  return {
    notifications: await takeDue<NotificationId>(
      db,
      due.notifications,
      (trx, merchantId, notificationIds) =>
        jobs.send(trx, 'compensation', [{ data: { merchantId, notificationIds } }]),
    ),
    grants: await takeDue<PointsGrantId>(db, due.grants, (trx, merchantId, grantIds) =>
      jobs.send(trx, 'compensation', [{ data: { merchantId, grantIds } }]),
    ),
    queries: await takeDue<PaymentId>(db, due.queries, (trx, merchantId, ids) =>
      jobs.send(
        trx,
        'payment-query',
        ids.map((paymentId) => ({ data: { merchantId, paymentId } })),
      ),
    ),
    refunds: await takeDue<RefundId>(db, due.refunds, (trx, merchantId, refundIds) =>
      jobs.send(trx, 'compensation', [{ data: { merchantId, refundIds } }]),
    ),
    events: await takeDue<DeliveryId>(db, due.events, (trx, merchantId, deliveryIds) =>
      jobs.send(trx, 'compensation', [{ data: { merchantId, deliveryIds } }]),
    ),
  }
}

/** An event that is due for longer has lost its job, or never had one. */
const EVENT_GRACE_MS = 5_000

/**
 * What is overdue in each table.
 *
 * A row that is fed is due now, and so it is behind the others on the next tick: the many that wait for an
 * address that hangs never keep a tick from the few that wait for another. Queries are planned by their moment,
 * of refunds as of payments.
 */
function dueOf(options: SweepOptions): Record<keyof SweepCounts, Due> {
  const { overdueSince, now, nextQueryAt, reached } = options
  const grace = addMs(now, -EVENT_GRACE_MS)
  return {
    notifications: {
      table: 'notification',
      column: 'due_at',
      before: overdueSince,
      to: now,
      ...hadTurn(reached?.notifications),
    },
    grants: {
      table: 'points_grant',
      column: 'due_at',
      before: overdueSince,
      to: now,
      ...hadTurn(reached?.grants),
    },
    queries: {
      table: 'payment',
      column: 'next_query_at',
      before: now,
      to: nextQueryAt,
      also: sql`, queries = queries + 1`,
    },
    refunds: { table: 'refund', column: 'due_at', before: now, to: nextQueryAt },
    events: {
      table: 'event_delivery',
      column: 'due_at',
      before: grace,
      to: now,
      ...hadTurn(reached?.events),
    },
  }
}

/** Ids sort by time. */
const hadTurn = (newest: string | undefined): Pick<Due, 'only'> =>
  newest === undefined ? {} : { only: sql`id COLLATE "C" <= ${newest}` }
