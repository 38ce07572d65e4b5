import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Secret } from '#domain/secret'
import { APP, type Cluster, readPassword } from './cluster.ts'

/** How clients reach the server. A socket is the rule; TCP with a password where its path is too long. */
export type Address =
  | { readonly kind: 'socket'; readonly directory: string }
  | { readonly kind: 'tcp'; readonly port: number; readonly password: Secret }

/** The port is only part of the socket's file name: nothing listens on it. */
const SOCKET_PORT = 5432

/** The socket's name in the data directory. */
export const SOCKET_FILE = `.s.PGSQL.${SOCKET_PORT}`

/** The kernel's room for a socket's path, less the closing zero byte. */
const SOCKET_BYTES_MAX = process.platform === 'linux' ? 107 : 103

/** Chooses the address for a server that we are about to start. */
export async function chooseAddress(cluster: Cluster): Promise<Address> {
  if (socketFits(cluster.directory)) return { kind: 'socket', directory: cluster.directory }
  return { kind: 'tcp', port: freePort(), password: await readPassword(cluster) }
}

/** The address of the server that runs there already, or `undefined` if none has got that far. */
export async function findAddress(cluster: Cluster): Promise<Address | undefined> {
  const running = await readPidFile(cluster.directory)
  if (running === undefined) return undefined
  if (socketFits(cluster.directory)) return { kind: 'socket', directory: cluster.directory }
  return { kind: 'tcp', port: running.port, password: await readPassword(cluster) }
}

/** The settings that make the server listen there and nowhere else. */
export function listenSettings(address: Address): Record<string, string> {
  if (address.kind === 'tcp') {
    return {
      listen_addresses: '127.0.0.1',
      port: `${address.port}`,
      unix_socket_directories: '',
    }
  }
  // The setting is a list, so a comma in the path must be quoted.
  const quoted = `"${address.directory.replaceAll('"', '""')}"`
  return { listen_addresses: '', port: `${SOCKET_PORT}`, unix_socket_directories: quoted }
}

/** The connection URL of a database. The host stands in the query, where a path can stand. */
export function connectionUrl(address: Address, database: string = APP): string {
  if (address.kind === 'tcp') {
    return `postgres://${APP}:${address.password.reveal()}@127.0.0.1:${address.port}/${database}`
  }
  const host = encodeURIComponent(address.directory)
  return `postgres://${APP}@localhost/${database}?host=${host}&port=${SOCKET_PORT}`
}

/** What a server's lock file says. */
export interface PidFile {
  readonly pid: number
  readonly port: number
}

/** Reads the server's lock file. `undefined`: no server, or one that has not got that far. */
export async function readPidFile(directory: string): Promise<PidFile | undefined> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '')
  const [pid, , , port] = text.split('\n').map(Number)
  return pid === undefined || port === undefined || !(pid > 0) ? undefined : { pid, port }
}

const socketFits = (directory: string): boolean =>
  Buffer.byteLength(join(directory, SOCKET_FILE)) <= SOCKET_BYTES_MAX

/** Another program may take the port before the server does; the start then fails with a clear log. */
function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
  const { port } = listener
  listener.stop(true)
  return port
}
