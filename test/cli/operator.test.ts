import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant, createApiKey, findKeyHolder } from '#db/account/merchant'
import { findOperator } from '#db/account/operator'
import type { MerchantId } from '#domain/id'
import { SCOPES } from '#domain/scope'
import { Secret } from '#domain/secret'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { runCommand } from './run.ts'
import type { Result } from './run.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let db: Db
let merchantId: MerchantId

beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url, workerDatabase, () => undefined)
  merchantId = await addMerchant(db, 'Tea shop')
}, TIMEOUT_MS)

afterAll(async () => {
  await db.destroy()
  await database.drop()
}, TIMEOUT_MS)

const run = (...words: string[]): Promise<Result> =>
  runCommand({ DATABASE_URL: database.url }, words)

function expectRefused({ code, out, err }: Result, message: RegExp): void {
  expect(err).toMatch(message)
  expect(err).toMatch(/^error: [^\n]+\n$/)
  expect({ code, out }).toEqual({ code: 2, out: '' })
}

describe('operator', () => {
  const added = z.object({ operator: z.string(), token: z.string().startsWith('op_') })

  test(
    'add prints a token, this once, and revoke ends it',
    async () => {
      const first = await run('operator', 'add', 'Ann Li', '--json')
      const { operator, token } = added.parse(JSON.parse(first.out))
      expect(operator).toBe('Ann Li')
      expect(await findOperator(db, new Secret(token))).toBe('Ann Li')
      const stored = await db.selectFrom('operator').selectAll().execute()
      expect(JSON.stringify(stored)).not.toContain(token)
      expectRefused(await run('operator', 'add', 'Ann Li'), /an operator of this name/)
      expect((await run('operator', 'revoke', 'Ann Li')).code).toBe(0)
      expect(await findOperator(db, new Secret(token))).toBeUndefined()
      expectRefused(await run('operator', 'revoke', 'Ann Li'), /no operator of this name/)
      // The audit names people: a name never stands for another person later.
      expectRefused(await run('operator', 'add', 'Ann Li'), /an operator of this name/)
    },
    TIMEOUT_MS,
  )

  test.each(['policy', ' machine ', '', ' ', 'a\nb', 'x'.repeat(65)])(
    'add refuses the name %j, which no person has',
    async (name) => expectRefused(await run('operator', 'add', name), /1 to 64 characters/),
    TIMEOUT_MS,
  )
})

describe('key create --scope', () => {
  const made = z.object({ key: z.string(), scopes: z.array(z.string()) })
  const create = (...words: string[]): Promise<Result> =>
    run('key', 'create', '--merchant', merchantId, '--mode', 'live', ...words)

  test(
    'makes a key that may do this and no more; without the option it may do everything',
    async () => {
      const words = ['--scope', 'refund:read', '--scope', 'case:read', 'refund:read', '--json']
      const few = made.parse(JSON.parse((await create(...words)).out))
      expect(few.scopes).toEqual(['refund:read', 'case:read'])
      const holder = await findKeyHolder(db, new Secret(few.key))
      expect(holder).toEqual({ merchantId, scopes: ['refund:read', 'case:read'] })
      const all = made.parse(JSON.parse((await create('--json')).out))
      expect((await findKeyHolder(db, new Secret(all.key)))?.scopes).toEqual([...SCOPES])
    },
    TIMEOUT_MS,
  )

  test(
    'refuses a scope that there is not',
    async () => {
      const { code, err } = await create('--scope', 'payment:all')
      expect({ code, isTold: err.includes('payment:read') }).toEqual({ code: 2, isTold: true })
    },
    TIMEOUT_MS,
  )
})

describe('key revoke', () => {
  const speaks = async (key: string): Promise<boolean> =>
    (await findKeyHolder(db, new Secret(key))) !== undefined

  test(
    'ends the key that begins so, and no other',
    async () => {
      const [leaked, other] = [
        (await createApiKey(db, merchantId, 'live')).reveal(),
        (await createApiKey(db, merchantId, 'live')).reveal(),
      ]
      const prefix = leaked.slice(0, 12)
      const { code, out } = await run('key', 'revoke', prefix, '--json')
      expect({ code, out: JSON.parse(out) }).toEqual({
        code: 0,
        out: { key: prefix, merchant: merchantId, revoked: 1 },
      })
      expect([await speaks(leaked), await speaks(other)]).toEqual([false, true])
      expectRefused(await run('key', 'revoke', prefix), /no key begins so/)
    },
    TIMEOUT_MS,
  )

  test(
    'asks for the merchant where keys of two begin the same',
    async () => {
      const another = await addMerchant(db, 'Coffee shop')
      const keys = [
        (await createApiKey(db, merchantId, 'test')).reveal(),
        (await createApiKey(db, another, 'test')).reveal(),
      ]
      await db
        .updateTable('api_key')
        .set({ shown_prefix: 'sk_test_same' })
        .where('shown_prefix', 'like', 'sk_test_%')
        .execute()
      expectRefused(await run('key', 'revoke', 'sk_test_same'), /--merchant/)
      expect(await Promise.all(keys.map(speaks))).toEqual([true, true])
      const words = ['key', 'revoke', 'sk_test_same', '--merchant', 'Coffee shop']
      expect((await run(...words)).code).toBe(0)
      expect(await Promise.all(keys.map(speaks))).toEqual([true, false])
    },
    TIMEOUT_MS,
  )

  test(
    'takes the beginning alone, and never repeats a whole key',
    async () => {
      const key = (await createApiKey(db, merchantId, 'live')).reveal()
      const refused = await run('key', 'revoke', key)
      expectRefused(refused, /first 12 characters/)
      expect(refused.err).not.toContain(key.slice(0, 12))
      expect(await speaks(key)).toBe(true)
    },
    TIMEOUT_MS,
  )
})
