import pino from 'pino'
import { loadLocalHosts, loadNumber, loadSealKey, loadVariable } from '#db/config'
import type { Clock } from '#domain/time'
import type { WorkerOptions } from './deps.ts'
import { BILL_PATTERN, KEY_REFRESH_PATTERN, startWorker } from './start.ts'

const SECONDS = 60
const POLLING_SECONDS = 0.5

type Env = NodeJS.ProcessEnv

/** Runs the worker as a process: settings from the environment, log to stdout, a signal ends it. `check` may refuse to start. */
export async function runWorker(clock: Clock, check: (env: Env) => void): Promise<void> {
  const { env } = process
  const log = pino({ name: 'worker', level: env['PINGZHANG_LOG_LEVEL'] ?? 'info' })

  /** Crash-only: what nobody expected ends the process, and its jobs run again elsewhere. */
  function die(error: unknown): never {
    const message = error instanceof Error ? error.message : String(error)
    log.fatal({ error: message }, `worker stops: ${message}`)
    process.exit(1)
  }

  process.on('unhandledRejection', die)
  process.on('uncaughtException', die)
  try {
    check(env)
    const worker = await startWorker({ ...readOptions(env), clock, log })
    log.info('worker is ready')
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => void worker.stop().then(() => process.exit(0), die))
    }
  } catch (error) {
    die(error)
  }
}

const readOptions = (env: Env): Omit<WorkerOptions, 'clock' | 'log'> => ({
  databaseUrl: loadVariable(env, 'DATABASE_URL'),
  sealKey: loadSealKey(env),
  pointsUrl: loadVariable(env, 'PINGZHANG_POINTS_URL'),
  publicUrl: loadVariable(env, 'PINGZHANG_PUBLIC_URL'),
  localHosts: loadLocalHosts(env),
  compensationSeconds: loadNumber(env, 'PINGZHANG_COMPENSATION_S', SECONDS),
  retrySeconds: loadNumber(env, 'PINGZHANG_RETRY_S', SECONDS),
  querySeconds: loadNumber(env, 'PINGZHANG_QUERY_S', SECONDS),
  pollingSeconds: POLLING_SECONDS,
  sweepPattern: env['PINGZHANG_SWEEP'] ?? '0 * * * * *',
  billPattern: env['PINGZHANG_BILLS'] ?? BILL_PATTERN,
  keyRefreshPattern: env['PINGZHANG_KEY_REFRESH'] ?? KEY_REFRESH_PATTERN,
  requireDurable: true,
})
