import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { PgBoss } from 'pg-boss'
import { openSender } from '#db/job'
import { QUEUE_NAMES, deadLetterOf } from '#domain/job'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let boss: PgBoss

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url })
  boss = await openSender(database.url, () => undefined)
}, TIMEOUT_MS)

afterAll(async () => {
  await boss.stop({ graceful: false })
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

test.each([...QUEUE_NAMES])(
  'a dead letter of %s opens a case for a person (I16)',
  async (name) => {
    expect((await boss.getQueue(name))?.deadLetter).toBe(deadLetterOf(name))
    const id = await boss.send(deadLetterOf(name), { merchantId: platform.merchantId, number: 'x' })
    const found = await waitFor('the case', () =>
      platform.db
        .selectFrom('open_case')
        .select(['kind', 'evidence'])
        .where('subject', '=', `${name} ${id}`)
        .executeTakeFirst(),
    )
    expect(found.kind).toBe('dead_letter')
    expect(found.evidence['number']).toBe('x')
  },
  TIMEOUT_MS,
)
