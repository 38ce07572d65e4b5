import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { addMerchant, createApiKey } from '#db/account/merchant'
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

const close = (
  orderNumber: string,
  idempotencyKey: string = crypto.randomUUID(),
  key = platform.apiKey,
): Promise<Response> =>
  fetch(`${platform.gateway.url}/v1/orders/${encodeURIComponent(orderNumber)}/close`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'idempotency-key': idempotencyKey },
  })

const jobsOf = (id: string): Promise<number> => countJobs(platform.db, 'payment-close', id)

const rowOf = (orderNumber: string) =>
  platform.db
    .selectFrom('customer_order')
    .select(['state', 'close_wanted'])
    .where('order_number', '=', orderNumber)
    .executeTakeFirstOrThrow()

describe('POST /v1/orders/{order_number}/close', () => {
  test('is accepted while attempts are open, and each of them is to be closed', async () => {
    const first = await shop.buy({ orderNumber: 'open-1' })
    const second = await shop.buy({ orderNumber: 'open-1', method: 'h5' })
    const response = await close('open-1')
    expect(response.status).toBe(202)
    expect(await response.json()).toMatchObject({
      object: 'order',
      order_number: 'open-1',
      state: 'unpaid',
      close_wanted: true,
    })
    expect([await jobsOf(first.id), await jobsOf(second.id)]).toEqual([1, 1])
    // Nobody can start to pay it any more.
    const another = await shop.post(shop.bodyOf({ orderNumber: 'open-1' }), crypto.randomUUID())
    expect(another.status).toBe(409)
    expect(await another.json()).toMatchObject({ code: 'order_not_payable' })
  })

  test('closes an order at once that nobody can pay any more', async () => {
    const { id } = await shop.buy({ orderNumber: 'done-1' })
    await fetch(`${platform.gateway.url}/v1/payments/${id}/close`, {
      method: 'POST',
      headers: { ...shop.headers, 'idempotency-key': crypto.randomUUID() },
    })
    expect((await rowOf('done-1')).state).toBe('unpaid')
    const response = await close('done-1')
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ state: 'closed' })
    expect(await jobsOf(id)).toBe(0)
    expect((await close('done-1')).status).toBe(200)
  })

  test('an order whose money is in doubt stays open', async () => {
    const { id } = await shop.buy({ orderNumber: 'doubt-1' })
    await sql`UPDATE payment SET state = 'closed', close_proof = 'test', money_in_doubt = true
              WHERE id = ${id}`.execute(platform.db)
    expect((await close('doubt-1')).status).toBe(202)
    expect(await rowOf('doubt-1')).toEqual({ state: 'unpaid', close_wanted: true })
  })

  test('is 409 for a paid order, and says what to do instead', async () => {
    const { id } = await shop.buy({ orderNumber: 'paid-1' })
    await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
              channel_payment_id = 'n1' WHERE id = ${id}`.execute(platform.db)
    await sql`UPDATE customer_order SET state = 'paid', paid_payment_id = ${id}
              WHERE order_number = 'paid-1'`.execute(platform.db)
    const response = await close('paid-1')
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ code: 'order_is_paid' })
  })

  test("is 404 for a number that nobody used, and for another merchant's order", async () => {
    const { id } = await shop.buy({ orderNumber: 'mine-1' })
    for (const response of [
      await close('nobody'),
      await close('mine-1', crypto.randomUUID(), stranger),
    ]) {
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'order_not_found' })
    }
    expect(await rowOf('mine-1')).toEqual({ state: 'unpaid', close_wanted: false })
    expect(await jobsOf(id)).toBe(0)
  })

  test('takes any order number', async () => {
    const orderNumber = '订单/1 ?#%'
    await shop.buy({ orderNumber })
    const response = await close(orderNumber)
    expect(response.status).toBe(202)
    expect(await response.json()).toMatchObject({ order_number: orderNumber })
  })
})

describe('the Idempotency-Key of a close', () => {
  test('repeats the first answer and asks for nothing twice', async () => {
    const { id } = await shop.buy({ orderNumber: 'key-1' })
    const key = crypto.randomUUID()
    const first = await close('key-1', key)
    const second = await close('key-1', key)
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect([second.status, await second.text()]).toEqual([first.status, await first.text()])
    expect(await jobsOf(id)).toBe(1)
  })

  test('belongs to one order', async () => {
    await shop.buy({ orderNumber: 'key-2' })
    await shop.buy({ orderNumber: 'key-3' })
    const key = crypto.randomUUID()
    expect((await close('key-2', key)).status).toBe(202)
    expect((await close('key-3', key)).status).toBe(422)
    expect((await rowOf('key-3')).close_wanted).toBe(false)
  })

  test('is required', async () => {
    await shop.buy({ orderNumber: 'key-4' })
    expect((await close('key-4', '')).status).toBe(400)
    expect((await rowOf('key-4')).close_wanted).toBe(false)
  })
})

describe('GET /v1/orders/{order_number}', () => {
  const read = (orderNumber: string, key = platform.apiKey): Promise<Response> =>
    shop.call(`/v1/orders/${encodeURIComponent(orderNumber)}`, {
      headers: { authorization: `Bearer ${key}` },
    })

  test("finds an order by the merchant's own number, whatever is in it", async () => {
    const number = 'a/b ?#%-茶'
    const { id } = await shop.buy({ orderNumber: number, amount: 700, userId: 'user-7' })
    const unpaid: unknown = await (await read(number)).json()
    expect(unpaid).toMatchObject({
      order_number: number,
      user_id: 'user-7',
      amount: 700,
      state: 'unpaid',
      paid_payment: null,
    })
    await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
              channel_payment_id = 'n7' WHERE id = ${id}`.execute(platform.db)
    await sql`UPDATE customer_order SET state = 'paid', paid_payment_id = ${id}
              WHERE order_number = ${number}`.execute(platform.db)
    const paid: unknown = await (await read(number)).json()
    expect(paid).toMatchObject({ state: 'paid', paid_payment: id })
  })

  test("is 404 for a number that nobody used, and for another merchant's order", async () => {
    await shop.buy({ orderNumber: 'mine-2' })
    for (const response of [await read('nobody-2'), await read('mine-2', stranger)]) {
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'order_not_found' })
    }
  })
})
