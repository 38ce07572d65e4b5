import { afterAll, beforeAll, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { newRefundId } from '#domain/id'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

const TIMEOUT_MS = 40_000
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

let database: TestDatabase
let platform: Platform

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function run(...words: string[]): Promise<{ code: number; err: string }> {
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: { DATABASE_URL: database.url, PINGZHANG_SEAL_KEY: '5a'.repeat(32) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const err = await new Response(child.stderr).text()
  return { code: await child.exited, err }
}

test(
  'retire refuses an account while one of its payments is open',
  async () => {
    await createShop(platform).buy()
    expect(await run('channel', 'disable', platform.accountId)).toEqual({ code: 0, err: '' })
    const refused = await run('channel', 'retire', platform.accountId)
    expect(refused).toEqual({ code: 2, err: expect.stringContaining('has open payments') })
  },
  TIMEOUT_MS,
)

test(
  'retire refuses an account while a refund of it has no end',
  async () => {
    expect((await run('channel', 'enable', platform.accountId)).code).toBe(0)
    const { id } = await createShop(platform).buy()
    await sql`UPDATE payment SET state = 'closed' WHERE state = 'pending' AND id <> ${id}`.execute(
      platform.db,
    )
    await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
              channel_payment_id = 'paid' WHERE id = ${id}`.execute(platform.db)
    await sql`INSERT INTO refund (merchant_id, id, payment_id, channel_account_id, origin, amount, currency,
                                  reason, state, due_at)
              VALUES (${platform.merchantId}, ${newRefundId()}, ${id}, ${platform.accountId}, 'merchant', 100,
                      'CNY', 'tea', 'requested', now())`.execute(platform.db)
    expect((await run('channel', 'disable', platform.accountId)).code).toBe(0)
    const refused = await run('channel', 'retire', platform.accountId)
    expect(refused).toEqual({ code: 2, err: expect.stringContaining('has refunds') })
    await sql`UPDATE refund SET state = 'refused', due_at = NULL`.execute(platform.db)
    expect(await run('channel', 'retire', platform.accountId)).toEqual({ code: 0, err: '' })
  },
  TIMEOUT_MS,
)
