import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { createApiKey } from '#db/account/merchant'
import { newApiKeyId } from '#domain/id'
import { SCOPES } from '#domain/scope'
import type { Scope } from '#domain/scope'
import { operations } from '#gateway/openapi/document'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
/** A key of each scope, and one of all others. */
const keys = new Map<Scope, { readonly has: string; readonly lacks: string }>()

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  const make = async (scopes: readonly Scope[]) =>
    (await createApiKey(platform.db, platform.merchantId, 'test', scopes)).reveal()
  for (const scope of SCOPES) {
    const others = SCOPES.filter((other) => other !== scope)
    keys.set(scope, { has: await make([scope]), lacks: await make(others) })
  }
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const scoped = operations.flatMap(({ id, method, path, scope }) =>
  scope === undefined ? [] : [[id, { method, path, scope }] as const],
)

describe('an operation of the document', () => {
  test('has a scope, or is a picture for those who know the id', () => {
    const open = operations.filter(({ scope }) => scope === undefined).map(({ id }) => id)
    expect(open).toEqual(['drawCodeAsSvg', 'drawCodeAsPng'])
    expect(new Set(scoped.map(([, { scope }]) => scope))).toEqual(new Set(SCOPES))
  })

  test.each(scoped)('%s needs its scope, and no other', async (_id, { method, path, scope }) => {
    const call = async (key: string): Promise<unknown> => {
      const shop = createShop({ gateway: platform.gateway, apiKey: key })
      const address = path.replaceAll(/\{\w+\}/g, 'nobody')
      const response = await shop.call(address, {
        method: method.toUpperCase(),
        headers: { ...shop.headers, 'idempotency-key': crypto.randomUUID() },
        ...(method === 'post' ? { body: '{}' } : {}),
      })
      return response.status === 403 ? response.json() : response.status
    }
    const { has, lacks } = keys.get(scope) ?? { has: '', lacks: '' }
    const refusal = await call(lacks)
    expect(refusal).toMatchObject({ code: 'scope_missing', detail: expect.stringContaining(scope) })
    expect([200, 400, 404, 422]).toContain(Number(await call(has)))
  })
})

test('a key that was made without scopes may do everything, as before there were any', async () => {
  const { merchantId, db } = platform
  const { rows } = await sql<{ scopes: readonly string[] }>`
    INSERT INTO api_key (merchant_id, id, hash, shown_prefix)
    VALUES (${merchantId}, ${newApiKeyId()}, ${'0'.repeat(64)}, 'sk_test_abcd') RETURNING scopes`.execute(
    db,
  )
  expect(rows[0]?.scopes).toEqual([...SCOPES])
})
