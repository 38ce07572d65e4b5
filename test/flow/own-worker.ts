import type { PgBoss } from 'pg-boss'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { jobsOf } from '#db/job'
import { systemClock } from '#domain/time'
import type { WorkerDeps } from '#worker/deps'
import { createPointsClient } from '#worker/points-client'
import { createEventClient } from '#worker/event-client'
import { createEventPool } from '#worker/event-pool'
import { createQueryLimit } from '#worker/query-limit'
import { createTurns } from '#worker/turn'
import { openQueues, startConsumers, stopQueues } from '#worker/queue'
import { keepLog } from '../gateway/logged.ts'
import { testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'

const POLLING_SECONDS = 0.5

/** A worker whose parts a test can replace, and whose log can be read. It has no schedules. */
export interface OwnWorker {
  readonly boss: PgBoss
  readonly deps: WorkerDeps
  readonly log: ReturnType<typeof keepLog>
  /** Starts its queues, with these parts in place of its own. */
  start(changes?: Partial<WorkerDeps>): Promise<void>
  stop(): Promise<void>
}

export async function makeWorker(databaseUrl: string, platform: Platform): Promise<OwnWorker> {
  const log = keepLog()
  const boss = await openQueues(databaseUrl, () => undefined)
  const deps: WorkerDeps = {
    db: platform.db,
    billDb: platform.db,
    databaseUrl,
    clock: systemClock,
    log: log.log,
    jobs: jobsOf(boss),
    now: () => new Date(),
    registry: createRegistry(strategies, {
      clock: systemClock,
      fetch: (url, init) => fetch(url, init),
      localHosts: platform.localHosts,
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
    }),
    sealKey: testSealKey(),
    points: createPointsClient({ baseUrl: platform.points.url, clock: systemClock }),
    queryLimit: createQueryLimit(systemClock),
    turns: createTurns(systemClock),
    events: createEventClient({
      clock: systemClock,
      localHosts: platform.localHosts,
      resolve: () => Promise.resolve([]),
      fetch: (url, init) => fetch(url, init),
    }),
    eventPool: createEventPool(() => undefined),
    chance: () => Math.random(),
    publicUrl: platform.gateway.url,
    compensationSeconds: 3600,
    retrySeconds: 3600,
  }
  return {
    boss,
    deps,
    log,
    start: (changes) =>
      startConsumers(boss, { ...deps, ...changes }, { pollingSeconds: POLLING_SECONDS }),
    stop: () => stopQueues(boss),
  }
}
