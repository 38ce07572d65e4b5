import { sql } from 'kysely'
import type { RawBuilder, Selectable } from 'kysely'
import { newRunId } from '#domain/id'
import type { MerchantId, RunId, VendorMerchantId } from '#domain/id'
import { around } from '#failpoint'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { takeDue } from '../due.ts'
import type { Jobs } from '../job.ts'
import type { Schema } from '../schema.ts'
import { jobOfRun } from './run-job.ts'

export type RunRow = Selectable<Schema['schedule_run']>

/** A merchant number at a vendor whose bills are ours to fetch. */
export interface BillOwner {
  readonly merchantId: MerchantId
  readonly vendorMerchantId: VendorMerchantId
  readonly strategy: string
  readonly channel: string
  /** When its first account was added: no bill before that day is ours. */
  readonly since: Date
}

/** Every merchant number that an account which is not retired belongs to. */
export async function findBillOwners(db: Db): Promise<readonly BillOwner[]> {
  const rows = await db
    .selectFrom('channel_account')
    .select(['merchant_id', 'vendor_merchant_id', 'strategy', 'channel'])
    .select((of) => of.fn.min('created_at').as('since'))
    .where('retired', '=', false)
    .groupBy(['merchant_id', 'vendor_merchant_id', 'strategy', 'channel'])
    .orderBy('vendor_merchant_id')
    .execute()
  return rows.map((row) => ({
    merchantId: row.merchant_id,
    vendorMerchantId: row.vendor_merchant_id,
    strategy: row.strategy,
    channel: row.channel,
    since: row.since,
  }))
}

/** `bill` is the transaction bill. A day's fund bill has a run of its own, so that it holds nothing up. */
export type BillTask = 'bill' | 'fund'

export interface NewRun {
  readonly owner: BillOwner
  readonly task: BillTask
  readonly businessDate: string
  readonly dueAt: Date
  readonly deadlineAt: Date
}

/**
 * Writes the days that nobody has begun, and queues them in the same commit. A tick that comes twice, or at
 * two workers, finds them there and adds nothing.
 */
export async function planRuns(db: Db, jobs: Jobs, runs: readonly NewRun[]): Promise<number> {
  let planned = 0
  for (const group of Map.groupBy(runs, ({ owner }) => owner.merchantId).values()) {
    planned += await planRunsOf(db, jobs, group)
  }
  return planned
}

/** Of one merchant, and in one commit. */
function planRunsOf(db: Db, jobs: Jobs, runs: readonly NewRun[]): Promise<number> {
  return commit(db, 'run.plan', async (trx) => {
    const created = await trx
      .insertInto('schedule_run')
      .values(
        runs.map(({ owner, task, businessDate, dueAt, deadlineAt }) => ({
          merchant_id: owner.merchantId,
          task,
          vendor_merchant_id: owner.vendorMerchantId,
          business_date: businessDate,
          id: newRunId(),
          due_at: dueAt,
          deadline_at: deadlineAt,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .returning(['merchant_id', 'id', 'task', 'business_date'])
      .execute()
    const dates = [...new Set(created.map((row) => row.business_date))].toSorted().toReversed()
    await jobs.send(
      trx,
      'bill-download',
      created.map((row) => ({
        data: jobOfRun(row),
        // The oldest day first, and no fund bill before a transaction bill.
        priority: dates.indexOf(row.business_date) - (row.task === 'fund' ? dates.length : 0),
      })),
    )
    return created.length
  })
}

/** Wakes up runs whose time has come: their job is lost, or the bill was not ready. Pushes `due_at`. */
export async function wakeRuns(
  db: Db,
  jobs: Jobs,
  { now, leaseUntil }: { readonly now: Date; readonly leaseUntil: Date },
): Promise<number> {
  const due = { table: 'schedule_run', column: 'due_at', before: now, to: leaseUntil } as const
  const wake = (
    queue: 'reconcile' | 'bill-download',
    { state, task }: { readonly state: RawBuilder<unknown>; readonly task: BillTask },
  ): Promise<number> => {
    const isFund = task === 'fund'
    const only = sql`${state} AND ${isFund ? sql`task = 'fund'` : sql`task <> 'fund'`}`
    return takeDue<RunId>(db, { ...due, only }, (trx, merchantId, ids) =>
      jobs.send(
        trx,
        queue,
        // Ids of runs go up with their days; no fund bill goes before a transaction bill.
        ids.map((id, index) => ({
          data: jobOfRun({ merchant_id: merchantId, id, task }),
          priority: (isFund ? 0 : ids.length) - index,
        })),
      ),
    )
  }
  let woken = 0
  // Whatever is no fund bill comes first: points, too, whose jobs are like a transaction bill's.
  for (const task of ['bill', 'fund'] as const) {
    woken += await wake('reconcile', { state: sql`state = 'loaded'`, task })
    woken += await wake('bill-download', { state: sql`state <> 'loaded'`, task })
  }
  return woken
}

/** What a job takes, and for how long. */
export interface Claim {
  readonly id: RunId
  readonly state: 'waiting' | 'loaded'
  readonly now: Date
  readonly heldUntil: Date
}

/**
 * Takes a run for a while; `undefined` when it is not in this state, or somebody is at work on it. When a hold has
 * ended without a word, the next one takes it, and its word counts: each claim is counted in `attempts`.
 */
export const claimRun = (
  db: Db,
  merchantId: MerchantId,
  { id, state, now, heldUntil }: Claim,
): Promise<RunRow | undefined> =>
  around('bill.claim', () =>
    db
      .updateTable('schedule_run')
      .set({ due_at: heldUntil, held_until: heldUntil, attempts: sql`attempts + 1` })
      .where('merchant_id', '=', merchantId)
      .where('id', '=', id)
      .where('state', '=', state)
      .where((where) =>
        where.or([where.eb('held_until', 'is', null), where.eb('held_until', '<=', now)]),
      )
      .returningAll()
      .executeTakeFirst(),
  )

/**
 * Holds a run that was taken for longer, or lets go of it: then its queue has it, and the schedule looks again when
 * it is due. Changes nothing when it was taken or moved since.
 */
export const holdRun = (
  db: Db,
  run: RunRow,
  { until, dueAt }: { readonly until: Date | null; readonly dueAt: Date },
): Promise<unknown> =>
  around('run.hold', () =>
    db
      .updateTable('schedule_run')
      .set({ due_at: dueAt, held_until: until })
      .where('merchant_id', '=', run.merchant_id)
      .where('id', '=', run.id)
      .where('state', '=', run.state)
      .where('attempts', '=', run.attempts)
      .where('held_until', 'is not', null)
      .executeTakeFirst(),
  )

export interface RunChange {
  readonly state: RunRow['state']
  readonly dueAt: Date | null
  readonly note: string
  readonly finishedAt?: Date
}

/** Moves a run, for people with a word why. False when it was taken or moved since it was read. */
export async function changeRun(db: Db | Trx, run: RunRow, change: RunChange): Promise<boolean> {
  const moved = await around('run.change', () =>
    db
      .updateTable('schedule_run')
      .set({
        state: change.state,
        due_at: change.dueAt,
        held_until: null,
        note: change.note,
        ...(change.finishedAt === undefined ? {} : { finished_at: change.finishedAt }),
      })
      .where('merchant_id', '=', run.merchant_id)
      .where('id', '=', run.id)
      .where('state', '=', run.state)
      .where('attempts', '=', run.attempts)
      .returning('id')
      .execute(),
  )
  return moved.length === 1
}
