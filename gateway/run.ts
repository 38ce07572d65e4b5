import pino from 'pino'
import { loadLocalHosts, loadNumber, loadSealKey, loadVariable } from '#db/config'
import type { Clock } from '#domain/time'
import { startGateway } from './start.ts'
import type { GatewayOptions } from './start.ts'

const PORT = 8080
const COMPENSATION_SECONDS = 60

type Env = NodeJS.ProcessEnv

/** Runs the gateway as a process: settings from the environment, log to stdout, a signal ends it. `check` may refuse to start. */
export async function runGateway(clock: Clock, check: (env: Env) => void): Promise<void> {
  const { env } = process
  const log = pino({ name: 'gateway', level: env['PINGZHANG_LOG_LEVEL'] ?? 'info' })

  /** Crash-only: what nobody expected ends the process, and the supervisor starts a clean one. */
  function die(error: unknown): never {
    const message = error instanceof Error ? error.message : String(error)
    log.fatal({ error: message }, `gateway stops: ${message}`)
    process.exit(1)
  }

  process.on('unhandledRejection', die)
  process.on('uncaughtException', die)
  try {
    check(env)
    const gateway = await startGateway({ ...readOptions(env), clock, log })
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => void gateway.stop().then(() => process.exit(0), die))
    }
    const { url, operationsUrl } = gateway
    const addresses = { url, ...(operationsUrl && { operations_url: operationsUrl }) }
    log.info({ ...addresses, local_hosts: loadLocalHosts(env) }, 'gateway is ready')
  } catch (error) {
    die(error)
  }
}

const readOptions = (env: Env): Omit<GatewayOptions, 'clock' | 'log'> => ({
  databaseUrl: loadVariable(env, 'DATABASE_URL'),
  sealKey: loadSealKey(env),
  publicUrl: loadVariable(env, 'PINGZHANG_PUBLIC_URL'),
  hostname: env['PINGZHANG_HOST'] ?? '127.0.0.1',
  port: loadNumber(env, 'PINGZHANG_PORT', PORT),
  ...operationsPort(env),
  localHosts: loadLocalHosts(env),
  compensationSeconds: loadNumber(env, 'PINGZHANG_COMPENSATION_S', COMPENSATION_SECONDS),
  requireDurable: true,
})

/** Opened only where somebody asks for it: it is for operators, and several gateways may share a machine. */
function operationsPort(env: Env): { operationsPort?: number } {
  const text = env['PINGZHANG_OPERATIONS_PORT'] ?? ''
  // An empty variable is not set, as everywhere.
  return text === '' ? {} : { operationsPort: loadNumber(env, 'PINGZHANG_OPERATIONS_PORT', 0) }
}
