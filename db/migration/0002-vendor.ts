import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { KEY_PURPOSES } from '#domain/key'

/** What the vendors after WeChat Pay need: more kinds of keys, and what their messages repeat of a request. */
export const vendorColumns = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) {
      // Constant text of this file: DDL has no parameters to bind.
      await sql.raw(statement).execute(db)
    }
  },
}

const purposes = KEY_PURPOSES.map((purpose) => `'${purpose}'`).join(', ')

const statements = [
  `ALTER TABLE pingzhang.channel_key DROP CONSTRAINT channel_key_purpose_check`,
  `ALTER TABLE pingzhang.channel_key ADD CONSTRAINT channel_key_purpose_check CHECK (purpose IN (${purposes}))`,
  `ALTER TABLE pingzhang.payment ADD COLUMN vendor_product text, ADD COLUMN clearing_date text`,
]
