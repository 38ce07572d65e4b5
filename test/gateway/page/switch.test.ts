import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { startPlatform } from '../../support/platform.ts'
import type { Platform } from '../../support/platform.ts'
import { cloneDatabase } from '../../support/postgres.ts'
import type { TestDatabase } from '../../support/postgres.ts'
import { createShop } from '../../support/shop.ts'

const TIMEOUT_MS = 40_000
const MISSING = `p${'0'.repeat(25)}`
const PHONE = 'Mozilla/5.0 (Linux; Android 14) Chrome/120 Mobile Safari/537.36'
const WECHAT = 'Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.50'
const ALIPAY = 'Mozilla/5.0 (Linux; Android 14) AlipayClient/10.5.90'
const OPEN_ID = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'

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

const open = async (id: string, userAgent: string): Promise<string> => {
  const response = await fetch(`${platform.gateway.url}/pay/${id}`, {
    headers: { 'user-agent': userAgent },
  })
  return response.text()
}

const choose = (id: string, userAgent: string): Promise<Response> =>
  fetch(`${platform.gateway.url}/pay/${id}/method`, {
    method: 'POST',
    headers: { 'user-agent': userAgent },
    redirect: 'manual',
  })

/** The id at the end of the address that a customer is sent to. */
const target = (response: Response): string =>
  (response.headers.get('location') ?? '').split('/').at(-1) ?? ''

describe('a customer whose browser needs another method', () => {
  test('gets another attempt of the same order, and the first page leads there', async () => {
    const first = await shop.buy({ method: 'qr', orderNumber: 'switch-1' })
    expect(await open(first.id, PHONE)).toContain('Pay in this browser')
    const response = await choose(first.id, PHONE)
    expect(response.status).toBe(303)
    const second = await shop.read(target(response))
    expect(second.id).not.toBe(first.id)
    expect(second.order.order_number).toBe('switch-1')
    expect(second.next_action?.type).toBe('redirect')
    const page = await open(first.id, PHONE)
    expect(page).toContain('Do not pay here')
    expect(page).toContain(`href="${second.id}"`)
    expect(page).not.toContain('qr.svg')
    const next = await open(second.id, PHONE)
    expect(next).not.toContain('Pay in this browser')
    expect(next).toContain('wx.tenpay.com')
  })

  test('who asks twice gets the same attempt', async () => {
    const { id } = await shop.buy({ method: 'qr' })
    const once = target(await choose(id, PHONE))
    expect(target(await choose(id, PHONE))).toBe(once)
  })

  test('pays inside WeChat with the payer that the shop passed', async () => {
    const response = await shop.post(
      { ...shop.bodyOf({ method: 'qr' }), payer_open_id: OPEN_ID },
      crypto.randomUUID(),
    )
    const first: unknown = await response.json()
    const id = String(Object(first)['id'])
    const page = await open(target(await choose(id, WECHAT)), WECHAT)
    expect(page).toContain('data-app="wechat"')
    expect(page).toContain('prepay_id=')
    expect(page).toContain('getBrandWCPayRequest')
  })

  test('is told what to do in WeChat without a payer, and gets no other attempt', async () => {
    const { id } = await shop.buy({ method: 'qr' })
    const page = await open(id, WECHAT)
    expect(page).toContain("Start from the shop's page in this app")
    expect(target(await choose(id, WECHAT))).toBe(id)
  })

  test("is told in another wallet's browser that it cannot pay here", async () => {
    const { id } = await shop.buy({ method: 'qr' })
    const page = await open(id, ALIPAY)
    expect(page).toContain('This app cannot pay here')
    expect(page).not.toContain('qr.svg')
  })
})

/** How many attempts an order has. */
async function countAttempts(orderNumber: string): Promise<number> {
  const { rows } = await sql`SELECT p.id FROM payment p JOIN customer_order o
    ON o.merchant_id = p.merchant_id AND o.id = p.order_id
    WHERE o.order_number = ${orderNumber}`.execute(platform.db)
  return rows.length
}

describe('a payment that has ended', () => {
  test('makes no other attempt when its page of before is used: the shop closed it', async () => {
    const orderNumber = crypto.randomUUID()
    const { id } = await shop.buy({ method: 'qr', orderNumber })
    const closed = await fetch(`${platform.gateway.url}/v1/payments/${id}/close`, {
      method: 'POST',
      headers: { ...shop.headers, 'idempotency-key': crypto.randomUUID() },
    })
    expect(closed.status).toBe(200)
    const response = await choose(id, PHONE)
    expect({ status: response.status, target: target(response) }).toEqual({
      status: 303,
      target: id,
    })
    expect(await countAttempts(orderNumber)).toBe(1)
    expect(await open(id, PHONE)).toContain('Closed. Do not pay.')
  })

  test('shows that it is paid, and no refusal', async () => {
    const { id } = await shop.buy({ method: 'qr' })
    await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(), channel_payment_id = ${id}
              WHERE id = ${id}`.execute(platform.db)
    const response = await choose(id, PHONE)
    expect({ status: response.status, target: target(response) }).toEqual({
      status: 303,
      target: id,
    })
  })
})

describe('a method that cannot be changed', () => {
  test('is a page, not a problem document: the order is closed', async () => {
    const { id } = await shop.buy({ method: 'qr' })
    await sql`UPDATE customer_order o SET state = 'closed' FROM payment p
              WHERE p.id = ${id} AND o.merchant_id = p.merchant_id AND o.id = p.order_id`.execute(
      platform.db,
    )
    const response = await choose(id, PHONE)
    expect(response.status).toBe(409)
    expect(response.headers.get('content-type')).toContain('text/html')
    expect(await response.text()).toContain('The method cannot be changed now')
  })

  test('is a page for a payment that does not exist', async () => {
    expect((await choose(MISSING, PHONE)).status).toBe(404)
  })

  test('trouble of ours is not shown as a refusal', async () => {
    const { id } = await shop.buy({ method: 'qr' })
    await sql`ALTER TABLE customer_order RENAME TO customer_order_away`.execute(platform.db)
    try {
      const response = await choose(id, PHONE)
      expect(response.status).toBe(503)
      expect(await response.text()).not.toContain('The method cannot be changed')
    } finally {
      await sql`ALTER TABLE customer_order_away RENAME TO customer_order`.execute(platform.db)
    }
  })
})

test('a paid page leads back to the shop', async () => {
  const response = await shop.post(
    { ...shop.bodyOf({ method: 'qr' }), return_url: 'https://shop.example.com/thanks?a=1' },
    crypto.randomUUID(),
  )
  const id = String(Object(await response.json())['id'])
  await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(), channel_payment_id = 'n1'
            WHERE id = ${id}`.execute(platform.db)
  expect(await open(id, PHONE)).toContain('href="https://shop.example.com/thanks?a=1"')
})
