import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { PgBoss } from 'pg-boss'
import { z } from 'zod'
import { jobsOf } from '#db/job'
import { assert } from '#domain/assert'
import { JOB_VERSION } from '#domain/job'
import { systemClock } from '#domain/time'
import { runPointsAward } from '#worker/job/points-award'
import { createPointsClient } from '#worker/points-client'
import { openQueues, startConsumers, stopQueues } from '#worker/queue'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openEventDesk } from './event-desk.ts'
import type { EventDesk } from './event-desk.ts'

const TIMEOUT_MS = 60_000

let database: TestDatabase
let service: PointsService
let desk: EventDesk
let old: PgBoss
let young: PgBoss

beforeAll(async () => {
  database = await cloneDatabase()
  service = startPointsService({ databasePath: ':memory:' })
  const points = createPointsClient({ baseUrl: service.url, clock: systemClock })
  young = await openQueues(database.url, () => undefined)
  desk = await openEventDesk(database.url, { points, jobs: jobsOf(young) })
  old = await openQueues(database.url, () => undefined)
}, TIMEOUT_MS)

afterAll(async () => {
  await stopQueues(old)
  await stopQueues(young)
  await desk.stop()
  await service.stop()
  await database.drop()
}, TIMEOUT_MS)

interface Waiting {
  readonly data: unknown
  readonly state: string
  readonly later: boolean
}

async function waitingJobs(): Promise<readonly Waiting[]> {
  const { rows } = await sql<Waiting>`
    SELECT data, state, start_after > now() AS later FROM pgboss.job
    WHERE name = 'points-award' AND data ? 'version' AND state IN ('created', 'retry')`.execute(
    desk.db,
  )
  return rows
}

/** The next version calls its grants by another name, so the old one would do nothing with them. */
const nextPayload = z.object({ version: z.literal(JOB_VERSION + 1), grants: z.array(z.string()) })

test(
  'F88 a job of the next version is left by a worker of this one, as it is, until a newer comes; no dead letter',
  async () => {
    const { first, orderId, userId } = await desk.order()
    await desk.pay(first)
    await desk.loseJobs()
    const grant = await desk.db
      .selectFrom('points_grant')
      .selectAll()
      .where('order_id', '=', orderId)
      .executeTakeFirstOrThrow()
    const payload = {
      merchantId: desk.merchantId,
      version: JOB_VERSION + 1,
      grants: [String(grant.id)],
    }
    // Without retries: one attempt that failed would be a dead letter.
    await young.send('points-award', payload, { retryLimit: 0 })
    await startConsumers(old, desk.worker, { pollingSeconds: 0.5 })
    const left = await waitFor('the job to be left', async () => {
      const [job] = await waitingJobs()
      return job?.later === true ? job : undefined
    })
    expect<unknown>(left.data).toEqual(payload)
    expect(service.balance(userId)).toBe(0)
    expect(desk.log.warned().map(({ msg }) => msg)).toContain(
      'job of a newer version: left to a newer worker',
    )
    // Its time comes again, before the old worker and after.
    await sql`UPDATE pgboss.job SET start_after = now() WHERE name = 'points-award'`.execute(
      desk.db,
    )
    await waitFor('it to be left again', async () => {
      const jobs = await waitingJobs()
      return jobs.length === 1 && jobs[0]?.later === true ? true : undefined
    })
    await stopQueues(old)
    await sql`UPDATE pgboss.job SET start_after = now() WHERE name = 'points-award'`.execute(
      desk.db,
    )
    await young.work('points-award', { pollingIntervalSeconds: 0.5 }, async (jobs) => {
      for (const { data, signal } of jobs) {
        const [grantId] = nextPayload.parse(data).grants
        assert(grantId === grant.id, 'expected the grant of the payload')
        await runPointsAward(
          desk.worker,
          { merchantId: desk.merchantId, grantId: grant.id },
          signal,
        )
      }
    })
    await waitFor('the points', () => service.balance(userId) === 20 || undefined)
    expect(service.effects().map(({ applied_count: count }) => count)).toEqual([1])
    const cases = await desk.db
      .selectFrom('open_case')
      .select('subject')
      .where('kind', '=', 'dead_letter')
      .execute()
    expect(cases).toEqual([])
    expect(await waitingJobs()).toEqual([])
  },
  TIMEOUT_MS,
)
