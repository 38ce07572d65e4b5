import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { setAccountFlags } from '#db/account/account'
import { sendForgery } from '../emulator/wechat-pay/by-number.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 30_000

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

async function problem(response: Response): Promise<{ status: number; code: unknown }> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const body: unknown = await response.json()
  const code = typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined
  return { status: response.status, code }
}

describe('Idempotency-Key', () => {
  test('the same key and body gets the same answer, and one payment exists', async () => {
    const body = shop.bodyOf({})
    const key = crypto.randomUUID()
    const first = await shop.post(body, key)
    const second = await shop.post(body, key)
    expect(first.status).toBe(201)
    expect(second.status).toBe(201)
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
  })

  test('the same key with another body is 422', async () => {
    const key = crypto.randomUUID()
    await shop.post(shop.bodyOf({}), key)
    const answer = await shop.post(shop.bodyOf({ amount: 5 }), key)
    expect(await problem(answer)).toEqual({ status: 422, code: 'idempotency_key_reused' })
  })

  test('the same key with a body that is none is 422 for the key', async () => {
    const key = crypto.randomUUID()
    await shop.post(shop.bodyOf({}), key)
    const answer = await shop.post({ ...shop.bodyOf({}), amount: 1.5 }, key)
    expect(await problem(answer)).toEqual({ status: 422, code: 'idempotency_key_reused' })
  })

  test('a repeat gets its first answer also when the account takes no payments any more', async () => {
    const [body, key] = [shop.bodyOf({}), crypto.randomUUID()]
    const first = await shop.post(body, key)
    const switchTo = (accepting: boolean) =>
      setAccountFlags(platform.db, platform.merchantId, platform.accountId, {
        accepting,
        retired: false,
      })
    await switchTo(false)
    const second = await shop.post(body, key)
    await switchTo(true)
    expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([201, 'true'])
    expect(await second.text()).toBe(await first.text())
  })

  test('two commits: the key with order and payment, then credential, log and answer', async () => {
    const key = crypto.randomUUID()
    const answer: unknown = await (await shop.post(shop.bodyOf({}), key)).json()
    const { id } = Object(answer)
    expect(
      await (
        await fetch(`${platform.gateway.url}/v1/payments/${id}`, { headers: shop.headers })
      ).json(),
    ).toEqual(answer)
    // The transaction that wrote each row last, and for each move of the payment the one that made it.
    const { rows } = await sql<{ what: string; xmin: string }>`
      SELECT 'order' AS what, o.xmin::text FROM customer_order o JOIN payment p ON p.order_id = o.id WHERE p.id = ${id}
      UNION ALL SELECT to_state, xmin::text FROM state_change WHERE subject_id = ${id}
      UNION ALL SELECT 'log', xmin::text FROM transaction_log WHERE payment_id = ${id}
      UNION ALL SELECT 'answer', xmin::text FROM idempotency_key WHERE key = ${key}`.execute(
      platform.db,
    )
    const byCommit = Map.groupBy(rows, ({ xmin }) => xmin)
    const commits = [...byCommit.values()].map((group) =>
      group
        .map(({ what }) => what)
        .toSorted()
        .join(),
    )
    expect(new Set(commits)).toEqual(new Set(['created,order', 'answer,log,pending']))
  })

  test('a refused request keeps nothing: the corrected one may use the key', async () => {
    const key = crypto.randomUUID()
    const wrong = await shop.post({ ...shop.bodyOf({}), amount: 1.5 }, key)
    expect(await problem(wrong)).toEqual({ status: 422, code: 'body_invalid' })
    expect((await shop.post(shop.bodyOf({}), key)).status).toBe(201)
  })

  test('a key whose gateway died is free again after a minute, and 409 before', async () => {
    const body = shop.bodyOf({})
    const key = crypto.randomUUID()
    expect((await shop.post(body, key)).status).toBe(201)
    const died = (at: string) =>
      platform.db
        .updateTable('idempotency_key')
        .set({ status: null, body: null, created_at: sql<Date>`now() - ${at}::interval` })
        .where('key', '=', key)
        .execute()
    await died('10 s')
    expect(await problem(await shop.post(body, key))).toEqual({
      status: 409,
      code: 'idempotency_key_running',
    })
    await died('61 s')
    expect((await shop.post(body, key)).status).toBe(200)
  })

  test('no key is 400', async () => {
    expect(await problem(await shop.post(shop.bodyOf({}), ''))).toEqual({
      status: 400,
      code: 'idempotency_key_missing',
    })
  })
})

describe('an order', () => {
  test('a second request for it finds the live attempt', async () => {
    const orderNumber = crypto.randomUUID()
    const first = await shop.buy({ orderNumber })
    const second = await shop.buy({ orderNumber })
    expect(second.id).toBe(first.id)
  })

  test('two requests at once make one attempt', async () => {
    const orderNumber = crypto.randomUUID()
    const payments = await Promise.all([1, 2, 3, 4].map(() => shop.buy({ orderNumber })))
    expect(new Set(payments.map((payment) => payment.id)).size).toBe(1)
  })

  test('another amount for the same order number is 409', async () => {
    const orderNumber = crypto.randomUUID()
    await shop.buy({ orderNumber, amount: 100 })
    const answer = await shop.post(shop.bodyOf({ orderNumber, amount: 101 }), crypto.randomUUID())
    expect(await problem(answer)).toEqual({ status: 409, code: 'order_amount_differs' })
  })
})

