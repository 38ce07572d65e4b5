import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

const CHUNK_BYTES = 512 * 1024
const SECOND_MS = 1000

/** Seconds that COPY takes for the lines of a packed file, into a table of one column that has no index. */
export async function timePlainCopy(databaseUrl: string, path: string): Promise<number> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('CREATE TABLE public.plain_line (line text)')
    const startedAt = performance.now()
    await pipeline(
      createReadStream(path, { highWaterMark: CHUNK_BYTES }),
      createGunzip({ chunkSize: CHUNK_BYTES }),
      client.query(copyFrom('COPY public.plain_line FROM STDIN')),
    )
    const seconds = (performance.now() - startedAt) / SECOND_MS
    await client.query('DROP TABLE public.plain_line')
    // No later phase pays for the pages that this one left.
    await client.query('CHECKPOINT')
    return seconds
  } finally {
    await client.end()
  }
}
