import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { z } from 'zod'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { ASKED_PAUSE_MS } from '#db/payment/payment-query'
import { countJobs } from '../support/job.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let stranger = ''
let laterMs = 0

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({
    databaseUrl: database.url,
    hasWorker: false,
    clock: { now: () => new Date(Date.now() + laterMs) },
  })
  shop = createShop(platform)
  const other = await addMerchant(platform.db, 'Another shop')
  stranger = (await createApiKey(platform.db, other, 'test')).reveal()
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const ask = (id: string, key = platform.apiKey): Promise<Response> =>
  fetch(`${platform.gateway.url}/v1/payments/${id}/query`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
  })

const jobsOf = (id: string): Promise<number> => countJobs(platform.db, 'payment-query', id)

const answer = z.object({ id: z.string(), state: z.string() })

describe('POST /v1/payments/{id}/query', () => {
  test('is accepted with the payment as it is now, and the vendor is asked', async () => {
    const { id } = await shop.buy()
    const response = await ask(id)
    expect(response.status).toBe(202)
    expect(answer.parse(await response.json())).toEqual({ id, state: 'pending' })
    expect(await jobsOf(id)).toBe(1)
  })

  test('asks once in five seconds and payment, and accepts the others all the same', async () => {
    const { id } = await shop.buy()
    const another = await shop.buy()
    const responses = await Promise.all(Array.from({ length: 8 }, () => ask(id)))
    expect(responses.map(({ status }) => status)).toEqual(Array<number>(8).fill(202))
    await ask(another.id)
    expect([await jobsOf(id), await jobsOf(another.id)]).toEqual([1, 1])
    laterMs += ASKED_PAUSE_MS - 1000
    await ask(id)
    expect(await jobsOf(id)).toBe(1)
    laterMs += 1000
    await ask(id)
    expect(await jobsOf(id)).toBe(2)
  })

  test('asks about a closed payment, too: its late money is real', async () => {
    const { id } = await shop.buy()
    await sql`UPDATE payment SET state = 'closed', close_proof = 'test' WHERE id = ${id}`.execute(
      platform.db,
    )
    expect((await ask(id)).status).toBe(202)
    expect(await jobsOf(id)).toBe(1)
  })

  test('has nothing to ask about a paid one', async () => {
    const { id } = await shop.buy()
    await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
              channel_payment_id = 'n1' WHERE id = ${id}`.execute(platform.db)
    expect(answer.parse(await (await ask(id)).json()).state).toBe('paid')
    expect(await jobsOf(id)).toBe(0)
  })

  test("does not find another merchant's payment, and asks nothing", async () => {
    const { id } = await shop.buy()
    for (const [subject, key, status] of [
      [id, stranger, 404],
      [`p${'0'.repeat(25)}`, platform.apiKey, 404],
      ['x', platform.apiKey, 404],
      [id, 'sk_test_wrong', 401],
    ] as const) {
      expect((await ask(subject, key)).status).toBe(status)
    }
    expect(await jobsOf(id)).toBe(0)
  })
})
