import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readlink, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { z } from 'zod'
import { repairLinks } from '#db/embedded/binaries'
import { nameCluster, refuseOtherVersion } from '#db/embedded/cluster'
import type { Cluster } from '#db/embedded/cluster'
import { isRunning, sendSignal } from '#db/embedded/process'
import { type Postgres, startPostgres } from '#db/embedded/supervisor'
import { openPostgres } from '#db/postgres'
import { waitFor } from '../support/wait.ts'

setDefaultTimeout(60_000)

const directories: string[] = []
const running: Postgres[] = []

afterEach(async () => {
  for (const postgres of running.splice(0)) if (postgres.owned) await postgres.stop()
  for (const path of directories.splice(0)) await rm(path, { recursive: true, force: true })
})

/** The space is deliberate: a checkout may lie below any directory. */
async function makeDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pingzhang pg '))
  directories.push(path)
  return path
}

async function start(dataDirectory: string): Promise<Postgres> {
  const postgres = await startPostgres({ dataDirectory, fsync: true })
  running.push(postgres)
  return postgres
}

async function ask(url: string, text: string): Promise<string[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const answer = await client.query<string[]>({ text, rowMode: 'array' })
    return answer.rows.flat()
  } finally {
    await client.end()
  }
}

const ends = (pids: readonly number[]): Promise<boolean> =>
  waitFor('the end of PostgreSQL', () => (pids.some(isRunning) ? undefined : true))

const ownerSchema = z.object({ url: z.string(), pids: z.array(z.number()) })

/** Starts PostgreSQL in a child process of ours, so that the child can be killed. */
async function startOwner(dataDirectory: string) {
  const script = fileURLToPath(new URL('embedded-owner.ts', import.meta.url))
  const child = Bun.spawn([process.execPath, script, dataDirectory], { stdout: 'pipe' })
  const reader = child.stdout.getReader()
  const { value } = await reader.read()
  return { child, ...ownerSchema.parse(JSON.parse(new TextDecoder().decode(value))) }
}

describe('a start', () => {
  test('answers queries with durable settings, and ends with stop', async () => {
    const postgres = await start(await makeDirectory())
    expect(await ask(postgres.url, 'show fsync')).toEqual(['on'])
    expect(await ask(postgres.url, 'show synchronous_commit')).toEqual(['on'])
    expect(await ask(postgres.url, 'show listen_addresses')).toEqual([''])
    expect(await ask(postgres.url, 'select current_database()')).toEqual(['app'])
    const pids = postgres.pids()
    expect(pids.length).toBeGreaterThan(1)
    await postgres.stop()
    expect(pids.filter(isRunning)).toEqual([])
  })

  test('finds the rows of the start before', async () => {
    const directory = await makeDirectory()
    const first = await start(directory)
    await ask(first.url, "create table kept as select 'row' as a")
    await first.stop()
    const second = await start(directory)
    expect(await ask(second.url, 'select a from kept')).toEqual(['row'])
  })

  test('finds the committed rows after every process of the server was killed', async () => {
    const directory = await makeDirectory()
    const first = await start(directory)
    await ask(first.url, "create table kept as select 'row' as a")
    await first.kill()
    const second = await start(directory)
    expect(await ask(second.url, 'select a from kept')).toEqual(['row'])
  })

  test('joins the server that runs there, and leaves it to its owner', async () => {
    const directory = await makeDirectory()
    const [first, second] = await Promise.all([start(directory), start(directory)])
    expect(first.owned).not.toBe(second.owned)
    expect(second.url).toBe(first.url)
    const joined = first.owned ? second : first
    await joined.stop()
    expect(await ask(joined.url, 'show fsync')).toEqual(['on'])
  })

  test('takes over TCP with a password where the path is too long for a socket', async () => {
    const directory = join(await makeDirectory(), 'x'.repeat(60), 'y'.repeat(60))
    const postgres = await start(directory)
    expect(new URL(postgres.url).hostname).toBe('127.0.0.1')
    expect(await ask(postgres.url, 'show listen_addresses')).toEqual(['127.0.0.1'])
    const stranger = new URL(postgres.url)
    stranger.password = 'wrong'
    const refused = await ask(stranger.href, 'select 1').catch((error: unknown) => String(error))
    expect(refused).toContain('password authentication failed')
    const joined = await start(directory)
    expect(joined.url).toBe(postgres.url)
  })

  test('that fails says why, in the words of the server', async () => {
    const dataDirectory = await makeDirectory()
    const settings = { shared_buffers: 'much' }
    const failed = startPostgres({ dataDirectory, fsync: true, settings })
    await expect(failed).rejects.toThrow('invalid value for parameter "shared_buffers": "much"')
  })
})

