import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { migrate } from '#db/migrate'
import { startTestCluster } from './cluster.ts'
import { TEST_POSTGRES } from './server-name.ts'

/** A database with our tables and no rows. `drop` it in `afterAll`. */
export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** Makes a database of its own for a test file, by copying one that was migrated once. */
export async function cloneDatabase(): Promise<TestDatabase> {
  const server = await findServer()
  const template = await findTemplate(server)
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
  await onServer(server, (client) => client.query(`create database ${name} template ${template}`))
  return {
    url: databaseUrl(server, name),
    drop: async () => {
      await onServer(server, (client) => client.query(`drop database ${name} with (force)`))
    },
  }
}

/** The URL of another database on the same server. */
export function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

let starting: Promise<string> | undefined
let template: Promise<string> | undefined

async function findServer(): Promise<string> {
  const given = process.env[TEST_POSTGRES]
  if (given !== undefined && given !== '') return given
  starting ??= startOwn()
  return starting
}

/** The variable is for test files that do not share our modules. The cluster removes itself at exit. */
async function startOwn(): Promise<string> {
  const { url } = await startTestCluster()
  process.env[TEST_POSTGRES] = url
  return url
}

async function findTemplate(server: string): Promise<string> {
  template ??= makeTemplate(server)
  return template
}

const TEMPLATE_LOCK = 715_517

/**
 * Migrates the template, or finds that another process did.
 *
 * The lock lets one process work while the others wait. The name comes at the end, so that a
 * migration that failed halfway is never copied, and carries a digest of the code that made it.
 */
async function makeTemplate(server: string): Promise<string> {
  const name = `template_${schemaDigest()}`
  await onServer(server, async (client) => {
    await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK])
    const found = await client.query('select 1 from pg_database where datname = $1', [name])
    if (found.rowCount !== 0) return
    await client.query(`drop database if exists ${name}_new with (force)`)
    await client.query(`create database ${name}_new`)
    await migrate(databaseUrl(server, `${name}_new`))
    await client.query(`alter database ${name}_new rename to ${name}`)
  })
  return name
}

function schemaDigest(): string {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const hash = createHash('sha256')
  for (const path of [...new Bun.Glob('db/**/*.{ts,sql}').scanSync({ cwd: root })].toSorted()) {
    hash.update(path).update(readFileSync(`${root}${path}`))
  }
  return hash.digest('hex').slice(0, 16)
}

async function onServer<T>(server: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl(server, 'postgres') })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
