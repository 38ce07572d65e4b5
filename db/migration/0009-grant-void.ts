import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { stateMoves } from './guard.ts'

/** Points that were refused can be written off. */
export const grantVoid = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of stateMoves()) await sql.raw(statement).execute(db)
  },
}
