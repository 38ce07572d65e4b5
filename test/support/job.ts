import { sql } from 'kysely'
import type { Db } from '#db/database'
import type { QueueName } from '#domain/job'

/** Jobs of a queue whose payload mentions an id, whatever has become of them. */
export async function countJobs(db: Db, queue: QueueName, id: string): Promise<number> {
  const { rows } = await sql<{ count: bigint }>`
    SELECT count(*) AS count FROM pgboss.job
    WHERE name = ${queue} AND data::text LIKE ${`%${id}%`}`.execute(db)
  return Number(rows[0]?.count ?? 0)
}
