import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { z } from 'zod'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant } from '#db/account/merchant'
import type { MerchantId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { runCommand } from './run.ts'
import type { Result } from './run.ts'

const TIMEOUT_MS = 60_000

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

const entries = () =>
  db
    .selectFrom('audit')
    .select(['actor', 'action', 'subject', 'reason', 'content'])
    .where('merchant_id', '=', merchantId)
    .orderBy('place')
    .execute()

const policyOf = async () => {
  const row = await db
    .selectFrom('merchant')
    .select('late_policy')
    .where('id', '=', merchantId)
    .executeTakeFirstOrThrow()
  return row.late_policy
}

describe('merchant policy', () => {
  test(
    'is set by name or id, and each change is audited',
    async () => {
      const first = await run('merchant', 'policy', 'Tea shop', 'revive', '--as', 'ann', '--json')
      expect(first).toEqual({
        code: 0,
        err: '',
        out: `{"merchant":"${merchantId}","name":"Tea shop","policy":"revive","before":"ask"}\n`,
      })
      expect(await policyOf()).toBe('revive')
      const words = [
        'merchant',
        'policy',
        merchantId,
        'refund',
        '--as',
        'bob',
        '--reason',
        'new terms',
      ]
      expect((await run(...words)).out).toContain('it was revive')
      // A policy that is so already is no change.
      expect((await run(...words)).out).toContain('is refund already')
      expect(await entries()).toEqual([
        {
          actor: 'ann',
          action: 'merchant.policy',
          subject: merchantId,
          reason: 'set by command',
          content: { from: 'ask', to: 'revive' },
        },
        {
          actor: 'bob',
          action: 'merchant.policy',
          subject: merchantId,
          reason: 'new terms',
          content: { from: 'revive', to: 'refund' },
        },
      ])
    },
    TIMEOUT_MS,
  )

  test(
    'refuses another word and another merchant, and never repeats what was given',
    async () => {
      const wrong = await run('merchant', 'policy', 'Tea shop', 'keep')
      expect(wrong).toMatchObject({ code: 2, out: '' })
      expect(wrong.err).toContain('Allowed choices are revive, refund, ask')
      const nobody = await run('merchant', 'policy', 'sk_test_pasted', 'ask')
      expect(nobody).toMatchObject({ code: 2, out: '' })
      expect(nobody.err).not.toContain('sk_test_pasted')
    },
    TIMEOUT_MS,
  )
})

describe('audit verify', () => {
  const verdict = z.object({
    intact: z.boolean(),
    merchants: z.array(z.looseObject({ merchant: z.string(), intact: z.boolean() })),
  })

  test(
    'walks every chain, or one, and says how long it is',
    async () => {
      await addMerchant(db, 'Coffee shop')
      const { code, out } = await run('audit', 'verify', '--json')
      expect(code).toBe(0)
      const found = verdict.parse(JSON.parse(out))
      expect(found.intact).toBe(true)
      expect(found.merchants.map(({ entries: count }) => count)).toEqual([2, 0])
      const one = await run('audit', 'verify', '--merchant', 'Tea shop')
      expect(one.out).toMatch(
        /^audit of merchant m\w{25}: 2 entries, intact, ends in [0-9a-f]{64}\n$/,
      )
      expect((await run('audit', 'verify', '--merchant', 'nobody')).code).toBe(2)
    },
    TIMEOUT_MS,
  )

  test(
    'names the first broken entry, with exit code 3, for people and for programs',
    async () => {
      await sql`ALTER TABLE audit DISABLE TRIGGER append_only`.execute(db)
      await sql`UPDATE audit SET reason = 'because' WHERE place = 2`.execute(db)
      await sql`ALTER TABLE audit ENABLE TRIGGER append_only`.execute(db)
      const people = await run('audit', 'verify')
      expect(people).toMatchObject({ code: 3, out: '' })
      expect(people.err).toMatch(
        /^error: the audit of merchant m\w{25} is broken at entry 2 \(t\w{25}\): it was changed[^\n]+\n$/,
      )
      const program = await run('audit', 'verify', '--json')
      expect(program.code).toBe(3)
      const found = verdict.parse(JSON.parse(program.out))
      expect(found.intact).toBe(false)
      expect(found.merchants[0]).toMatchObject({ merchant: merchantId, place: 2, fault: 'hash' })
    },
    TIMEOUT_MS,
  )
})
