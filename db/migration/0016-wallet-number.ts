import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/**
 * Behind an aggregator stands a wallet with a number of its own: kept beside the aggregator's, and looked for when a
 * bill names a payment by nothing else. Never unique: whoever gives it twice must not stop a payment.
 */
export const walletNumber = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`ALTER TABLE pingzhang.payment ADD COLUMN wallet_payment_id text`.execute(db)
    await sql`ALTER TABLE pingzhang.bill_line ADD COLUMN wallet_payment_id text`.execute(db)
    await sql`CREATE INDEX payment_by_wallet_number ON pingzhang.payment (merchant_id, wallet_payment_id)
      WHERE wallet_payment_id IS NOT NULL`.execute(db)
  },
}
