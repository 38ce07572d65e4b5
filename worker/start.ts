import { Cron } from 'croner'
import type { Logger } from 'pino'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { openDatabase, workerDatabase } from '#db/database'
import { assertDurable } from '#db/durability'
import { jobsOf } from '#db/job'
import type { SealKey } from '#db/seal'
import { sweep } from '#db/sweep'
import type { SweepCounts } from '#db/sweep'
import { addMs } from '#domain/time'
import type { Clock } from '#domain/time'
import type { WorkerDeps } from './deps.ts'
import { createPointsClient } from './points-client.ts'
import { openQueues, startConsumers, stopQueues } from './queue.ts'

export interface WorkerOptions {
  readonly databaseUrl: string
  readonly sealKey: SealKey
  readonly pointsUrl: string
  readonly localHosts: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  readonly compensationSeconds: number
  /** Seconds that a waiting row is left alone before the sweeper feeds it again. */
  readonly retrySeconds: number
  readonly querySeconds: number
  readonly pollingSeconds: number
  /** When the sweeper runs; seconds come first. */
  readonly sweepPattern: string
  readonly requireDurable: boolean
}

export interface Worker {
  /** Runs the sweeper now. */
  sweep(): Promise<SweepCounts>
  stop(): Promise<void>
}

const MS_PER_SECOND = 1000

/** Starts queues and schedules. Every job may run twice, late, and beside its twin. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { clock, log } = options
  const onError = (error: Error): void => log.error({ error: error.message }, 'database connection')
  const db = openDatabase(options.databaseUrl, workerDatabase, onError)
  if (options.requireDurable) await assertDurable(db)
  const boss = await openQueues(options.databaseUrl, onError)
  const deps: WorkerDeps = {
    db,
    clock,
    log,
    jobs: jobsOf(boss),
    now: () => clock.now(),
    registry: createRegistry(strategies, {
      clock,
      fetch: (url, init) => fetch(url, init),
      localHosts: options.localHosts,
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
    }),
    sealKey: options.sealKey,
    points: createPointsClient(options.pointsUrl),
    compensationSeconds: options.compensationSeconds,
    retrySeconds: options.retrySeconds,
  }
  await startConsumers(boss, deps, { pollingSeconds: options.pollingSeconds })
  const sweepNow = (): Promise<SweepCounts> => {
    const now = clock.now()
    return sweep(db, deps.jobs, {
      now,
      overdueSince: addMs(now, -options.retrySeconds * MS_PER_SECOND),
      nextQueryAt: addMs(now, options.querySeconds * MS_PER_SECOND),
    })
  }
  // A sweep that fails is repeated by the next tick; `protect` keeps two from overlapping.
  const settings = {
    protect: true,
    catch: (error: unknown) => log.warn({ error: String(error) }, 'sweep failed'),
  }
  const schedule = new Cron(options.sweepPattern, settings, async () => {
    const counts = await sweepNow()
    if (counts.notifications + counts.grants > 0) log.info({ ...counts }, 'swept overdue rows')
  })
  return {
    sweep: sweepNow,
    async stop() {
      schedule.stop()
      await stopQueues(boss)
      await db.destroy()
    },
  }
}
