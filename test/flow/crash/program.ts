import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const RESTART_PAUSE_MS = 100

/** A process that is started again whenever it ends, as a supervisor would. */
export interface Program {
  /** Ends it by kill -9. False if it was not running. */
  kill(): Promise<boolean>
  /** Stops it where it stands (SIGSTOP), and lets it go on (SIGCONT). */
  pause(): void
  resume(): void
  /** Seconds of processor time that the running child has used. */
  cpuSeconds(): number
  /** How often it was started, by us or after an end of its own. */
  starts(): number
  stop(): Promise<void>
}

/** Runs one of our entries as a child process, from the root of the repository. Flags are for `bun`. */
export function runProgram(
  entry: string,
  env: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Program {
  let child = spawn(entry, env, flags)
  let starts = 1
  let isStopping = false
  const supervision = supervise()

  async function supervise(): Promise<void> {
    await child.exited
    await Bun.sleep(RESTART_PAUSE_MS)
    if (isStopping) return
    child = spawn(entry, env, flags)
    starts += 1
    return supervise()
  }

  async function kill(): Promise<boolean> {
    const victim = child
    if (victim.exitCode !== null || victim.signalCode !== null) return false
    victim.kill('SIGKILL')
    await victim.exited
    return victim.signalCode === 'SIGKILL'
  }

  async function stop(): Promise<void> {
    isStopping = true
    await kill()
    await supervision
  }

  return {
    kill,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    cpuSeconds: () => cpuSecondsOf(child.pid),
    starts: () => starts,
    stop,
  }
}

const TICKS_PER_SECOND = 100

/** proc(5), /proc/pid/stat: fields 14 and 15, after a name in parentheses that may hold blanks. */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Where the system can do it, the child dies with us: a test that is killed leaves nothing behind. */
function spawn(entry: string, env: Readonly<Record<string, string>>, flags: readonly string[]) {
  const launcher = Bun.which('setpriv') === null ? [] : ['setpriv', '--pdeathsig', 'KILL', '--']
  const output = process.env['PINGZHANG_TEST_LOG'] === undefined ? 'ignore' : 'inherit'
  return Bun.spawn([...launcher, process.execPath, ...flags, entry], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', output, output],
  })
}

const PORT_MIN = 20_000
const PORTS = 10_000

/**
 * A free port below those that the kernel gives to clients.
 *
 * A client of a port from that range can connect to itself while the server is down, and then hold it.
 */
export function freeServerPort(): number {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * PORTS)
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data: () => undefined } }).stop(true)
      return port
    } catch {
      // Taken by another program: the next number.
    }
  }
}
