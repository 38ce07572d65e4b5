import { sql } from 'kysely'
import type { Job } from 'pg-boss'
import { sweep } from '#db/sweep'
import type { SweepCounts } from '#db/sweep'
import { QUEUE_NAMES } from '#domain/job'
import type { JobByQueue, QueueName } from '#domain/job'
import { addMs } from '#domain/time'
import { runJobs } from '#worker/queue'
import { RETRY_SECONDS } from './world.ts'
import type { World } from './world.ts'

const BATCH_SIZE = 50
const ROUNDS_MAX = 60

/** Which queue is looked at first. A worker polls them all at once, so any order is one of its days. */
export type QueueOrder = 'forwards' | 'backwards'

/**
 * One turn of all queues: the jobs that may run now, a batch of each. What they queue is the next turn's.
 * Returns how many jobs ran.
 */
export async function runWorkerOnce(world: World, order: QueueOrder): Promise<number> {
  const ready = await findReady(world)
  const names = QUEUE_NAMES.filter((name) => ready.has(name))
  let count = 0
  for (const name of order === 'forwards' ? names : names.toReversed()) {
    count += await runQueue(world, name)
  }
  return count
}

/** Only a look, so that empty queues cost nothing; `fetch` decides. */
async function findReady({ db }: World): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ name: string }>`
    SELECT DISTINCT name FROM pgboss.job
    WHERE state IN ('created', 'retry') AND start_after <= pgboss.job_now()`.execute(db)
  return new Set(rows.map(({ name }) => name))
}

/** Turns until no queue has a job that may run now. */
export async function runWorkerUntilIdle(world: World, order: QueueOrder): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    if ((await runWorkerOnce(world, order)) === 0) return
  }
  throw new Error(`the worker has still jobs after ${ROUNDS_MAX} turns`)
}

/** As `boss.work` does: take a batch, run it, and let each job end as it has ended. */
async function runQueue<Name extends QueueName>(world: World, name: Name): Promise<number> {
  const { boss, deps } = world.worker()
  const jobs = await boss.fetch<JobByQueue[Name]>(name, { batchSize: BATCH_SIZE })
  if (jobs.length === 0) return 0
  const { signal } = new AbortController()
  const taken: Job<JobByQueue[Name]>[] = jobs.map((job) => ({ ...job, signal }))
  for (const end of await runJobs(deps, name, taken)) {
    if (end.status === 'completed') await boss.complete(name, end.id)
    else await boss.fail(name, end.id, end.output)
  }
  return jobs.length
}

/** The sweeper's tick. */
export function sweepOnce(world: World): Promise<SweepCounts> {
  const { deps } = world.worker()
  const now = world.town.clock.now()
  return sweep(deps.db, deps.jobs, {
    now,
    overdueSince: addMs(now, -RETRY_SECONDS * 1000),
    nextQueryAt: addMs(now, RETRY_SECONDS * 1000),
  })
}
