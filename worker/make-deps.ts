import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import type { Db } from '#db/database'
import type { Jobs } from '#db/job'
import { resolveName } from './address.ts'
import { watchClockSkew } from './clock-skew.ts'
import type { WorkerDeps, WorkerOptions } from './deps.ts'
import { createEventClient } from './event-client.ts'
import { createEventPool } from './event-pool.ts'
import { createPointsClient } from './points-client.ts'
import { createQueryLimit } from './query-limit.ts'
import { createTurns } from './turn.ts'

/** Everything that the jobs of one worker work with. */
export function makeDeps(
  options: WorkerOptions,
  { db, billDb, jobs }: { readonly db: Db; readonly billDb: Db; readonly jobs: Jobs },
): { readonly deps: WorkerDeps; readonly clockSkewSeconds: () => number | undefined } {
  const { clock, log } = options
  const skew = watchClockSkew((url, init) => fetch(url, init), clock, log)
  const deps: WorkerDeps = {
    db,
    billDb,
    databaseUrl: options.databaseUrl,
    jobs,
    clock,
    log,
    now: () => clock.now(),
    registry: createRegistry(strategies, {
      clock,
      fetch: skew.fetch,
      localHosts: options.localHosts,
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
    }),
    sealKey: options.sealKey,
    points: createPointsClient({ baseUrl: options.pointsUrl, clock }),
    queryLimit: createQueryLimit(clock),
    turns: createTurns(clock),
    events: createEventClient({
      clock,
      localHosts: options.localHosts,
      resolve: resolveName,
      fetch: (url, init) => fetch(url, init),
    }),
    eventPool: createEventPool((error) => log.warn({ error: String(error) }, 'event not sent')),
    chance: () => Math.random(),
    publicUrl: options.publicUrl,
    compensationSeconds: options.compensationSeconds,
    retrySeconds: options.retrySeconds,
  }
  return { deps, clockSkewSeconds: skew.seconds }
}
