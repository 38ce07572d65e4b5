import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { findPortOwner } from '#gateway/port-owner'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'
import { startLoggedGateway } from './logged.ts'
import type { LoggedGateway } from './logged.ts'

// What the gateway does when a table cannot be read: the database is there and does not answer.

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let gateway: LoggedGateway

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  gateway = await startLoggedGateway({
    databaseUrl: database.url,
    localHosts: platform.localHosts,
  })
}, TIMEOUT_MS)

afterAll(async () => {
  await gateway.stop()
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function without<T>(table: string, work: () => Promise<T>): Promise<T> {
  const [here, away] = [sql.table(table), sql.table(`${table}_away`)]
  await sql`ALTER TABLE ${here} RENAME TO ${away}`.execute(platform.db)
  try {
    return await work()
  } finally {
    await sql`ALTER TABLE ${away} RENAME TO ${here}`.execute(platform.db)
  }
}

const warningOf = (text: string) =>
  waitFor(text, () => gateway.warned().find(({ msg }) => msg === text))

test('it lives and is not ready, says why, and is ready again', async () => {
  const ready = async () => (await fetch(`${gateway.url}/readyz`)).status
  expect(await ready()).toBe(200)
  await without('merchant', async () => {
    expect(await ready()).toBe(503)
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
  })
  expect((await warningOf('not ready'))['error']).toContain('merchant')
  expect(await ready()).toBe(200)
})

test(
  'events of a pay page end, and the browser is not told our error',
  async () => {
    const payment = await createShop({ gateway, apiKey: platform.apiKey }).buy()
    const response = await fetch(`${gateway.url}/pay/${payment.id}/events`)
    expect(response.status).toBe(200)
    const text = await without('payment', () => response.text())
    expect(text).not.toContain('relation')
    expect((await warningOf('pay page events ended early'))['error']).toContain('payment')
  },
  TIMEOUT_MS,
)

test.each(['', '{', 'null x', String.fromCharCode(0)])(
  'a request body that is no JSON is 400 and not repeated: %p',
  async (body) => {
    const { headers } = createShop({ gateway, apiKey: platform.apiKey })
    const response = await fetch(`${gateway.url}/v1/payments`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': crypto.randomUUID() },
      body,
    })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'json_invalid' })
  },
)

test.skipIf(process.platform !== 'linux')('finds who listens, past files that vanish', async () => {
  // Looking through our own open files, we meet the one through which we look: it is gone when we read it.
  const SERVE =
    'console.log(Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() }).port)'
  const child = Bun.spawn([process.execPath, '-e', SERVE], { stdio: ['ignore', 'pipe', 'ignore'] })
  const reader = child.stdout.getReader()
  const { value } = await reader.read()
  const port = Number(new TextDecoder().decode(value))
  expect(findPortOwner(port)).toStartWith(`process ${child.pid} (`)
  child.kill('SIGKILL')
  await child.exited
  expect(findPortOwner(port)).toBeUndefined()
})
