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
import { watchClockSkew } from './clock-skew.ts'
import type { WorkerDeps } from './deps.ts'
import { refreshVendorKeys } from './key-refresh.ts'
import type { KeyRefreshCounts } from './key-refresh.ts'
import { createPointsClient } from './points-client.ts'
import { createQueryLimit } from './query-limit.ts'
import { openQueues, startConsumers, stopQueues } from './queue.ts'

export interface WorkerOptions {
  readonly databaseUrl: string
  readonly sealKey: SealKey
  readonly pointsUrl: string
  /** Where vendors reach the gateway, without a trailing slash. */
  readonly publicUrl: string
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
  /** When vendors are asked for their current keys; every 12 hours unless given. */
  readonly keyRefreshPattern?: string
  readonly requireDurable: boolean
}

export interface Worker {
  /** Runs the sweeper now. */
  sweep(): Promise<SweepCounts>
  /** Asks the vendors for their keys now. */
  refreshKeys(): Promise<KeyRefreshCounts>
  /** Seconds by which our clock is ahead of the vendors'; `undefined` before the first answer. */
  clockSkewSeconds(): number | undefined
  stop(): Promise<void>
}

const MS_PER_SECOND = 1000
/** Away from the full hour, when everybody asks. */
export const KEY_REFRESH_PATTERN = '0 23 5,17 * * *'

/** Starts queues and schedules. Every job may run twice, late, and beside its twin. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { clock, log } = options
  const onError = (error: Error): void => log.error({ error: error.message }, 'database connection')
  const db = openDatabase(options.databaseUrl, workerDatabase, onError)
  if (options.requireDurable) await assertDurable(db)
  const boss = await openQueues(options.databaseUrl, onError)
  const skew = watchClockSkew((url, init) => fetch(url, init), clock, log)
  const deps: WorkerDeps = {
    db,
    clock,
    log,
    jobs: jobsOf(boss),
    now: () => clock.now(),
    registry: createRegistry(strategies, {
      clock,
      fetch: skew.fetch,
      localHosts: options.localHosts,
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
    }),
    sealKey: options.sealKey,
    points: createPointsClient(options.pointsUrl),
    queryLimit: createQueryLimit(clock),
    publicUrl: options.publicUrl,
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
  const schedules = [
    schedule(log, 'sweep', options.sweepPattern, async () => {
      const counts = await sweepNow()
      if (counts.notifications + counts.grants > 0) log.info({ ...counts }, 'swept overdue rows')
    }),
    schedule(log, 'key refresh', options.keyRefreshPattern ?? KEY_REFRESH_PATTERN, async () => {
      log.info({ ...(await refreshVendorKeys(deps)) }, 'vendor keys refreshed')
    }),
  ]
  return {
    sweep: sweepNow,
    refreshKeys: () => refreshVendorKeys(deps),
    clockSkewSeconds: skew.seconds,
    async stop() {
      for (const item of schedules) item.stop()
      await stopQueues(boss)
      await db.destroy()
    },
  }
}

/** What fails is repeated by the next tick; `protect` keeps two of one kind from overlapping. */
function schedule(log: Logger, name: string, pattern: string, work: () => Promise<void>): Cron {
  const settings = {
    protect: true,
    catch: (error: unknown) => log.warn({ error: String(error) }, `${name} failed`),
  }
  return new Cron(pattern, settings, work)
}
