import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

// What a database cannot hold is the sender's mistake: "try again" would be asked for ever.

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createShop(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function problemOf(response: Response): Promise<unknown> {
  const body: unknown = await response.json()
  return { status: response.status, code: Object(body).code }
}

const REFUSED = { status: 422, code: 'value_invalid' }

test.each(['order_number', 'user_id', 'subject', 'payer_open_id'])(
  'a NUL in %s is refused with 422',
  async (field) => {
    const body = { ...shop.bodyOf({ method: 'jsapi' }), [field]: 'tea\u0000set' }
    expect(await problemOf(await shop.post(body, crypto.randomUUID()))).toEqual(REFUSED)
  },
)

test.each([
  ['/v1/payments?order_number=%00', 'a NUL in a filter'],
  ['/v1/cases?subject=a%00b', 'a NUL in a subject'],
  ['/v1/reconciliations?business_date=0000-01-01', 'a day of the year 0'],
])('%s: %s is refused with 422', async (path) => {
  const answer = await fetch(`${platform.gateway.url}${path}`, { headers: shop.headers })
  expect(await problemOf(answer)).toEqual(REFUSED)
})
