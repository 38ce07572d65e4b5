import { startPostgres } from './embedded/supervisor.ts'

/** A database to work with. `stop` ends it only if we started it. */
export interface OpenPostgres {
  readonly url: string
  stop(): Promise<void>
}

/** Takes the database that `DATABASE_URL` names, or starts PostgreSQL in the data directory. */
export async function openPostgres(
  env: Readonly<Record<string, string | undefined>>,
  { dataDirectory }: { readonly dataDirectory: string },
): Promise<OpenPostgres> {
  const url = nonEmpty(env['DATABASE_URL'])
  if (url !== undefined) return { url, stop: () => Promise.resolve() }
  const binDirectory = nonEmpty(env['PINGZHANG_PG_BIN'])
  return startPostgres({ dataDirectory, binDirectory, fsync: true })
}

/** A variable set to nothing is how shells and unit files say "not set". */
const nonEmpty = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : text
