import { tryLock } from './lock.ts'
import { findBinaries, type Binaries } from './binaries.ts'
import { type Address, chooseAddress, connectionUrl, findAddress, readPidFile } from './address.ts'
import { type Cluster, createCluster, nameCluster, refuseOtherVersion } from './cluster.ts'
import { findLauncher } from './launcher.ts'
import { familyOf } from './process.ts'
import { ensureDatabase, isReady } from './ready.ts'
import { endOrphan, endServer, killServer, launchServer, type Server } from './server.ts'

/** What to start, and where its files are. */
export interface PostgresOptions {
  /** The base directory; the cluster lies in it under a name with the major version. */
  readonly dataDirectory: string
  /** False only for tests that may lose everything with the machine. */
  readonly fsync: boolean
  /** A directory with `postgres` and `initdb`. Without it the packaged binaries are taken. */
  readonly binDirectory?: string | undefined
  /** Settings of PostgreSQL on top of ours. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A PostgreSQL that answers queries. */
export interface Postgres {
  readonly url: string
  /** False if another process of ours had started it in the same directory: it then belongs to that one. */
  readonly owned: boolean
  /** The server and its children, by process id. */
  pids(): number[]
  /** Shuts the server down cleanly. Does nothing to a server that is not ours. */
  stop(): Promise<void>
  /** Ends every process of the server at once, as a power cut would. For crash tests. */
  kill(): Promise<void>
}

const START_ATTEMPTS_MAX = 1_200
const START_PAUSE_MS = 50

/**
 * Starts PostgreSQL as a child, or joins the one that a living process of ours runs there.
 *
 * The child stops when this process ends, even by kill -9. What an earlier owner left behind is
 * ended first, so a start after any crash works.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = await findBinaries(options.binDirectory)
  const cluster = await nameCluster(options.dataDirectory, binaries.major)
  await refuseOtherVersion(cluster, binaries.major)
  for (let attempt = 0; attempt < START_ATTEMPTS_MAX; attempt += 1) {
    const started = await ownOrJoin(options, binaries, cluster)
    if (started !== undefined) return started
    await Bun.sleep(START_PAUSE_MS)
  }
  throw new Error(`another process holds ${cluster.lockFile} but its PostgreSQL does not answer`)
}

async function ownOrJoin(
  options: PostgresOptions,
  binaries: Binaries,
  cluster: Cluster,
): Promise<Postgres | undefined> {
  const lock = tryLock(cluster.lockFile)
  if (lock === undefined) return join(cluster)
  try {
    const { server, address } = await start(options, binaries, cluster)
    return own(server, address, () => lock.release())
  } catch (error) {
    lock.release()
    throw error
  }
}

async function start(
  options: PostgresOptions,
  binaries: Binaries,
  cluster: Cluster,
): Promise<{ server: Server; address: Address }> {
  const launcher = await findLauncher(binaries.postgres, cluster.base)
  await endOrphan(cluster)
  await createCluster(binaries, launcher, cluster)
  const address = await chooseAddress(cluster)
  const { fsync, settings = {} } = options
  const command = [...launcher, binaries.postgres]
  const server = await launchServer({ command, cluster, address, fsync, settings })
  await ensureDatabase(address)
  return { server, address }
}

function own(server: Server, address: Address, release: () => void): Postgres {
  return {
    url: connectionUrl(address),
    owned: true,
    pids: () => familyOf(server.pid),
    stop: () => endServer(server).finally(release),
    kill: () => killServer(server).finally(release),
  }
}

async function join(cluster: Cluster): Promise<Postgres | undefined> {
  const address = await findAddress(cluster)
  const running = await readPidFile(cluster.directory)
  if (address === undefined || running === undefined || !(await isReady(address))) return undefined
  return {
    url: connectionUrl(address),
    owned: false,
    pids: () => familyOf(running.pid),
    stop: () => Promise.resolve(),
    kill: () => Promise.reject(new Error(`the server ${running.pid} belongs to another process`)),
  }
}