describe('the merchant API', () => {
  test('refuses a wrong key with 401 and never repeats it', async () => {
    const answer = await fetch(`${platform.gateway.url}/v1/payments/p${'0'.repeat(25)}`, {
      headers: { authorization: 'Bearer sk_test_wrong_wrong_wrong' },
    })
    expect(await answer.clone().text()).not.toContain('sk_test_wrong')
    expect(await problem(answer)).toEqual({ status: 401, code: 'api_key_invalid' })
  })

  test.each([
    ['currency', { currency: 'USD' }],
    ['amount', { amount: 0 }],
    ['amount', { amount: '100' }],
    ['amount', { amount: 2 ** 53 }],
    ['method', { method: 'barter' }],
    ['client_ip', { client_ip: 'somewhere' }],
    ['', { novelty: 1 }],
  ])('refuses a bad %s with 422', async (_field, change) => {
    const answer = await shop.post({ ...shop.bodyOf({}), ...change }, crypto.randomUUID())
    expect(await problem(answer)).toEqual({ status: 422, code: 'body_invalid' })
  })

  test('closes at the vendor first, and a repeat changes nothing', async () => {
    const payment = await shop.buy()
    const close = (): Promise<Response> =>
      fetch(`${platform.gateway.url}/v1/payments/${payment.id}/close`, {
        method: 'POST',
        headers: { ...shop.headers, 'idempotency-key': crypto.randomUUID() },
      })
    expect((await close()).status).toBe(200)
    expect((await shop.read(payment.id)).state).toBe('closed')
    expect((await close()).status).toBe(200)
  })

  test('a vendor that does not know whether it created answers 202 and the attempt stays', async () => {
    platform.emulator.setKnobs({ failAfterCommit: true })
    const orderNumber = crypto.randomUUID()
    const answer = await shop.post(shop.bodyOf({ orderNumber }), crypto.randomUUID())
    platform.emulator.resetKnobs()
    expect(answer.status).toBe(202)
    const again = await shop.buy({ orderNumber })
    expect(again.state).toBe('pending')
    expect(again.next_action?.type).toBe('qr_code')
  })

  test('answers carry a request id, and the log of a payment holds no secret', async () => {
    const payment = await shop.buy({ method: 'jsapi' })
    const answer = await fetch(`${platform.gateway.url}/healthz`)
    expect(answer.headers.get('request-id')).toMatch(/^[0-9a-f-]{36}$/)
    const rows = await platform.db
      .selectFrom('transaction_log')
      .select(['kind', 'content'])
      .execute()
    const text = JSON.stringify(rows)
    expect(text).toContain(payment.id)
    expect(text).not.toContain(platform.keys.merchant.apiV3Key)
    expect(text).not.toContain('WECHATPAY2-SHA256-RSA2048')
    expect(text).not.toContain('oUpF8uMuAJO_M2pxb1Q9zNjWeS6o')
  })
})

describe('refused callbacks', () => {
  test('are explained, bounded in number, and move nothing (I12)', async () => {
    const payment = await shop.buy()
    for (let index = 0; index < 60; index += 1)
      await sendForgery(platform.emulator, 'tampered', payment.id)
    const count = await waitFor('kept rejections', async () => {
      const rows = await platform.db.selectFrom('rejected_callback').select('reason').execute()
      return rows.length > 0 ? rows.length : undefined
    })
    expect(count).toBeLessThanOrEqual(50)
    expect((await shop.read(payment.id)).state).toBe('pending')
  })

  test(
    'an unknown serial starts one download of the vendor keys, however many arrive',
    async () => {
      const payment = await shop.buy()
      for (let index = 0; index < 5; index += 1) {
        const delivery = await sendForgery(platform.emulator, 'unknown_serial', payment.id)
        expect(delivery.status).toBe(401)
      }
      const rows = await waitFor('the download', async () => {
        const found = await platform.db
          .selectFrom('transaction_log')
          .select('id')
          .where('kind', '=', 'key')
          .execute()
        return found.length > 0 ? found : undefined
      })
      expect(rows.length).toBe(1)
    },
    TIMEOUT_MS,
  )
})

describe('the database away', () => {
  test(
    'a callback gets 503 within 3 s and never an acknowledgement; afterwards all goes on',
    async () => {
      const payment = await shop.buy()
      platform.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
      platform.emulator.pay(payment.id)
      platform.emulator.resetKnobs()
      const locked = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const holder = platform.db.transaction().execute(async (trx) => {
        await sql`LOCK TABLE notification IN ACCESS EXCLUSIVE MODE`.execute(trx)
        locked.resolve()
        await release.promise
      })
      await locked.promise
      const startedAt = performance.now()
      const resent = platform.emulator.resend(payment.id)
      const delivery = await waitFor('the answer', () =>
        platform.emulator.deliveries().find((item) => item.status === 503),
      )
      await resent
      expect(delivery.acknowledged).toBe(false)
      expect(performance.now() - startedAt).toBeLessThan(3500)
      release.resolve()
      await holder
      await waitFor('the row', async () => {
        const rows = await platform.db
          .selectFrom('notification')
          .select('id')
          .where('payment_number', '=', payment.id)
          .execute()
        return rows.length === 1 ? rows : undefined
      })
    },
    TIMEOUT_MS,
  )
})
