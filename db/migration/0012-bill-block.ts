import { sql } from 'kysely'
import type { Kysely } from 'kysely'

const statements = [
  // A bill is loaded by one COPY and its lines never change: they are neighbours on disk, and a summary of each stretch
  // of blocks finds them. A key of a million entries took nearly as long to write as the lines themselves. That a bill
  // is there once is the key of `bill`, in the same commit.
  `ALTER TABLE pingzhang.bill_line DROP CONSTRAINT bill_line_pkey`,
  // Whoever loads a bill has the blocks before it summarised: autovacuum has a list of 256 for that, and a million lines
  // are 800 stretches.
  `CREATE INDEX bill_line_by_bill ON pingzhang.bill_line USING brin (merchant_id, bill_id, business_date)
     WITH (pages_per_range = 32)`,
]

/** Lines of a bill are found by where they lie. */
export const billBlock = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}
