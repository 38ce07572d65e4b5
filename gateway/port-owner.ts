import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const LISTENING = '0A'
const HEX = 16

/**
 * Says which process listens on a port, for the message that the port is taken.
 *
 * Linux only: the socket's inode of /proc/net is looked for among the files of each process. `undefined`
 * when nobody is found, or when the process belongs to somebody whose files we may not see.
 */
export function findPortOwner(port: number): string | undefined {
  const inode = findInode(port)
  if (inode === undefined) return undefined
  const pid = listOf('/proc').find(
    (name) => /^\d+$/.test(name) && hasSocket(`/proc/${name}/fd`, inode),
  )
  if (pid === undefined) return undefined
  return `process ${pid} (${textOf(`/proc/${pid}/comm`).trim()})`
}

function findInode(port: number): string | undefined {
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => textOf(path).split('\n'))
  const fields = lines.map((line) => line.trim().split(/\s+/))
  return fields.find(
    ([, local, , state]) =>
      state === LISTENING && Number.parseInt(local?.split(':').at(-1) ?? '', HEX) === port,
  )?.[9]
}

const hasSocket = (directory: string, inode: string): boolean =>
  listOf(directory).some((name) => linkOf(`${directory}/${name}`) === `socket:[${inode}]`)

// Processes end while we look, and other users' files are closed to us: both mean "not found here".
const textOf = (path: string): string => attempt(() => readFileSync(path, 'utf8'), '')
const listOf = (path: string): string[] => attempt(() => readdirSync(path), [])
const linkOf = (path: string): string => attempt(() => readlinkSync(path), '')

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
