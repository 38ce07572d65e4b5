import pino from 'pino'
import { systemClock } from '#domain/time'
import type { Clock } from '#domain/time'
import { startGateway } from '#gateway/start'
import type { Gateway } from '#gateway/start'
import { testSealKey } from '../support/platform.ts'

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [name: string]: unknown
}

export const WARN = 40

/** A log that keeps its lines. */
export function keepLog() {
  const lines: LogLine[] = []
  const log = pino(
    { level: 'info' },
    { write: (text: string) => void lines.push(JSON.parse(text)) },
  )
  return { log, lines, warned: () => lines.filter(({ level }) => level >= WARN) }
}

export interface LoggedGateway extends Gateway {
  readonly lines: readonly LogLine[]
  /** Lines that would wake somebody. */
  warned(): readonly LogLine[]
}

export interface LoggedOptions {
  readonly databaseUrl: string
  readonly localHosts?: readonly string[]
  readonly clock?: Clock
}

/** Another gateway over the same database, whose log can be read. */
export async function startLoggedGateway(options: LoggedOptions): Promise<LoggedGateway> {
  const { log, lines, warned } = keepLog()
  const port = freePort()
  const url = `http://127.0.0.1:${port}`
  const gateway = await startGateway({
    databaseUrl: options.databaseUrl,
    sealKey: testSealKey(),
    publicUrl: url,
    hostname: '127.0.0.1',
    port,
    operationsPort: 0,
    localHosts: [...(options.localHosts ?? []), `127.0.0.1:${port}`],
    clock: options.clock ?? systemClock,
    log,
    compensationSeconds: 60,
    requireDurable: false,
  })
  return { ...gateway, lines, warned }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
  const { port } = listener
  listener.stop(true)
  return port
}
