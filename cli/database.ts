import { loadVariable } from '#db/config'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import type { Context } from './context.ts'
import { Failure } from './failure.ts'

/** Opens the database for one command, and closes it whatever happens. */
export async function withDatabase<T>(context: Context, work: (db: Db) => Promise<T>): Promise<T> {
  // A connection that dies while idle is heard of by the next query, if there is one.
  const db = openDatabase(databaseUrlOf(context), workerDatabase, () => undefined)
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

/** Never repeats the address in an error: it holds the password. */
export function databaseUrlOf(context: Context): string {
  const url = loadVariable(context.env, 'DATABASE_URL')
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return url
  throw new Failure(
    'environment',
    'DATABASE_URL is no address; write postgres://user@host/database',
  )
}
