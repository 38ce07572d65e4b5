import type { MerchantId } from '#domain/id'
import { FIRST_HASH, hashOf } from './audit.ts'
import type { Db } from '../database.ts'

const PAGE = 500

/** What is wrong with an entry: it is not the next one, follows another one, or says something else. */
export type AuditFault = 'place' | 'previous_hash' | 'hash'

export type AuditVerdict =
  | { readonly kind: 'intact'; readonly entries: number; readonly lastHash: string }
  | {
      readonly kind: 'broken'
      readonly place: bigint
      readonly id: string
      readonly fault: AuditFault
    }

/**
 * Walks a merchant's audit chain from its beginning and names the first entry that does not fit.
 *
 * Entries that were taken off the end leave a shorter chain that is intact: compare `lastHash` with one that
 * was kept elsewhere.
 */
export async function verifyAudit(db: Db, merchantId: MerchantId): Promise<AuditVerdict> {
  let place = 0n
  let lastHash = FIRST_HASH
  for (;;) {
    const rows = await readPage(db, merchantId, place)
    for (const row of rows) {
      const fault = faultOf(row, { place: place + 1n, lastHash })
      if (fault !== undefined) return { kind: 'broken', place: row.place, id: row.id, fault }
      place = row.place
      lastHash = row.hash
    }
    if (rows.length < PAGE) return { kind: 'intact', entries: Number(place), lastHash }
  }
}

type Row = Awaited<ReturnType<typeof readPage>>[number]

const readPage = (db: Db, merchantId: MerchantId, after: bigint) =>
  db
    .selectFrom('audit')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('place', '>', after)
    .orderBy('place')
    .limit(PAGE)
    .execute()

function faultOf(
  row: Row,
  expected: { readonly place: bigint; readonly lastHash: string },
): AuditFault | undefined {
  if (row.place !== expected.place) return 'place'
  if (row.previous_hash !== expected.lastHash) return 'previous_hash'
  const entry = {
    merchantId: row.merchant_id,
    id: row.id,
    place: row.place,
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    reason: row.reason,
    content: texts(row.content),
    at: row.at,
  }
  return hashOf(entry, row.previous_hash) === row.hash ? undefined : 'hash'
}

/** We write text alone; a value of another kind makes another hash. */
const texts = (content: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(content).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : `not text: ${JSON.stringify(value)}`,
    ]),
  )

/** Every merchant, so that all chains can be walked; the oldest first. */
export async function listMerchantIds(db: Db): Promise<MerchantId[]> {
  const rows = await db.selectFrom('merchant').select('id').orderBy('id').execute()
  return rows.map((row) => row.id)
}
