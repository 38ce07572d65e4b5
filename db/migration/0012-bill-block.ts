import { sql } from 'kysely'
import type { Kysely } from 'kysely'

const statements = [
  // A bill is loaded by one COPY whose last line is the commit: its lines are one another's neighbours on disk, and
  // never change. A summary of each stretch of blocks finds them; a key of a million entries took longer to write
  // than the lines themselves. That a bill is there once is the key of `bill`, in the same commit.
  `ALTER TABLE pingzhang.bill_line DROP CONSTRAINT bill_line_pkey`,
  `CREATE INDEX bill_line_by_bill ON pingzhang.bill_line USING brin (merchant_id, bill_id, business_date)
     WITH (pages_per_range = 32, autosummarize = on)`,
]

/** Lines of a bill are found by where they lie. */
export const billBlock = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
