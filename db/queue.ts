import { PgBoss } from 'pg-boss'
import type { Queue } from 'pg-boss'
import { QUEUE_NAMES, deadLetterOf } from '#domain/job'
import type { QueueName } from '#domain/job'

const DAY_SECONDS = 86_400
const RETENTION_SECONDS = 90 * DAY_SECONDS
const DELETE_AFTER_SECONDS = 30 * DAY_SECONDS

type Settings = Omit<Queue, 'name'>

/** Reliability notes, section 1.13: retries span deploys, crashes and a day of points outage. */
const settings: Readonly<Record<QueueName, Settings>> = {
  'order-status': retries(15, 2, 300, 60, 20),
  'points-award': retries(30, 5, 3600, 90, 30),
  compensation: retries(10, 5, 300, 120, 30),
  'payment-query': retries(20, 5, 3600, 60, 20),
  'payment-close': retries(20, 5, 3600, 60, 20),
  'refund-submit': retries(20, 5, 3600, 60, 20),
  'refund-query': retries(20, 5, 3600, 60, 20),
  'bill-download': retries(10, 60, 3600, 1800, 60),
  reconcile: retries(10, 60, 3600, 1800, 60),
  'discrepancy-resolve': retries(20, 5, 3600, 90, 30),
  // Its own schedule is in the rows; the queue only wakes it up.
  'merchant-event': retries(5, 5, 300, 60, 20),
}

function retries(
  limit: number,
  delaySeconds: number,
  delayMaxSeconds: number,
  expireSeconds: number,
  heartbeatSeconds: number,
): Settings {
  return {
    policy: 'standard',
    retryLimit: limit,
    retryDelay: delaySeconds,
    retryBackoff: true,
    retryDelayMax: delayMaxSeconds,
    expireInSeconds: expireSeconds,
    heartbeatSeconds,
    retentionSeconds: RETENTION_SECONDS,
    deleteAfterSeconds: DELETE_AFTER_SECONDS,
  }
}

/** Installs pg-boss and makes our queues with their dead letters. Safe to repeat. */
export async function createQueues(url: string): Promise<void> {
  const boss = new PgBoss({
    connectionString: url,
    schema: 'pgboss',
    supervise: false,
    schedule: false,
    max: 2,
  })
  const errors: Error[] = []
  boss.on('error', (error) => errors.push(error))
  await boss.start()
  try {
    for (const name of QUEUE_NAMES) await createQueue(boss, name)
  } finally {
    await boss.stop({ graceful: false })
  }
  if (errors[0] !== undefined) throw new Error('pg-boss reported an error', { cause: errors[0] })
}

async function createQueue(boss: PgBoss, name: QueueName): Promise<void> {
  const dead = deadLetterOf(name)
  if ((await boss.getQueue(dead)) === null) {
    await boss.createQueue(dead, { retentionSeconds: RETENTION_SECONDS })
  }
  const options = { ...settings[name], deadLetter: dead }
  if ((await boss.getQueue(name)) === null)
    await boss.createQueue(name, { ...options, partition: true })
}
