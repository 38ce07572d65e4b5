import { Client } from 'pg'
import { type Address, connectionUrl } from './address.ts'
import { APP } from './cluster.ts'

const ANSWER_MS_MAX = 5_000

/** Says whether a query answers. A line in the log is no proof. */
export async function isReady(address: Address): Promise<boolean> {
  return withClient(connectionUrl(address, 'template1'), async (client) => {
    await client.query('select 1')
    return true
    // Not yet, or never: the caller knows how long to ask and whether the process still lives.
  }).catch(() => false)
}

/** Creates the application's database at the first start. */
export async function ensureDatabase(address: Address): Promise<void> {
  await withClient(connectionUrl(address, 'postgres'), async (client) => {
    const found = await client.query('select 1 from pg_database where datname = $1', [APP])
    if (found.rowCount === 0) await client.query(`create database ${APP}`)
  })
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: ANSWER_MS_MAX })
  // A server that goes away while we ask must not end our process with an unhandled event.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
