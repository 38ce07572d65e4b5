import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test'
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { appendAudit } from '#db/case/audit'
import { verifyAudit } from '#db/case/audit-verify'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant } from '#db/account/merchant'
import type { MerchantId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

const TIMEOUT_MS = 30_000
setDefaultTimeout(TIMEOUT_MS)
const ENTRIES = 5

let database: TestDatabase
let db: Db
let merchantId: MerchantId

beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url, workerDatabase, () => undefined)
}, TIMEOUT_MS)
afterAll(async () => {
  await db.destroy()
  await database.drop()
})
beforeEach(async () => {
  merchantId = await addMerchant(db, crypto.randomUUID())
  for (let index = 1; index <= ENTRIES; index += 1) await append(index)
})

const append = (index: number): Promise<void> =>
  db.transaction().execute((trx) =>
    appendAudit(trx, {
      merchantId,
      actor: 'ann',
      action: 'case.refund',
      subject: `c${index}`,
      reason: 'as the customer said',
      content: { amount: String(index), case_kind: 'late_payment' },
      at: new Date('2026-03-14T09:15:02.123Z'),
    }),
  )

/** As somebody does it who has the database to himself, triggers included. */
async function tamper(statement: RawBuilder<unknown>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`ALTER TABLE audit DISABLE TRIGGER append_only`.execute(trx)
    await statement.execute(trx)
    await sql`ALTER TABLE audit ENABLE TRIGGER append_only`.execute(trx)
  })
}

const at = (place: number) => sql`merchant_id = ${merchantId} AND place = ${place}`

describe('the audit chain', () => {
  test('is intact as it was written, more than a page of it', async () => {
    for (let index = 0; index < 600; index += 1) await append(index)
    expect(await verifyAudit(db, merchantId)).toMatchObject({ kind: 'intact', entries: 605 })
  })

  test('of a merchant without decisions is intact', async () => {
    const another = await addMerchant(db, crypto.randomUUID())
    expect(await verifyAudit(db, another)).toMatchObject({ kind: 'intact', entries: 0 })
  })

  test.each([
    ['actor', sql`actor = 'bob'`],
    ['action', sql`action = 'case.write_off'`],
    ['subject', sql`subject = 'c9'`],
    ['reason', sql`reason = 'because'`],
    ['amount', sql`content = jsonb_set(content, '{amount}', '"9"')`],
    ['kind of a value', sql`content = jsonb_set(content, '{amount}', '3')`],
    ['further value', sql`content = content || '{"more": "1"}'`],
    ['time', sql`at = at + interval '1 ms'`],
    ['id', sql`id = 't0'`],
  ])('names the entry whose %s was changed', async (_name, change) => {
    await tamper(sql`UPDATE audit SET ${change} WHERE ${at(3)}`)
    expect(await verifyAudit(db, merchantId)).toMatchObject({
      kind: 'broken',
      place: 3n,
      fault: 'hash',
    })
  })

  test('names the entry after one that was taken out, also when the places are closed up', async () => {
    await tamper(sql`DELETE FROM audit WHERE ${at(3)}`)
    expect(await verifyAudit(db, merchantId)).toMatchObject({ place: 4n, fault: 'place' })
    await tamper(sql`UPDATE audit SET place = 3 WHERE ${at(4)}`)
    expect(await verifyAudit(db, merchantId)).toMatchObject({ place: 3n, fault: 'previous_hash' })
  })

  test('names an entry that was taken from the beginning', async () => {
    await tamper(sql`DELETE FROM audit WHERE ${at(1)}`)
    expect(await verifyAudit(db, merchantId)).toMatchObject({ place: 2n, fault: 'place' })
  })

  test('names the entry after one whose hash was made anew to fit its change', async () => {
    await tamper(sql`UPDATE audit SET hash = repeat('a', 64) WHERE ${at(2)}`)
    expect(await verifyAudit(db, merchantId)).toMatchObject({ place: 2n, fault: 'hash' })
    await tamper(sql`UPDATE audit SET previous_hash = repeat('a', 64) WHERE ${at(3)}`)
    expect(await verifyAudit(db, merchantId)).toMatchObject({ place: 2n, fault: 'hash' })
  })

  test('that lost its end is shorter and ends in another hash', async () => {
    const before = await verifyAudit(db, merchantId)
    await tamper(sql`DELETE FROM audit WHERE ${at(ENTRIES)}`)
    const after = await verifyAudit(db, merchantId)
    expect([before, after]).toMatchObject([
      { kind: 'intact', entries: ENTRIES },
      { kind: 'intact', entries: ENTRIES - 1 },
    ])
    expect(JSON.stringify(before)).not.toBe(JSON.stringify(after))
  })

  test("of one merchant says nothing about another's", async () => {
    const mine = merchantId
    const another = await addMerchant(db, crypto.randomUUID())
    merchantId = another
    await append(1)
    await tamper(sql`UPDATE audit SET reason = 'because' WHERE ${at(1)}`)
    expect(await verifyAudit(db, mine)).toMatchObject({ kind: 'intact' })
    expect(await verifyAudit(db, another)).toMatchObject({ kind: 'broken' })
  })
})
