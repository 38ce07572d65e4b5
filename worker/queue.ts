import { PgBoss } from 'pg-boss'
import type { Job } from 'pg-boss'
import { openCase } from '#db/case/case'
import { commit } from '#db/commit'
import { parseMerchantId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import { JOB_VERSION, QUEUE_NAMES, deadLetterOf } from '#domain/job'
import type { JobByQueue, QueueName } from '#domain/job'
import type { WorkerDeps } from './deps.ts'
import { runCompensation } from './job/compensation.ts'
import { runBillDownload } from './job/bill-download.ts'
import { runDiscrepancyResolve } from './job/discrepancy-resolve.ts'
import { runMerchantEvent } from './job/merchant-event.ts'
import { runOrderStatus } from './job/order-status.ts'
import { runPaymentClose } from './job/payment-close.ts'
import { runPaymentQuery } from './job/payment-query.ts'
import { runPointsAward } from './job/points-award.ts'
import { runReconcile } from './job/reconcile.ts'
import { runRefundQuery } from './job/refund-query.ts'
import { runRefundSubmit } from './job/refund-submit.ts'

type Handler<Name extends QueueName> = (
  deps: WorkerDeps,
  job: JobByQueue[Name],
  signal: AbortSignal,
) => Promise<void>

type Handlers = { readonly [Name in QueueName]: Handler<Name> }

const handlers: Handlers = {
  'order-status': runOrderStatus,
  'points-award': runPointsAward,
  compensation: runCompensation,
  'payment-query': runPaymentQuery,
  'payment-close': runPaymentClose,
  'refund-submit': runRefundSubmit,
  'refund-query': runRefundQuery,
  'merchant-event': runMerchantEvent,
  'bill-download': runBillDownload,
  reconcile: runReconcile,
  'discrepancy-resolve': runDiscrepancyResolve,
}

export interface QueueOptions {
  readonly pollingSeconds: number
}

/** A job is ids: a batch costs one fetch. A full batch is followed by the next at once. */
const BATCH_SIZE = 50
/** Bills are large: their memory and their connections are not multiplied. */
const ONE_AT_A_TIME: ReadonlySet<QueueName> = new Set(['bill-download', 'reconcile'])
const SUPERVISE_SECONDS = 10
const STOP_TIMEOUT_MS = 20_000

/**
 * pg-boss reads by its indexes, in their order. A planner whose figures are of before a rush expects a handful of
 * waiting jobs, reads them all instead and sorts them, for each batch of fifty anew.
 */
const BY_INDEX = '-c enable_bitmapscan=off'

/** Opens the queues of this worker. It neither migrates nor makes queues: `migrate` does. */
export async function openQueues(url: string, onError: (error: Error) => void): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: url,
    schema: 'pgboss',
    supervise: true,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    schedule: false,
    migrate: false,
    createSchema: false,
    max: 10,
    options: BY_INDEX,
  })
  boss.on('error', onError)
  await boss.start()
  return boss
}

/** Starts one consumer per queue and one per dead letter. */
export async function startConsumers(
  boss: PgBoss,
  deps: WorkerDeps,
  options: QueueOptions,
): Promise<void> {
  await consume(boss, 'order-status', deps, options)
  await consume(boss, 'points-award', deps, options)
  await consume(boss, 'compensation', deps, options)
  await consume(boss, 'payment-query', deps, options)
  await consume(boss, 'payment-close', deps, options)
  await consume(boss, 'refund-submit', deps, options)
  await consume(boss, 'refund-query', deps, options)
  await consume(boss, 'merchant-event', deps, options)
  await consume(boss, 'bill-download', deps, options)
  await consume(boss, 'reconcile', deps, options)
  await consume(boss, 'discrepancy-resolve', deps, options)
  for (const name of QUEUE_NAMES) await consumeDead(boss, name, deps, options)
}

/**
 * Jobs of a batch that run at once, where not all do.
 *
 * A job of these is up to 64 callbacks in one long transaction: 50 of them wait for the ten connections for
 * so long that they give up, and are done again row by row.
 */
const AT_ONCE_MAX: Readonly<Partial<Record<QueueName, number>>> = {
  'order-status': 3,
  compensation: 3,
}

/** How a queue is worked off. The benchmark's jobs that do nothing are worked off in the same way. */
export const workSettings = (name: QueueName, { pollingSeconds }: QueueOptions) =>
  ({
    batchSize: ONE_AT_A_TIME.has(name) ? 1 : BATCH_SIZE,
    pollingIntervalSeconds: pollingSeconds,
    perJobResults: true,
    burstWhenBatchFull: true,
  }) as const

