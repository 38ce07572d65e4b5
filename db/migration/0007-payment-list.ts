import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** Lists of payments by the time of their creation, without a walk through all of a merchant's. */
export const paymentListIndex = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`CREATE INDEX payment_by_creation ON pingzhang.payment (merchant_id, created_at, id)`.execute(
      db,
    )
  },
}
