import { closeSync, openSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Address, listenSettings, SOCKET_FILE } from './address.ts'
import type { Cluster } from './cluster.ts'
import { familyOf, isRunning, sendSignal, serversIn } from './process.ts'
import { isReady } from './ready.ts'

/** A server process that we started. */
export interface Server {
  readonly pid: number
  readonly exited: Promise<number>
}

/** Everything one start needs. `command` is the launcher and the binary. */
export interface Launch {
  readonly command: readonly string[]
  readonly cluster: Cluster
  readonly address: Address
  readonly fsync: boolean
  readonly settings: Readonly<Record<string, string>>
}

/** What a server that was killed leaves in its directory. */
const LOCK_FILES = ['postmaster.pid', `${SOCKET_FILE}.lock`, SOCKET_FILE]

const PAUSE_MS = 20
/** Recovery after a crash reads the whole log since the last checkpoint; minutes are honest. */
const READY_MS_MAX = 300_000
const SHUTDOWN_MS_MAX = 20_000
const ORPHAN_MS_MAX = 5_000
const LOG_LINES_MAX = 20
/** Fast shutdown, immediate shutdown, and the end. */
const END_SIGNALS = ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const

/** Starts the server and waits until a query answers. The error carries the last lines of its log. */
export async function launchServer(launch: Launch): Promise<Server> {
  const server = spawn(launch)
  for (let waitedMs = 0; waitedMs < READY_MS_MAX; waitedMs += PAUSE_MS) {
    if (!isRunning(server.pid)) break
    if (await isReady(launch.address)) return server
    await Bun.sleep(PAUSE_MS)
  }
  const ended = isRunning(server.pid) ? 'did not answer' : `ended with ${await server.exited}`
  await endServer(server)
  throw new Error(`PostgreSQL ${ended}; its last lines:\n${lastLines(launch.cluster.logFile)}`)
}

/** Fast shutdown; if that hangs, an immediate one. Both keep every committed row. */
export async function endServer(server: Server): Promise<void> {
  for (const signal of END_SIGNALS) {
    if (!sendSignal(server.pid, signal)) return
    if (await isGone(server.pid, SHUTDOWN_MS_MAX)) return
  }
}

/** The postmaster dies first, so that it starts no new children. */
export async function killServer(server: Server): Promise<void> {
  const family = familyOf(server.pid)
  for (const pid of family.toSorted((a) => (a === server.pid ? -1 : 1))) sendSignal(pid, 'SIGKILL')
  for (const pid of family) await isGone(pid, SHUTDOWN_MS_MAX)
}

/**
 * Ends what a dead owner left behind. We hold the lock, so no living process of ours owns it.
 *
 * Usually the server is shutting down already, because the kernel told it that its parent died. Its
 * lock files go last: PostgreSQL would refuse to start while the id in them is a zombie (containers
 * often have a process 1 that never reaps), or has been given to another program since.
 */
export async function endOrphan(cluster: Cluster): Promise<void> {
  const left = () => serversIn(cluster.directory)
  let ended = await isTrue(() => left().length === 0, ORPHAN_MS_MAX)
  for (const signal of END_SIGNALS) {
    if (ended) break
    for (const pid of left()) sendSignal(pid, signal)
    ended = await isTrue(() => left().length === 0, SHUTDOWN_MS_MAX)
  }
  if (!ended) throw new Error(`PostgreSQL processes ${left().join()} do not end`)
  for (const name of LOCK_FILES) await rm(join(cluster.directory, name), { force: true })
}

function spawn(launch: Launch): Server {
  const { cluster } = launch
  const settings = { ...baseSettings(launch.fsync), ...launch.settings }
  const flags = Object.entries({ ...settings, ...listenSettings(launch.address) })
  // A file, not a pipe: a server whose log nobody reads would stand still when the pipe is full.
  const log = openSync(cluster.logFile, 'w', 0o600)
  try {
    const child = Bun.spawn(
      [
        ...launch.command,
        '-D',
        cluster.directory,
        ...flags.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      {
        cwd: cluster.base,
        env: { PATH: process.env['PATH'], LC_ALL: 'C' },
        stdio: ['ignore', log, log],
        // Ctrl-C goes to the whole group of the terminal; our own processes must stop before their database.
        detached: true,
      },
    )
    child.unref()
    return { pid: child.pid, exited: child.exited }
  } finally {
    closeSync(log)
  }
}

/** Terse errors, no statements: a log must not repeat the values of a row. */
function baseSettings(fsync: boolean): Record<string, string> {
  const durable = fsync ? 'on' : 'off'
  return {
    fsync: durable,
    synchronous_commit: durable,
    full_page_writes: durable,
    max_connections: '100',
    shared_buffers: '128MB',
    unix_socket_permissions: '0700',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    jit: 'off',
  }
}

const isGone = (pid: number, waitMs: number): Promise<boolean> =>
  isTrue(() => !isRunning(pid), waitMs)

async function isTrue(condition: () => boolean, waitMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < waitMs; waitedMs += PAUSE_MS) {
    if (condition()) return true
    await Bun.sleep(PAUSE_MS)
  }
  return condition()
}

function lastLines(logFile: string): string {
  return readFileSync(logFile, 'utf8').trim().split('\n').slice(-LOG_LINES_MAX).join('\n')
}
