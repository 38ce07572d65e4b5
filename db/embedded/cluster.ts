import {
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Secret } from '#domain/secret'
import type { Binaries } from './binaries.ts'
import type { Launcher } from './launcher.ts'

/** The database role and the database that the embedded server has from its first start. */
export const APP = 'app'

/** The files of one cluster. They lie side by side and carry the major version in their name. */
export interface Cluster {
  readonly base: string
  readonly directory: string
  readonly lockFile: string
  readonly logFile: string
  readonly passwordFile: string
}

/** Makes the base directory and names what lies in it. Links in the path are resolved. */
export async function nameCluster(dataDirectory: string, major: number): Promise<Cluster> {
  await mkdir(resolve(dataDirectory), { recursive: true, mode: 0o700 })
  const base = await realpath(dataDirectory)
  const directory = join(base, `postgres-${major}`)
  return {
    base,
    directory,
    lockFile: `${directory}.lock`,
    logFile: `${directory}.log`,
    passwordFile: `${directory}.password`,
  }
}

/**
 * Refuses data that another major version wrote.
 *
 * An older directory beside none of ours is refused too: starting with an empty database there
 * would look as if all payments were lost.
 */
export async function refuseOtherVersion(cluster: Cluster, major: number): Promise<void> {
  const found = await readVersion(cluster.directory)
  if (found === `${major}`) return
  if (found !== undefined) throw otherVersion(cluster.directory, found, major)
  for (const name of await readdir(cluster.base)) {
    const directory = join(cluster.base, name)
    // Our own may be there by now: somebody else starts it at this moment.
    if (!/^postgres-\d+$/.test(name) || directory === cluster.directory) continue
    const other = await readVersion(directory)
    if (other !== undefined) throw otherVersion(directory, other, major)
  }
}

/** Runs initdb beside the final place and moves the result there, so that half a cluster never counts. */
export async function createCluster(
  binaries: Binaries,
  launcher: Launcher,
  cluster: Cluster,
): Promise<void> {
  if ((await readVersion(cluster.directory)) !== undefined) return
  const unfinished = `${cluster.directory}.new`
  await rm(unfinished, { recursive: true, force: true })
  await writePassword(cluster, launcher)
  const command = [...launcher, binaries.initdb, ...initdbFlags(binaries.major, cluster)]
  const { exitCode, stderr } = Bun.spawnSync([...command, '-D', unfinished], {
    cwd: cluster.base,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  })
  if (exitCode !== 0) throw new Error(`initdb ended with ${exitCode}: ${stderr.toString().trim()}`)
  await rename(unfinished, cluster.directory)
  await syncDirectory(cluster.base)
}

/** The password of the embedded server. Only needed where its socket cannot be used. */
export async function readPassword(cluster: Cluster): Promise<Secret> {
  return new Secret((await readFile(cluster.passwordFile, 'utf8')).trim())
}

async function readVersion(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(() => undefined)
  return text?.trim()
}

function otherVersion(directory: string, found: string, major: number): Error {
  return new Error(
    `${directory} was written by PostgreSQL ${found}, but the binaries here are version ${major}: ` +
      `start it with the binaries of version ${found} (PINGZHANG_PG_BIN), save it with pg_dump ` +
      '--format=custom, move the directory away, start again, and load it with pg_restore',
  )
}

async function writePassword(cluster: Cluster, launcher: Launcher): Promise<void> {
  await rm(cluster.passwordFile, { force: true })
  await writeFile(cluster.passwordFile, `${crypto.randomUUID()}\n`, { mode: 0o600 })
  // Under another user initdb could not read a file of root; the base directory keeps others out.
  if (launcher.some((word) => word.startsWith('--reuid='))) await chmod(cluster.passwordFile, 0o644)
}

/** Collation by code point, the same on every system. Before 17 only the C library offers it. */
function initdbFlags(major: number, cluster: Cluster): string[] {
  const locale =
    major >= 17
      ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
      : ['--locale=C.UTF-8']
  return [
    ...locale,
    `--username=${APP}`,
    `--pwfile=${cluster.passwordFile}`,
    '--auth-local=trust',
    '--auth-host=scram-sha-256',
    '--encoding=UTF8',
  ]
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
