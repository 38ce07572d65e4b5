import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

// A code that is shown is a code that somebody pays. Only a payment that takes money shows one.

const TIMEOUT_MS = 40_000
const PHONE = 'Mozilla/5.0 (Linux; Android 14) Chrome/120 Mobile Safari/537.36'

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

const codes = async (id: string): Promise<readonly number[]> => {
  const paths = ['qr.svg', 'qr.png'].map((name) => `/v1/payments/${id}/${name}`)
  const answers = await Promise.all(paths.map((path) => fetch(`${platform.gateway.url}${path}`)))
  return answers.map(({ status }) => status)
}

/** What the merchant API lists about one payment. */
const listed = async (id: string): Promise<unknown> => {
  const answer = await fetch(`${platform.gateway.url}/v1/payments`, { headers: shop.headers })
  const data: unknown = Object(await answer.json()).data
  return Array.isArray(data) ? data.find((item) => Object(item).id === id) : undefined
}

const change = (id: string, values: string): Promise<unknown> =>
  sql.raw(`UPDATE pingzhang.payment SET ${values} WHERE id = '${id}'`).execute(platform.db)

test('a payment that waits for its customer hands out its code', async () => {
  const { id, next_action: action } = await shop.buy()
  expect(action?.type).toBe('qr_code')
  expect((await shop.read(id)).next_action?.type).toBe('qr_code')
  expect(await listed(id)).toMatchObject({ next_action: { type: 'qr_code' } })
  expect(await codes(id)).toEqual([200, 200])
})

describe('no code is handed out by a payment that', () => {
  test.each([
    [
      'is paid',
      "state = 'paid', disposition = 'counted', paid_at = now(), channel_payment_id = 'vendor-paid'",
    ],
    ['is closed', "state = 'closed'"],
    ['has expired', "expires_at = now() - interval '1 s'"],
  ])('%s', async (_case, values) => {
    const { id } = await shop.buy()
    await change(id, values)
    expect((await shop.read(id)).next_action).toBeNull()
    expect(await listed(id)).toMatchObject({ next_action: null })
    expect(await codes(id)).toEqual([404, 404])
  })

  test('another attempt has replaced', async () => {
    const { id } = await shop.buy()
    const switched = await fetch(`${platform.gateway.url}/pay/${id}/method`, {
      method: 'POST',
      headers: { 'user-agent': PHONE },
      redirect: 'manual',
    })
    expect(switched.status).toBe(303)
    expect(await codes(id)).toEqual([404, 404])
  })
})
