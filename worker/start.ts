import { Cron } from 'croner'
import type { Logger } from 'pino'
import { billDatabase, openDatabase, workerDatabase } from '#db/database'
import { assertDurable } from '#db/durability'
import { jobsOf } from '#db/job'
import { makePartitions } from '#db/partition'
import type { SweepCounts } from '#db/sweep'
import type { WorkerDeps, WorkerOptions } from './deps.ts'
import { removeLeftBills } from './bill-file.ts'
import { tickBills, wakeBills } from './bill-schedule.ts'
import { makeDeps } from './make-deps.ts'
import { createHeapKeeper, ownHeap } from './heap.ts'
import { refreshVendorKeys } from './key-refresh.ts'
import type { KeyRefreshCounts } from './key-refresh.ts'
import { openQueues, startConsumers, stopQueues } from './queue.ts'
import { sweepNow } from './sweep.ts'

export interface Worker {
  /** Runs the sweeper now. */
  sweep(): Promise<SweepCounts>
  /** Asks the vendors for their keys now. */
  refreshKeys(): Promise<KeyRefreshCounts>
  /** Seconds by which our clock is ahead of the vendors'; `undefined` before the first answer. */
  clockSkewSeconds(): number | undefined
  stop(): Promise<void>
}

/** Away from the full hour, when everybody asks. */
export const KEY_REFRESH_PATTERN = '0 23 5,17 * * *'
/** When the schedule looks for bills that can be asked for. */
export const BILL_PATTERN = '0 */5 * * * *'
/** When it looks for what a worker that was killed has left. */
const BILL_WAKE_PATTERN = '15,45 * * * * *'
const PARTITION_PATTERN = '0 37 3 * * *'
const HEAP_PATTERN = '*/5 * * * * *'

/** Starts queues and schedules. Every job may run twice, late, and beside its twin. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { clock, log } = options
  const onError = (error: Error): void => log.error({ error: error.message }, 'database connection')
  const db = openDatabase(options.databaseUrl, workerDatabase, onError)
  const billDb = openDatabase(options.databaseUrl, billDatabase, onError)
  if (options.requireDurable) await assertDurable(db)
  await cleanUp(log)
  const boss = await openQueues(options.databaseUrl, onError)
  const { deps, clockSkewSeconds } = makeDeps(options, { db, billDb, jobs: jobsOf(boss) })
  await startConsumers(boss, deps, { pollingSeconds: options.pollingSeconds })
  const sweepAll = (): Promise<SweepCounts> => sweepNow(deps, options.querySeconds)
  const [bills, waitingBills] = billSchedules(options, deps)
  const keepHeap = createHeapKeeper(ownHeap)
  const schedules = [
    bills,
    waitingBills,
    schedule(log, 'sweep', options.sweepPattern, async () => {
      const counts = await sweepAll()
      if (counts.notifications + counts.grants + counts.events > 0)
        log.info({ ...counts }, 'swept overdue rows')
    }),
    schedule(log, 'key refresh', options.keyRefreshPattern ?? KEY_REFRESH_PATTERN, async () => {
      log.info({ ...(await refreshVendorKeys(deps)) }, 'vendor keys refreshed')
    }),
    schedule(log, 'heap', HEAP_PATTERN, async () => void keepHeap()),
    schedule(log, 'partition', options.partitionPattern ?? PARTITION_PATTERN, async () => {
      const made = await makePartitions(db, clock.now())
      if (made.length > 0) log.info({ made }, 'months of tables made')
    }),
  ]
  // What was missed while nobody ran is made up from now on, not with the next tick (reliability notes, section 1.9).
  await bills.trigger()
  return {
    sweep: sweepAll,
    refreshKeys: () => refreshVendorKeys(deps),
    clockSkewSeconds,
    async stop() {
      for (const item of schedules) item.stop()
      await stopQueues(boss)
      await deps.eventPool.drain()
      await db.destroy()
      await billDb.destroy()
    },
  }
}

/** What a worker that was killed has left on the disk. */
async function cleanUp(log: Logger): Promise<void> {
  const left = await removeLeftBills()
  if (left > 0) log.info({ left }, 'bills of processes that are no more removed')
}

/** What nobody has begun, and, more often, what waits. */
const billSchedules = (
  { log, billPattern = BILL_PATTERN, billWakePattern = BILL_WAKE_PATTERN }: WorkerOptions,
  deps: WorkerDeps,
): readonly [Cron, Cron] => [
  schedule(log, 'bills', billPattern, async () => {
    const tick = await tickBills(deps)
    if (tick.planned + tick.funds + tick.woken > 0) log.info({ ...tick }, 'bills planned')
  }),
  schedule(log, 'waiting bills', billWakePattern, async () => {
    const woken = await wakeBills(deps)
    if (woken > 0) log.info({ woken }, 'bills taken up again')
  }),
]

/** What fails is repeated by the next tick; `protect` keeps two of one kind from overlapping. */
function schedule(log: Logger, name: string, pattern: string, work: () => Promise<void>): Cron {
  const settings = {
    protect: true,
    catch: (error: unknown) => log.warn({ error: String(error) }, `${name} failed`),
  }
  return new Cron(pattern, settings, work)
}
