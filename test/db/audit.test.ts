import { afterAll, beforeAll, expect, test } from 'bun:test'
import { appendAudit, hashOf } from '#db/case/audit'
import { verifyAudit } from '#db/case/audit-verify'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { addMerchant } from '#db/account/merchant'
import { newMerchantId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

// How the chain grows; how a broken one is found is in audit-verify.test.ts.

const TIMEOUT_MS = 30_000
const APPENDS = 20

let database: TestDatabase
let db: Db

beforeAll(async () => {
  database = await cloneDatabase()
  db = openDatabase(database.url, workerDatabase, () => undefined)
}, TIMEOUT_MS)
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

const at = new Date('2026-03-14T09:15:02.123Z')

const entryOf = (merchantId: MerchantId, subject: string) => ({
  merchantId,
  actor: 'policy',
  action: 'late_payment.refund',
  subject,
  reason: 'the policy says so',
  content: { amount: '100', vendor_number: '4200' },
  at,
})

const append = (merchantId: MerchantId, subject: string): Promise<void> =>
  db.transaction().execute((trx) => appendAudit(trx, entryOf(merchantId, subject)))

const placesOf = async (merchantId: MerchantId): Promise<readonly bigint[]> => {
  const rows = await db
    .selectFrom('audit')
    .select('place')
    .where('merchant_id', '=', merchantId)
    .orderBy('place')
    .execute()
  return rows.map(({ place }) => place)
}

test('I17 appends of many at once form one chain without a gap', async () => {
  const merchants = [await addMerchant(db, 'One'), await addMerchant(db, 'Two')]
  await Promise.all(
    Array.from({ length: APPENDS }, (_, index) =>
      merchants.map((merchantId) => append(merchantId, `s${index}`)),
    ).flat(),
  )
  for (const merchantId of merchants) {
    expect(await placesOf(merchantId)).toEqual(
      Array.from({ length: APPENDS }, (_, n) => BigInt(n + 1)),
    )
    expect((await verifyAudit(db, merchantId)).kind).toBe('intact')
  }
})

test('an entry whose transaction was rolled back leaves no gap and holds nobody up', async () => {
  const merchantId = await addMerchant(db, 'Rolled back')
  await append(merchantId, 'a')
  const failed = db.transaction().execute(async (trx) => {
    await appendAudit(trx, entryOf(merchantId, 'lost'))
    throw new Error('planted')
  })
  expect(await failed.catch((error: unknown) => String(error))).toContain('planted')
  await append(merchantId, 'b')
  expect(await placesOf(merchantId)).toEqual([1n, 2n])
  expect((await verifyAudit(db, merchantId)).kind).toBe('intact')
})

test('every part of an entry is in its hash, and no two entries have one text', () => {
  const entry = { ...entryOf(newMerchantId(), 's'), id: 't1', place: 7n }
  const changed = [
    { ...entry, merchantId: newMerchantId() },
    { ...entry, place: 8n },
    { ...entry, id: 't2' },
    { ...entry, actor: 'policy2' },
    { ...entry, action: 'late_payment.revive' },
    { ...entry, subject: 's2' },
    { ...entry, reason: 'the policy says' },
    { ...entry, at: new Date(at.getTime() + 1) },
    { ...entry, content: { amount: '101', vendor_number: '4200' } },
    { ...entry, content: { amount: '100' } },
    // The same letters, cut in another place.
    { ...entry, subject: `${entry.subject}${entry.reason}`, reason: '' },
  ]
  const hashes = [entry, ...changed].map((item) => hashOf(item, 'p'))
  expect(new Set([...hashes, hashOf(entry, 'q')]).size).toBe(changed.length + 2)
  const reordered = { ...entry, content: { vendor_number: '4200', amount: '100' } }
  // The column does not keep the order of names.
  expect(hashOf(reordered, 'p')).toBe(hashes[0] ?? '')
})
