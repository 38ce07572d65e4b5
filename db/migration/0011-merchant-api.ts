import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** The merchant's own refund numbers, lists of refunds by time, and what an API key may do. */
export const merchantApi = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of [
      `ALTER TABLE pingzhang.refund ADD COLUMN refund_number text CHECK (refund_number <> ''),
         ADD UNIQUE (merchant_id, refund_number)`,
      `CREATE INDEX refund_by_creation ON pingzhang.refund (merchant_id, created_at, id)`,
      // Keys that exist may do what they could, and so may those that code before this version still makes.
      `ALTER TABLE pingzhang.api_key ADD COLUMN scopes text[] NOT NULL DEFAULT ARRAY[
         'payment:read', 'payment:write', 'refund:read', 'refund:write', 'event:read', 'event:write',
         'case:read', 'reconciliation:read'] CHECK (cardinality(scopes) > 0)`,
    ]) {
      await sql.raw(statement).execute(db)
    }
  },
}
