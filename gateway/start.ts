import type { Logger } from 'pino'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import type { Db } from '#db/database'
import { gatewayDatabase, openDatabase } from '#db/database'
import { assertDurable } from '#db/durability'
import { jobsOf, openSender } from '#db/job'
import { storeNotifications } from '#db/notification/notification'
import type { Arrival, StoreOptions } from '#db/notification/notification'
import type { Jobs } from '#db/job'
import type { SealKey } from '#db/seal'
import type { Clock } from '#domain/time'
import { addressOf } from './address.ts'
import { createAccountCache } from './account-cache.ts'
import { createApp } from './app.ts'
import { BODY_BYTES_MAX } from './body.ts'
import { createConsole } from './console/app.ts'
import { createCallbackCounter } from './counter.ts'
import type { GatewayDeps } from './deps.ts'
import { createIntake, defaultIntake } from './intake.ts'
import type { CommitBatch } from './intake.ts'
import { createKeyRefresh } from './key-refresh.ts'
import { findPortOwner } from './port-owner.ts'

export interface GatewayOptions extends StoreOptions {
  readonly databaseUrl: string
  readonly sealKey: SealKey
  readonly publicUrl: string
  readonly hostname: string
  readonly port: number
  /** Of the listener for operators; without it there is none. */
  readonly operationsPort?: number
  readonly localHosts: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  /** Test clusters switch fsync off; production never does. */
  readonly requireDurable: boolean
  /** How a batch is committed. Another composition is for tests and the benchmark. */
  readonly commitWith?: (db: Db, jobs: Jobs, options: StoreOptions) => CommitBatch
}

export interface Gateway {
  readonly url: string
  readonly operationsUrl?: string
  stop(): Promise<void>
}

const IDLE_TIMEOUT_SECONDS = 30

/** Starts the public listener. It keeps nothing in memory that it has acknowledged. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { clock, log } = options
  const onError = (error: Error): void => log.error({ error: error.message }, 'database connection')
  const db = openDatabase(options.databaseUrl, gatewayDatabase, onError)
  if (options.requireDurable) await assertDurable(db)
  const boss = await openSender(options.databaseUrl, onError)
  const jobs = jobsOf(boss)
  const registry = createRegistry(strategies, {
    clock,
    fetch: (url, init) => fetch(url, init),
    localHosts: options.localHosts,
    newNonce: () => crypto.randomUUID().replaceAll('-', ''),
  })
  const commit = (options.commitWith ?? commitTogether)(db, jobs, options)
  const deps: GatewayDeps = {
    db,
    jobs,
    clock,
    log,
    publicUrl: options.publicUrl,
    localHosts: options.localHosts,
    sealKey: options.sealKey,
    accounts: createAccountCache(db, options.sealKey, registry, () => performance.now()),
    intake: createIntake(commit, defaultIntake),
    refreshKeys: createKeyRefresh(db, options.sealKey, log, () => performance.now()),
    callbacks: createCallbackCounter(),
  }
  const app = createApp(deps)
  const server = serve(options, options.port, (request) => app.fetch(request))
  const operations = serveOperations(options, deps)
  return {
    url: addressOf(options.hostname, server.port),
    ...(operations && { operationsUrl: addressOf(options.hostname, operations.port) }),
    async stop() {
      await server.stop()
      await operations?.stop()
      await boss.stop({ graceful: false })
      await db.destroy()
    },
  }
}

/** A port of its own, which the edge does not publish. */
function serveOperations(options: GatewayOptions, deps: GatewayDeps) {
  if (options.operationsPort === undefined) return undefined
  const app = createConsole(deps)
  return serve(options, options.operationsPort, (request) => app.fetch(request))
}

type Serve = (request: Request) => Response | Promise<Response>

/** Listens. A taken port is an error that names who has it. */
function serve({ hostname }: GatewayOptions, port: number, fetch: Serve) {
  try {
    return Bun.serve({
      hostname,
      port,
      // One byte more, so that our own answer to a body that is too large is seen.
      maxRequestBodySize: BODY_BYTES_MAX * 2,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      fetch,
    })
  } catch (cause) {
    const owner = findPortOwner(port)
    if (owner === undefined) throw cause
    throw new Error(`port ${port} is taken by ${owner}`, { cause })
  }
}

const commitTogether =
  (db: Db, jobs: Jobs, options: StoreOptions): CommitBatch =>
  (batch: readonly Arrival[]) =>
    storeNotifications(db, jobs, batch, options)
