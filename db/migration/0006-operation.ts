import { sql } from 'kysely'
import type { Kysely } from 'kysely'

/** The people who decide, and what the machine has repaired. */
export const operationSchema = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of statements) {
      // Constant text of this file: DDL has no parameters to bind.
      await sql.raw(statement).execute(db)
    }
  },
}

const statements = [
  `CREATE TABLE pingzhang.operator (
     id text PRIMARY KEY,
     name text NOT NULL UNIQUE CHECK (name <> ''),
     hash text NOT NULL UNIQUE CHECK (length(hash) = 64),
     created_at timestamptz NOT NULL DEFAULT now(),
     revoked_at timestamptz
   )`,
  // Per day and kind, so that two workers add to one row and nothing has to be kept in memory.
  `CREATE TABLE pingzhang.repair_count (
     kind text NOT NULL,
     day date NOT NULL,
     count bigint NOT NULL,
     PRIMARY KEY (kind, day)
   )`,
]
