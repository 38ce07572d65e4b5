import { PgBoss, fromKysely } from 'pg-boss'
import type { JobByQueue, QueueName } from '#domain/job'
import { QUEUE_NAMES } from '#domain/job'
import { assert } from '#domain/assert'
import type { Trx } from './database.ts'

export interface NewJob<Name extends QueueName> {
  readonly data: JobByQueue[Name]
  readonly startAfterSeconds?: number
  /** The higher is taken first; jobs of one commit have no other order. */
  readonly priority?: number
}

/** The only way to a queue: jobs are sent in the caller's transaction. */
export interface Jobs {
  send<Name extends QueueName>(trx: Trx, queue: Name, jobs: readonly NewJob<Name>[]): Promise<void>
}

/**
 * The producer's confirm: pg-boss returns one row per job, in the same transaction.
 *
 * A short list aborts the transaction, because a job that was silently not made is a lost wake-up.
 */
export function jobsOf(boss: PgBoss): Jobs {
  return {
    async send(trx, queue, jobs) {
      if (jobs.length === 0) return
      const rows = jobs.map(({ data, startAfterSeconds, priority }) => ({
        data,
        ...(priority === undefined ? {} : { priority }),
        ...(startAfterSeconds === undefined ? {} : { startAfter: startAfterSeconds }),
      }))
      const ids = await boss.insert(queue, rows, { db: fromKysely(trx), returnId: true })
      assert(
        ids?.length === jobs.length,
        `asked ${queue} for ${jobs.length} jobs, got ${ids?.length ?? 0}`,
      )
    },
  }
}

/** A pg-boss that only sends: it neither migrates nor supervises. Reads every queue once, to fail early. */
export async function openSender(url: string, onError: (error: Error) => void): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: url,
    schema: 'pgboss',
    supervise: false,
    schedule: false,
    migrate: false,
    createSchema: false,
    max: 2,
  })
  boss.on('error', onError)
  await boss.start()
  for (const name of QUEUE_NAMES) {
    if ((await boss.getQueue(name)) === null)
      throw new Error(`queue ${name} is missing: run migrate`)
  }
  return boss
}
