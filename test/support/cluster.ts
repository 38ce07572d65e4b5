import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Postgres, startPostgres } from '#db/embedded/supervisor'

/** A PostgreSQL of its own in a temporary directory. */
export interface TestCluster extends Postgres {
  readonly dataDirectory: string
  /** Ends the server if it still runs, and deletes its directory. */
  remove(): Promise<void>
}

/** Starts a server for many test files. It is fast because it may lose everything with the machine. */
export async function startTestCluster(): Promise<TestCluster> {
  return startIn(await makeDirectory(), { fsync: false })
}

/** Starts a server that keeps what it committed, for tests that crash it. */
export async function startDurableCluster(): Promise<TestCluster> {
  return startIn(await makeDirectory(), { fsync: true })
}

/** Starts the server again in the directory of a cluster that was stopped or killed. */
export async function restartDurableCluster(cluster: TestCluster): Promise<TestCluster> {
  return startIn(cluster.dataDirectory, { fsync: true })
}

const settings = { max_connections: '300', max_wal_size: '512MB' }

async function startIn(
  dataDirectory: string,
  { fsync }: { readonly fsync: boolean },
): Promise<TestCluster> {
  const binDirectory = process.env['PINGZHANG_PG_BIN'] || undefined
  const postgres = await startPostgres({ dataDirectory, binDirectory, fsync, settings })
  const reaper = startReaper(dataDirectory)
  return {
    ...postgres,
    dataDirectory,
    remove: async () => {
      await postgres.kill()
      await reaper.stdin.end()
      await reaper.exited
    },
  }
}

const makeDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'pingzhang-test-'))

/** Reads until its input ends, which the kernel does when we die, then ends what is left. */
const REAPER = `
cat
for file in "$1"/postgres-*/postmaster.pid; do
  [ -e "$file" ] && kill -9 "$(head -n 1 "$file")"
done
for attempt in 1 2 3 4 5; do
  rm -rf "$1" && exit 0
  sleep 1
done`

/**
 * Watches this process, and deletes the directory when it is gone.
 *
 * `bun test` runs no exit handlers, and kill -9 leaves no time for any, so another process does it.
 */
function startReaper(dataDirectory: string) {
  const reaper = Bun.spawn(['sh', '-c', REAPER, 'sh', dataDirectory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Ctrl-C is for us; the reaper must live a little longer.
    detached: true,
  })
  reaper.unref()
  return reaper
}
