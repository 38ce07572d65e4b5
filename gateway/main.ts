import pino from 'pino'
import { loadLocalHosts, loadNumber, loadSealKey, loadVariable } from '#db/config'
import { systemClock } from '#domain/time'
import { startGateway } from './start.ts'

const PORT = 8080
const COMPENSATION_SECONDS = 60

const log = pino({ name: 'gateway', level: process.env['PINGZHANG_LOG_LEVEL'] ?? 'info' })

/** Opened only where somebody asks for it: it is for operators, and several gateways may share a machine. */
function operationsPort(env: NodeJS.ProcessEnv): { operationsPort?: number } {
  const text = env['PINGZHANG_OPERATIONS_PORT'] ?? ''
  // An empty variable is not set, as everywhere.
  return text === '' ? {} : { operationsPort: loadNumber(env, 'PINGZHANG_OPERATIONS_PORT', 0) }
}

/** Crash-only: what nobody expected ends the process, and the supervisor starts a clean one. */
function die(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  log.fatal({ error: message }, `gateway stops: ${message}`)
  process.exit(1)
}

process.on('unhandledRejection', die)
process.on('uncaughtException', die)

try {
  const gateway = await startGateway({
    databaseUrl: loadVariable(process.env, 'DATABASE_URL'),
    sealKey: loadSealKey(process.env),
    publicUrl: loadVariable(process.env, 'PINGZHANG_PUBLIC_URL'),
    hostname: process.env['PINGZHANG_HOST'] ?? '127.0.0.1',
    port: loadNumber(process.env, 'PINGZHANG_PORT', PORT),
    ...operationsPort(process.env),
    localHosts: loadLocalHosts(process.env),
    compensationSeconds: loadNumber(process.env, 'PINGZHANG_COMPENSATION_S', COMPENSATION_SECONDS),
    clock: systemClock,
    log,
    requireDurable: true,
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void gateway.stop().then(() => process.exit(0), die))
  }
  const { url, operationsUrl } = gateway
  log.info(
    {
      url,
      ...(operationsUrl && { operations_url: operationsUrl }),
      local_hosts: loadLocalHosts(process.env),
    },
    'gateway is ready',
  )
} catch (error) {
  die(error)
}
