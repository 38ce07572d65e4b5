import { chown, stat } from 'node:fs/promises'

/** The words to put before a PostgreSQL command so that it runs, and stops when we are killed. */
export type Launcher = readonly string[]

/**
 * PostgreSQL refuses to run as root, so root needs somebody else to run it.
 *
 * A user namespace comes first: the server sees a user other than root, while the kernel still checks
 * root's own rights, so data and binaries may lie below a directory that only root can enter. Where
 * namespaces are forbidden, a system user takes the data directory over.
 */
export async function findLauncher(executable: string, directory: string): Promise<Launcher> {
  const dying = dieWithParent()
  if (process.getuid?.() !== 0) return dying
  if (reaches(NAMESPACE, executable, directory)) return [...NAMESPACE, ...dying]
  for (const user of SYSTEM_USERS) {
    const launcher = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups']
    if (await handOver(launcher, executable, directory)) return [...launcher, ...dying]
  }
  throw new Error(
    'PostgreSQL does not run as root, and neither a user namespace (unshare) nor the user ' +
      `postgres can reach ${executable} and ${directory}: start as an ordinary user, ` +
      'or set DATABASE_URL to a running PostgreSQL',
  )
}

/** The mapped user must exist in the password file: 65534 is `nobody` everywhere. */
const NAMESPACE: Launcher = ['unshare', '-U', '--map-user=65534', '--map-group=65534', '--']

const SYSTEM_USERS = ['postgres', 'pingzhang']

/** INT is PostgreSQL's fast shutdown. Absent on macOS, where the next start ends the orphan. */
function dieWithParent(): Launcher {
  const words = ['setpriv', '--pdeathsig', 'INT', '--']
  return succeeds([...words, 'true']) ? words : []
}

async function handOver(launcher: Launcher, executable: string, directory: string) {
  const [user, group] = idsOf(launcher)
  if (user === undefined || group === undefined) return false
  const before = await stat(directory)
  await chown(directory, user, group)
  if (reaches(launcher, executable, directory)) {
    return succeeds(['chown', '-R', `${user}:${group}`, directory])
  }
  await chown(directory, before.uid, before.gid)
  return false
}

function idsOf(launcher: Launcher): (number | undefined)[] {
  return ['-u', '-g'].map((flag) => {
    const text = output([...launcher, 'id', flag])
    return text === undefined ? undefined : Number(text)
  })
}

function reaches(launcher: Launcher, executable: string, directory: string): boolean {
  return (
    succeeds([...launcher, 'test', '-x', executable]) &&
    succeeds([...launcher, 'test', '-w', directory])
  )
}

const succeeds = (command: readonly string[]): boolean => output(command) !== undefined

/** What the command printed, or `undefined` if it failed or does not exist. */
function output(command: readonly string[]): string | undefined {
  try {
    const { exitCode, stdout } = Bun.spawnSync([...command], { stderr: 'ignore' })
    return exitCode === 0 ? stdout.toString().trim() : undefined
  } catch {
    // The program is not installed: the same to us as its failure.
    return undefined
  }
}
