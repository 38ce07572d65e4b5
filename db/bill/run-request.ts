import { sql } from 'kysely'
import { newRunId } from '#domain/id'
import type { ChannelAccountId, MerchantId, RunId, VendorMerchantId } from '#domain/id'
import { appendAudit } from '../case/audit.ts'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import type { Jobs } from '../job.ts'
import { jobOfRun } from './run-job.ts'
import type { BillTask, RunRow } from './run.ts'

/** Whose bill a person wants, by one of the number's accounts. */
export interface RunOwner {
  readonly merchantId: MerchantId
  readonly vendorMerchantId: VendorMerchantId
  readonly strategy: string
}

export async function findRunOwner(db: Db, id: ChannelAccountId): Promise<RunOwner | undefined> {
  const row = await db
    .selectFrom('channel_account')
    .select(['merchant_id', 'vendor_merchant_id', 'strategy'])
    .where('id', '=', id)
    .executeTakeFirst()
  return (
    row && {
      merchantId: row.merchant_id,
      vendorMerchantId: row.vendor_merchant_id,
      strategy: row.strategy,
    }
  )
}

/** What a person asks for, who, and why. */
export interface RunRequest {
  readonly owner: RunOwner
  readonly task: BillTask
  readonly businessDate: string
  readonly now: Date
  readonly deadlineAt: Date
  readonly actor: string
  readonly reason: string
}

/**
 * Wants a day's bill, again or for the first time: the same run as the schedule's, with a deadline of its own.
 * A job that is at work on it loses its word. `undefined` while a loaded bill waits to be matched.
 */
export const requestBill = (db: Db, jobs: Jobs, request: RunRequest): Promise<RunId | undefined> =>
  commit(db, 'run.request', async (trx) => {
    const run = await takeRun(trx, request)
    if (run.state === 'loaded') return undefined
    await moveRun(trx, request, run, { state: 'waiting', note: `wanted by ${request.actor}` })
    await jobs.send(trx, 'bill-download', [{ data: jobOfRun(run) }])
    await audit(trx, request, 'bill.fetch')
    return run.id
  })

export interface Upload extends RunRequest {
  readonly lines: number
}

/** A person has brought the bill, and it is loaded: the day is matched like every other. */
export const finishUpload = (db: Db, jobs: Jobs, request: Upload): Promise<RunId> =>
  commit(db, 'run.upload', async (trx) => {
    const run = await takeRun(trx, request)
    const note = `${request.lines} lines, brought by ${request.actor}`
    await moveRun(trx, request, run, { state: 'loaded', note })
    await jobs.send(trx, 'reconcile', [{ data: jobOfRun(run) }])
    await audit(trx, request, 'bill.load')
    return run.id
  })

/** The day's run, made when there is none, and locked. */
async function takeRun(
  trx: Trx,
  { owner, task, businessDate, now, deadlineAt }: RunRequest,
): Promise<RunRow> {
  await sql`SELECT set_config('pingzhang.witness', 'operator', true)`.execute(trx)
  const key = {
    merchant_id: owner.merchantId,
    task,
    vendor_merchant_id: owner.vendorMerchantId,
    business_date: businessDate,
  }
  await trx
    .insertInto('schedule_run')
    .values({ ...key, id: newRunId(), due_at: now, deadline_at: deadlineAt })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  return trx
    .selectFrom('schedule_run')
    .selectAll()
    .where('merchant_id', '=', key.merchant_id)
    .where('task', '=', key.task)
    .where('vendor_merchant_id', '=', key.vendor_merchant_id)
    .where('business_date', '=', key.business_date)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow()
}

async function moveRun(
  trx: Trx,
  { now, deadlineAt }: RunRequest,
  run: RunRow,
  to: { readonly state: 'waiting' | 'loaded'; readonly note: string },
): Promise<void> {
  await trx
    .updateTable('schedule_run')
    .set({
      ...to,
      due_at: now,
      deadline_at: deadlineAt,
      finished_at: null,
      held_until: null,
      // What another job says about an earlier attempt does not count any more.
      attempts: sql`attempts + 1`,
    })
    .where('merchant_id', '=', run.merchant_id)
    .where('id', '=', run.id)
    .execute()
}

const audit = (trx: Trx, request: RunRequest, action: string): Promise<void> =>
  appendAudit(trx, {
    merchantId: request.owner.merchantId,
    actor: request.actor,
    action,
    subject: request.owner.vendorMerchantId,
    reason: request.reason,
    content: {
      business_date: request.businessDate,
      ...(request.task === 'fund' ? { bill: 'fund' } : {}),
    },
    at: request.now,
  })
