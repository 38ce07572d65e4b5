import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { z } from 'zod'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

const TIMEOUT_MS = 40_000

const page = z.object({
  object: z.literal('list'),
  next_cursor: z.string().nullable(),
  data: z.array(
    z.looseObject({
      id: z.string(),
      state: z.string(),
      amount: z.number(),
      order: z.object({ order_number: z.string(), state: z.string(), user_id: z.string() }),
    }),
  ),
})

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let stranger = ''
/** Created a day apart, the first on 1 March; the second order has two attempts. */
const ids: string[] = []

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createShop(platform)
  const other = await addMerchant(platform.db, 'Another shop')
  stranger = (await createApiKey(platform.db, other, 'test')).reveal()
  for (const [orderNumber, method] of [
    ['one', 'qr'],
    ['two', 'qr'],
    ['two', 'h5'],
    ['three', 'qr'],
    ['four', 'qr'],
  ] as const) {
    const { id } = await shop.buy({ orderNumber, method })
    ids.push(id)
    await sql`UPDATE payment SET created_at = timestamptz '2026-03-01T00:00:00Z'
              + ${ids.length - 1} * interval '1 day' WHERE id = ${id}`.execute(platform.db)
  }
  await sql`UPDATE payment SET state = 'closed', close_proof = 'test' WHERE id = ${ids[3]}`.execute(
    platform.db,
  )
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const get = (query: Readonly<Record<string, string>>, key = platform.apiKey): Promise<Response> =>
  shop.call(`/v1/payments?${new URLSearchParams(query)}`, {
    headers: { authorization: `Bearer ${key}` },
  })

const list = async (query: Readonly<Record<string, string>>, key?: string) =>
  page.parse(await (await get(query, key)).json())

/** Places in `ids` of what was found. */
const places = async (query: Readonly<Record<string, string>>): Promise<number[]> =>
  (await list(query)).data.map(({ id }) => ids.indexOf(id))

describe('GET /v1/payments', () => {
  test('shows what one payment shows, the newest first', async () => {
    const { data, next_cursor: cursor } = await list({})
    expect(data.map(({ id }) => ids.indexOf(id))).toEqual([4, 3, 2, 1, 0])
    expect(cursor).toBeNull()
    const one = await fetch(`${platform.gateway.url}/v1/payments/${ids[4]}`, {
      headers: shop.headers,
    })
    expect(await one.json()).toEqual(data[0])
  })

  test.each([
    [{ state: 'closed' }, [3]],
    [{ state: 'paid' }, []],
    [{ order_number: 'two' }, [2, 1]],
    [{ order_number: 'nobody' }, []],
    [{ channel: 'wechat_pay', order_number: 'two' }, [2, 1]],
    [{ channel: 'alipay' }, []],
    [{ channel_account: 'nobody' }, []],
    [{ 'created[gte]': '2026-03-04T00:00:00Z' }, [4, 3]],
    [{ 'created[lt]': '2026-03-02T00:00:00Z' }, [0]],
    // Midnight in China is eight hours earlier.
    [
      { 'created[gte]': '2026-03-02T00:00:00+08:00', 'created[lt]': '2026-03-03T00:00:00+08:00' },
      [1],
    ],
    [{ order_number: 'two', state: 'pending', 'created[lt]': '2026-03-03T00:00:00Z' }, [1]],
  ])('finds %j', async (query, expected) => {
    expect(await places(query)).toEqual(expected)
  })

  test('finds by the account that was used', async () => {
    expect(await places({ channel_account: platform.accountId })).toEqual([4, 3, 2, 1, 0])
  })

  test('pages meet every payment once, also those of one moment, and keep the filter', async () => {
    await sql`UPDATE payment SET created_at = '2026-03-02T00:00:00.000123Z'
              WHERE id IN (${ids[1]}, ${ids[2]})`.execute(platform.db)
    for (const limit of ['1', '2', '3', '4', '5']) {
      const seen: number[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const query = { state: 'pending', limit, ...(cursor === '' ? {} : { cursor }) }
        const found = await list(query)
        seen.push(...found.data.map(({ id }) => ids.indexOf(id)))
        cursor = found.next_cursor
        expect(seen.length).toBeLessThanOrEqual(4)
      }
      expect(seen).toEqual([4, 2, 1, 0])
    }
  })

  test('a payment that comes while somebody turns the pages moves nothing', async () => {
    const first = await list({ limit: '2' })
    const { id } = await shop.buy({ orderNumber: 'late' })
    const second = await list({ limit: '3', cursor: first.next_cursor ?? '' })
    expect(second.data.map((item) => ids.indexOf(item.id))).toEqual([2, 1, 0])
    await sql`DELETE FROM payment WHERE id = ${id}`.execute(platform.db)
  })

  test.each([
    { state: 'held' },
    { limit: '0' },
    { limit: '101' },
    { cursor: 'c1' },
    { 'created[gte]': '2026-03-01' },
    { 'created[gte]': '2026-03-01T00:00:00' },
    { novelty: '1' },
  ])('refuses %j with 422', async (query) => {
    const response = await get(query)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'query_invalid' })
  })

  test("shows nobody another merchant's payments, also by cursor and order number", async () => {
    for (const query of [{}, { cursor: ids[4] ?? '' }, { order_number: 'two' }]) {
      expect((await list(query, stranger)).data).toEqual([])
    }
    expect((await get({}, 'sk_test_wrong')).status).toBe(401)
  })
})