async function consume<Name extends QueueName>(
  boss: PgBoss,
  name: Name,
  deps: WorkerDeps,
  options: QueueOptions,
): Promise<void> {
  await boss.work(name, workSettings(name, options), (jobs: Job<JobByQueue[Name]>[]) =>
    runJobs(deps, name, jobs),
  )
}

/** How a job ended. `failed`: it goes back to its queue. */
export type JobEnd =
  | { readonly id: string; readonly status: 'completed' }
  | {
      readonly id: string
      readonly status: 'failed'
      readonly output: { readonly message: string }
    }

/** Jobs of a batch end apart: one that throws goes back to the queue, its neighbours are completed. */
export function runJobs<Name extends QueueName>(
  deps: WorkerDeps,
  name: Name,
  jobs: readonly Job<JobByQueue[Name]>[],
): Promise<JobEnd[]> {
  const handler: Handler<Name> = handlers[name]
  const done = deps.turns.begin(name, jobs, jobs.length >= BATCH_SIZE)
  const ends = mapAtMost(AT_ONCE_MAX[name] ?? BATCH_SIZE, jobs, async (job) => {
    try {
      if (isNewer(job.data)) await leave(deps, name, job)
      else await handler(deps, expectMerchant(job.data), job.signal)
      return { id: job.id, status: 'completed' as const }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      deps.log.warn({ queue: name, job: job.id, error: message }, 'job goes back to its queue')
      return { id: job.id, status: 'failed' as const, output: { message } }
    }
  })
  return ends.finally(done)
}

/** Lanes that share one iterator; results come in the order in which they are done. */
async function mapAtMost<T, Result>(
  max: number,
  items: readonly T[],
  work: (item: T) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const left = items.values()
  const lane = async (): Promise<void> => {
    for (const item of left) results.push(await work(item))
  }
  await Promise.all(Array.from({ length: Math.min(max, items.length) }, lane))
  return results
}

/** A dead letter never means "dropped": a person gets a case, and the sweeper still has the row. */
async function consumeDead(
  boss: PgBoss,
  name: QueueName,
  deps: WorkerDeps,
  options: QueueOptions,
): Promise<void> {
  const settings = { pollingIntervalSeconds: options.pollingSeconds }
  await boss.work(deadLetterOf(name), settings, async (jobs: Job<JobByQueue[QueueName]>[]) => {
    for (const job of jobs) {
      const merchantId = merchantOf(job.data)
      if (merchantId === undefined) {
        // No case without a merchant: the line is the alert, and the queue keeps the job for long.
        deps.log.error({ queue: name, job: job.id }, 'dead letter of nobody')
        continue
      }
      await openCase(deps.db, {
        merchantId,
        kind: 'dead_letter',
        subject: `${name} ${job.id}`,
        evidence: { ...job.data },
        ...(name === 'merchant-event' ? { isTold: false } : {}),
      })
    }
  })
}

const NEWER_PAUSE_SECONDS = 60

/** Of a version that is being deployed beside this one. */
const isNewer = (data: unknown): boolean =>
  typeof data === 'object' &&
  data !== null &&
  'version' in data &&
  Number(data.version) > JOB_VERSION

/**
 * Leaves a job to a newer worker: the same payload, later, as a job of its own, because retries are counted
 * and a dead letter would be a case for nothing.
 */
async function leave<Name extends QueueName>(
  { db, jobs, log }: WorkerDeps,
  name: Name,
  { id, data }: Job<JobByQueue[Name]>,
): Promise<void> {
  log.warn({ queue: name, job: id }, 'job of a newer version: left to a newer worker')
  await commit(db, 'job.leave', (trx) =>
    jobs.send(trx, name, [{ data, startAfterSeconds: NEWER_PAUSE_SECONDS }]),
  )
}

/** A job of another shape goes the way of a job that fails: to the dead letters, and never unseen. */
function expectMerchant<T>(data: T): T {
  if (merchantOf(data) === undefined) throw new Error('expected a job of a merchant')
  return data
}

/** What a job says is not checked by its type: one that nobody of ours has sent may say anything. */
function merchantOf(data: unknown): MerchantId | undefined {
  if (typeof data !== 'object' || data === null || !('merchantId' in data)) return undefined
  return parseMerchantId(String(data.merchantId))
}

/** Lets running handlers end; what does not end in time runs again elsewhere. */
export const stopQueues = (boss: PgBoss): Promise<void> =>
  boss.stop({ graceful: true, timeout: STOP_TIMEOUT_MS })
