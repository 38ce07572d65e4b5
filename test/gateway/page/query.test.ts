import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { ASKED_PAUSE_MS } from '#db/payment/payment-query'
import { countJobs } from '../../support/job.ts'
import { startPlatform } from '../../support/platform.ts'
import type { Platform } from '../../support/platform.ts'
import { cloneDatabase } from '../../support/postgres.ts'
import type { TestDatabase } from '../../support/postgres.ts'
import { createShop } from '../../support/shop.ts'

const TIMEOUT_MS = 40_000
const MISSING = `p${'0'.repeat(25)}`
const PHONE = 'Mozilla/5.0 (Linux; Android 14) Chrome/120 Mobile Safari/537.36'

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let laterMs = 0

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({
    databaseUrl: database.url,
    hasWorker: false,
    clock: { now: () => new Date(Date.now() + laterMs) },
  })
  shop = createShop(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const open = (id: string): Promise<Response> => fetch(`${platform.gateway.url}/pay/${id}`)

const press = (id: string): Promise<Response> =>
  fetch(`${platform.gateway.url}/pay/${id}/query`, { method: 'POST', redirect: 'manual' })

const jobsOf = (id: string): Promise<number> => countJobs(platform.db, 'payment-query', id)

const set = (id: string, values: Readonly<Record<string, string>>) =>
  platform.db
    .updateTable('payment')
    .set(values)
    .where(sql`id`, '=', id)
    .execute()

const isAsking = async (id: string): Promise<boolean> =>
  (await (await open(id)).text()).includes(`<form method="post" action="${id}/query">`)

describe('"I have paid"', () => {
  test('asks the vendor and leads back to the page', async () => {
    const { id } = await shop.buy()
    const page = await open(id)
    expect(await page.text()).toContain('I have paid')
    expect(page.headers.get('content-security-policy')).toEndWith("form-action 'self'")
    expect(await jobsOf(id)).toBe(0)
    const response = await press(id)
    expect(response.status).toBe(303)
    expect(response.headers.get('location')).toBe(`${platform.gateway.url}/pay/${id}`)
    expect(await jobsOf(id)).toBe(1)
  })

  test('asks at most once in five seconds, however often it is pressed', async () => {
    const { id } = await shop.buy()
    const responses = await Promise.all(Array.from({ length: 8 }, () => press(id)))
    expect(responses.map(({ status }) => status)).toEqual(Array<number>(8).fill(303))
    expect(await jobsOf(id)).toBe(1)
    laterMs += ASKED_PAUSE_MS
    await press(id)
    expect(await jobsOf(id)).toBe(2)
  })

  test('is there until the payment is paid or closed, also when it has expired', async () => {
    const { id } = await shop.buy()
    expect(await isAsking(id)).toBe(true)
    await set(id, { expires_at: '2020-01-01T00:00:00Z' })
    expect(await isAsking(id)).toBe(true)
    await set(id, { state: 'closed', close_proof: 'test' })
    expect(await isAsking(id)).toBe(false)
    expect((await press(id)).status).toBe(303)
    expect(await jobsOf(id)).toBe(0)
  })

  test('asks nothing about a paid payment', async () => {
    const { id } = await shop.buy()
    await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
              channel_payment_id = 'n1' WHERE id = ${id}`.execute(platform.db)
    expect(await isAsking(id)).toBe(false)
    expect((await press(id)).status).toBe(303)
    expect(await jobsOf(id)).toBe(0)
  })

  test('is there on the page of an attempt that was replaced: its code may have been paid', async () => {
    const { id } = await shop.buy({ method: 'qr' })
    await fetch(`${platform.gateway.url}/pay/${id}/method`, {
      method: 'POST',
      headers: { 'user-agent': PHONE },
      redirect: 'manual',
    })
    expect(await (await open(id)).text()).toContain('Replaced by another payment')
    expect(await isAsking(id)).toBe(true)
  })

  test('is a page for a payment that does not exist', async () => {
    const response = await press(MISSING)
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toContain('text/html')
  })
})
