import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { KEY_PURPOSES } from '#domain/key'
import { WALLETS } from '#domain/method'

/** What the vendors after WeChat Pay need: more kinds of keys, and what their messages repeat of a request. */
export const vendorColumns = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) {
      // Constant text of this file: DDL has no parameters to bind.
      await sql.raw(statement).execute(db)
    }
  },
}

const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ')
const purposes = quoted(KEY_PURPOSES)
const wallets = quoted(WALLETS)

const statements = [
  `ALTER TABLE pingzhang.channel_key DROP CONSTRAINT channel_key_purpose_check`,
  `ALTER TABLE pingzhang.channel_key ADD CONSTRAINT channel_key_purpose_check CHECK (purpose IN (${purposes}))`,
  `ALTER TABLE pingzhang.payment ADD COLUMN vendor_product text, ADD COLUMN clearing_date text,
     ADD COLUMN wallet text CHECK (wallet IN (${wallets})), ADD COLUMN client_ip text, ADD COLUMN payer_open_id text`,
]
