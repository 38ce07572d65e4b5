import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Says whether the process runs. A zombie does not, although `kill(pid, 0)` answers for it. */
export function isRunning(pid: number): boolean {
  if (process.platform === 'linux') return isAlive(readStat(pid))
  return processTable().some((row) => row.pid === pid && isAlive(row))
}

/** The process and its living children. Empty when the process has ended. */
export function familyOf(pid: number): number[] {
  const rows = process.platform === 'linux' ? linuxTable() : processTable()
  return rows
    .filter((row) => isAlive(row) && (row.pid === pid || row.parent === pid))
    .map((row) => row.pid)
}

/**
 * The PostgreSQL processes that work in the directory, whoever started them.
 *
 * The id in a server's lock file is no proof: after a crash it may be a zombie or another program.
 */
export function serversIn(directory: string): number[] {
  const rows = process.platform === 'linux' ? linuxTable() : processTable()
  return rows.filter((row) => isAlive(row) && worksIn(row, directory)).map((row) => row.pid)
}

/** Sends the signal. Returns false if the process is gone already. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

interface Row {
  readonly pid: number
  readonly parent: number
  readonly state: string
  readonly command: string
}

const isAlive = (row: Row | undefined): boolean =>
  row !== undefined && row.state !== 'Z' && row.state !== 'X'

function linuxTable(): Row[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((row) => row !== undefined)
}

function readStat(pid: number): Row | undefined {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    // The process ended between listing and reading: it is no row.
    return undefined
  }
}

/** The command stands in brackets and may hold spaces and brackets itself, so we look for the last one. */
function parseStat(pid: number, text: string): Row | undefined {
  const close = text.lastIndexOf(')')
  const [state, parent] = text.slice(close + 2).split(' ')
  if (state === undefined || parent === undefined) return undefined
  return { pid, parent: Number(parent), state, command: text.slice(text.indexOf('(') + 1, close) }
}

/** PostgreSQL enters its data directory. Elsewhere than on Linux we see it on the command line only. */
function worksIn(row: Row, directory: string): boolean {
  if (process.platform !== 'linux') return row.command.includes(`-D ${directory} `)
  return row.command === 'postgres' && workingDirectoryOf(row.pid) === directory
}

function workingDirectoryOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    // Gone, or the process of another user: neither is our server.
    return undefined
  }
}

/** Systems without /proc (macOS) have `ps` in the base system. */
function processTable(): Row[] {
  const { stdout } = Bun.spawnSync(['ps', '-A', '-o', 'pid=,ppid=,state=,command='])
  return stdout
    .toString()
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S)\S*\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, pid = '', parent = '', state = '', command = '']) => ({
      pid: Number(pid),
      parent: Number(parent),
      state,
      command,
    }))
}
