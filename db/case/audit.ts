import { sql } from 'kysely'
import { newAuditId } from '#domain/id'
import type { MerchantId } from '#domain/id'
import type { Trx } from '../database.ts'

/** One decision: who did what to which row, and why. */
export interface AuditEntry {
  readonly merchantId: MerchantId
  /** A person, or `policy` for a rule that the merchant has set. */
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly reason: string
  readonly content: Readonly<Record<string, string>>
  readonly at: Date
}

export const FIRST_HASH = '0'.repeat(64)

/**
 * Appends to the merchant's audit chain in the caller's transaction.
 *
 * Each entry's hash covers the one before it, so that a row changed or taken out later is seen. Appends of
 * one merchant wait for each other until the commit.
 */
export async function appendAudit(trx: Trx, entry: AuditEntry): Promise<void> {
  // A lock of its own: it is taken last, after every row of the unit of work.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`audit ${entry.merchantId}`}, 0))`.execute(
    trx,
  )
  const last = await trx
    .selectFrom('audit')
    .select(['place', 'hash'])
    .where('merchant_id', '=', entry.merchantId)
    .orderBy('place', 'desc')
    .limit(1)
    .executeTakeFirst()
  const place = (last?.place ?? 0n) + 1n
  const previousHash = last?.hash ?? FIRST_HASH
  const row = { ...entry, id: newAuditId(), place }
  await trx
    .insertInto('audit')
    .values({
      merchant_id: entry.merchantId,
      place,
      id: row.id,
      actor: entry.actor,
      action: entry.action,
      subject: entry.subject,
      reason: entry.reason,
      content: JSON.stringify(entry.content),
      at: entry.at,
      previous_hash: previousHash,
      hash: hashOf(row, previousHash),
    })
    .execute()
}

interface Hashed extends AuditEntry {
  readonly id: string
  readonly place: bigint
}

/** SHA-256 over the entry as a list, so that no two entries have one text. */
export function hashOf(entry: Hashed, previousHash: string): string {
  const content = Object.entries(entry.content).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const text = JSON.stringify([
    previousHash,
    entry.merchantId,
    entry.place.toString(),
    entry.id,
    entry.actor,
    entry.action,
    entry.subject,
    entry.reason,
    content,
    entry.at.toISOString(),
  ])
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}