describe('kill -9 of the owner', () => {
  test('ends the server, and the next start finds the rows', async () => {
    const directory = await makeDirectory()
    const owner = await startOwner(directory)
    await ask(owner.url, "create table kept as select 'row' as a")
    owner.child.kill('SIGKILL')
    await owner.child.exited
    // No pause: the old server is still shutting down, or has not heard yet.
    const next = await start(directory)
    expect(next.owned).toBe(true)
    expect(await ask(next.url, 'select a from kept')).toEqual(['row'])
    expect(await ends(owner.pids)).toBe(true)
  })

  test('and of the server itself leaves nothing that hinders the next start', async () => {
    const directory = await makeDirectory()
    const owner = await startOwner(directory)
    for (const pid of [owner.child.pid, ...owner.pids]) sendSignal(pid, 'SIGKILL')
    await owner.child.exited
    const next = await start(directory)
    expect(await ask(next.url, 'select 1::text')).toEqual(['1'])
  })
})

describe('data of another version', () => {
  test('is not what somebody else makes at this very moment, of our own', async () => {
    const cluster = await nameCluster(await makeDirectory(), 18)
    const meanwhile: Cluster = {
      ...cluster,
      /** Read after our own directory was seen to be absent. */
      get base() {
        mkdirSync(cluster.directory, { recursive: true })
        writeFileSync(join(cluster.directory, 'PG_VERSION'), '18\n')
        return cluster.base
      },
    }
    await refuseOtherVersion(meanwhile, 18)
    expect(existsSync(cluster.directory)).toBe(true)
  })

  test('in our own directory is refused', async () => {
    const directory = await makeDirectory()
    const postgres = await start(directory)
    await postgres.stop()
    const [name = ''] = (await readdir(directory)).filter((entry) => /^postgres-\d+$/.test(entry))
    await Bun.write(join(directory, name, 'PG_VERSION'), '9\n')
    await expect(start(directory)).rejects.toThrow('was written by PostgreSQL 9, but the binaries')
  })

  test('beside it is refused, because an empty database would look like a loss', async () => {
    const directory = await makeDirectory()
    await mkdir(join(directory, 'postgres-9'))
    await Bun.write(join(directory, 'postgres-9', 'PG_VERSION'), '9\n')
    await expect(start(directory)).rejects.toThrow('pg_dump')
  })
})

describe('the library links', () => {
  test('are made where they are missing, and kept where they are', async () => {
    const directory = await makeDirectory()
    await mkdir(join(directory, 'native', 'lib'), { recursive: true })
    const links = ['libpq.so', 'libpq.so.5'].map((name) => ({
      source: 'native/lib/libpq.so.5.18',
      target: `native/lib/${name}`,
    }))
    await Bun.write(join(directory, 'native', 'pg-symlinks.json'), JSON.stringify(links))
    await symlink('elsewhere', join(directory, 'native', 'lib', 'libpq.so'))
    await Promise.all([repairLinks(directory), repairLinks(directory)])
    await repairLinks(directory)
    expect(await readlink(join(directory, 'native', 'lib', 'libpq.so'))).toBe('elsewhere')
    expect(await readlink(join(directory, 'native', 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18')
  })
})

describe('openPostgres', () => {
  test('takes DATABASE_URL and starts nothing', async () => {
    const directory = await makeDirectory()
    const opened = await openPostgres(
      { DATABASE_URL: 'postgres://shop@db.internal/pay' },
      { dataDirectory: directory },
    )
    expect(opened.url).toBe('postgres://shop@db.internal/pay')
    await opened.stop()
    expect(await readdir(directory)).toEqual([])
  })

  test('says what to do when PINGZHANG_PG_BIN has no PostgreSQL', async () => {
    const directory = await makeDirectory()
    const opened = openPostgres({ PINGZHANG_PG_BIN: directory }, { dataDirectory: directory })
    await expect(opened).rejects.toThrow(`cannot run ${join(directory, 'postgres')}`)
  })
})
