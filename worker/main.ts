import pino from 'pino'
import { loadLocalHosts, loadNumber, loadSealKey, loadVariable } from '#db/config'
import { systemClock } from '#domain/time'
import { BILL_PATTERN, KEY_REFRESH_PATTERN, startWorker } from './start.ts'

const SECONDS = 60

const log = pino({ name: 'worker', level: process.env['PINGZHANG_LOG_LEVEL'] ?? 'info' })

/** Crash-only: what nobody expected ends the process, and its jobs run again elsewhere. */
function die(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  log.fatal({ error: message }, `worker stops: ${message}`)
  process.exit(1)
}

process.on('unhandledRejection', die)
process.on('uncaughtException', die)

try {
  const worker = await startWorker({
    databaseUrl: loadVariable(process.env, 'DATABASE_URL'),
    sealKey: loadSealKey(process.env),
    pointsUrl: loadVariable(process.env, 'PINGZHANG_POINTS_URL'),
    publicUrl: loadVariable(process.env, 'PINGZHANG_PUBLIC_URL'),
    localHosts: loadLocalHosts(process.env),
    clock: systemClock,
    log,
    compensationSeconds: loadNumber(process.env, 'PINGZHANG_COMPENSATION_S', SECONDS),
    retrySeconds: loadNumber(process.env, 'PINGZHANG_RETRY_S', SECONDS),
    querySeconds: loadNumber(process.env, 'PINGZHANG_QUERY_S', SECONDS),
    pollingSeconds: 0.5,
    sweepPattern: process.env['PINGZHANG_SWEEP'] ?? '0 * * * * *',
    billPattern: process.env['PINGZHANG_BILLS'] ?? BILL_PATTERN,
    keyRefreshPattern: process.env['PINGZHANG_KEY_REFRESH'] ?? KEY_REFRESH_PATTERN,
    requireDurable: true,
  })
  log.info('worker is ready')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void worker.stop().then(() => process.exit(0), die))
  }
} catch (error) {
  die(error)
}
