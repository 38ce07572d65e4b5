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
const AMOUNT = 1999

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let stranger = ''

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createShop(platform)
  const other = await addMerchant(platform.db, 'Another shop')
  stranger = (await createApiKey(platform.db, other, 'test')).reveal()
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function buyPaid(orderNumber: string): Promise<string> {
  const { id } = await shop.buy({ orderNumber })
  await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
            channel_payment_id = ${`n-${id}`} WHERE id = ${id}`.execute(platform.db)
  return id
}

const item = z.looseObject({
  id: z.string(),
  payment: z.string(),
  amount: z.number(),
  refund_number: z.string().nullable(),
})

async function ask(payment: string, body: Readonly<Record<string, unknown>>) {
  const response = await shop.askRefund(payment, body, crypto.randomUUID())
  const answer: unknown = await response.json()
  return { status: response.status, answer }
}

const refundOf = async (payment: string, body: Readonly<Record<string, unknown>>) =>
  item.parse((await ask(payment, body)).answer)

const page = z.object({ data: z.array(item), next_cursor: z.string().nullable() })

async function list(query: Readonly<Record<string, string>>, key = platform.apiKey) {
  const response = await shop.call(`/v1/refunds?${new URLSearchParams(query)}`, {
    headers: { authorization: `Bearer ${key}` },
  })
  const answer: unknown = await response.json()
  return { status: response.status, answer }
}

const idsOf = async (query: Readonly<Record<string, string>>, key?: string) =>
  page.parse((await list(query, key)).answer).data.map(({ id }) => id)

const reservedOf = async (id: string): Promise<number> => {
  const row = await platform.db
    .selectFrom('payment')
    .select('refund_reserved')
    .where(sql<boolean>`id = ${id}`)
    .executeTakeFirstOrThrow()
  return Number(row.refund_reserved)
}

describe("the merchant's own refund number", () => {
  test('finds its refund, for this merchant alone', async () => {
    const payment = await buyPaid('number-1')
    const { id } = await refundOf(payment, { amount: 100, refund_number: 'R/1' })
    await refundOf(payment, { amount: 100, refund_number: 'R/2' })
    expect(await idsOf({ refund_number: 'R/1' })).toEqual([id])
    expect(await idsOf({ refund_number: 'R/1' }, stranger)).toEqual([])
    expect(await idsOf({ refund_number: 'R/3' })).toEqual([])
  })

  test('asked for again with another Idempotency-Key is the same refund', async () => {
    const payment = await buyPaid('number-2')
    const one = await refundOf(payment, { amount: 300, refund_number: 'again' })
    const two = await refundOf(payment, { amount: 300, refund_number: 'again' })
    expect(two.id).toBe(one.id)
    expect(await reservedOf(payment)).toBe(300)
  })

  test('of another amount or payment is 409, and nothing is reserved', async () => {
    const [payment, other] = [await buyPaid('number-3'), await buyPaid('number-4')]
    await refundOf(payment, { amount: 300, refund_number: 'taken' })
    for (const [id, amount] of [
      [payment, 301],
      [other, 300],
    ] as const) {
      const { status, answer } = await ask(id, { amount, refund_number: 'taken' })
      expect(status).toBe(409)
      expect(answer).toMatchObject({ code: 'refund_number_differs' })
    }
    expect([await reservedOf(payment), await reservedOf(other)]).toEqual([300, 0])
  })

  test('20 requests for two payments at once: one refund, whoever comes first', async () => {
    const payments = [await buyPaid('number-5'), await buyPaid('number-6')]
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask(payments[index % 2] ?? '', { amount: 50, refund_number: 'once' }),
      ),
    )
    const statuses = answers.map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([202, 409]))
    expect(statuses.filter((status) => status === 202).length).toBe(10)
    expect(await idsOf({ refund_number: 'once' })).toHaveLength(1)
    const reserved = await Promise.all(payments.map(reservedOf))
    expect(reserved.toSorted((a, b) => a - b)).toEqual([0, 50])
  })

  test('is not needed', async () => {
    const payment = await buyPaid('number-7')
    const [one, two] = [
      await refundOf(payment, { amount: 10 }),
      await refundOf(payment, { amount: 10 }),
    ]
    expect(one.refund_number).toBeNull()
    expect(two.id).not.toBe(one.id)
  })
})

describe('GET /v1/refunds', () => {
  /** Created a day apart, the first on 1 March; the last on its own payment. */
  const ids: string[] = []
  let payment = ''

  beforeAll(async () => {
    payment = await buyPaid('list-1')
    const other = await buyPaid('list-2')
    for (const [index, of] of [payment, payment, payment, other].entries()) {
      const { id } = await refundOf(of, { amount: 100 + index })
      ids.push(id)
      await sql`UPDATE refund SET created_at = timestamptz '2026-03-01T00:00:00.0005Z'
                + ${index} * interval '1 day' WHERE id = ${id}`.execute(platform.db)
    }
    await sql`UPDATE refund SET state = 'refused', due_at = NULL WHERE id = ${ids[1]}`.execute(
      platform.db,
    )
  }, TIMEOUT_MS)

  const march = { 'created[gte]': '2026-03-01T00:00:00Z', 'created[lt]': '2026-03-09T00:00:00Z' }

  test('shows the newest first, page by page, each once', async () => {
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: Record<string, string> = { ...march, limit: '3' }
      if (cursor !== '') query['cursor'] = cursor
      const { data, next_cursor } = page.parse((await list(query)).answer)
      seen.push(...data.map(({ id }) => id))
      cursor = next_cursor
    }
    expect(seen).toEqual(ids.toReversed())
  })

  test.each([
    ['a state', { state: 'refused' }, [1]],
    ['an order', { order_number: 'list-1' }, [2, 1, 0]],
    ['a time', { 'created[gte]': '2026-03-02T00:00:00Z' }, [3, 2, 1]],
    ['an end', { 'created[lt]': '2026-03-03T08:00:00+08:00' }, [1, 0]],
  ] as const)('finds by %s', async (_name, filter, expected) => {
    expect(await idsOf({ ...march, ...filter })).toEqual(expected.map((index) => ids[index] ?? ''))
  })

  test('finds by the payment, and nothing of another merchant', async () => {
    expect(await idsOf({ payment })).toEqual([ids[2] ?? '', ids[1] ?? '', ids[0] ?? ''])
    expect(await idsOf({ payment }, stranger)).toEqual([])
    expect(await idsOf({ cursor: ids[3] ?? '' }, stranger)).toEqual([])
  })

  test.each([
    { payment: 'x' },
    { state: 'done' },
    { cursor: `p${'0'.repeat(25)}` },
    { limit: '101' },
    { 'created[gte]': '2026-03-01' },
    { amount: '1' },
  ])('refuses %p', async (query) => {
    const { status, answer } = await list(Object.fromEntries(Object.entries(query)))
    expect(status).toBe(422)
    expect(answer).toMatchObject({ code: 'query_invalid' })
  })
})

test('a sum is never more than the payment, whatever the numbers', async () => {
  const payment = await buyPaid('sum-1')
  await refundOf(payment, { amount: AMOUNT, refund_number: 'all' })
  expect((await ask(payment, { amount: 1, refund_number: 'more' })).answer).toMatchObject({
    code: 'not_refundable',
  })
})
