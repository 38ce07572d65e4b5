import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { PgBoss } from 'pg-boss'
import { systemClock } from '#domain/time'
import { createPointsClient } from '#worker/points-client'
import { openQueues, startConsumers, stopQueues } from '#worker/queue'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openEventDesk } from './event-desk.ts'
import type { EventDesk } from './event-desk.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let service: PointsService
let desk: EventDesk
let boss: PgBoss
/** The handler always throws for this user. */
let poison = ''

beforeAll(async () => {
  database = await cloneDatabase()
  service = startPointsService({ databasePath: ':memory:' })
  const client = createPointsClient({ baseUrl: service.url, clock: systemClock })
  const points: typeof client = {
    ...client,
    send(grant, signal) {
      if (grant.user_id === poison) throw new Error('planted in the handler')
      return client.send(grant, signal)
    },
  }
  desk = await openEventDesk(database.url, { points })
  boss = await openQueues(database.url, () => undefined)
}, TIMEOUT_MS)

afterAll(async () => {
  await stopQueues(boss)
  await desk.stop()
  await service.stop()
  await database.drop()
}, TIMEOUT_MS)

describe('F81 F83 poison among good jobs', () => {
  test(
    'ends as a dead letter, with a case or an alert, and its neighbours are given once',
    async () => {
      const orders: string[] = []
      for (let index = 0; index < 9; index += 1) {
        const { first, userId } = await desk.order()
        await desk.pay(first)
        orders.push(userId)
      }
      // Shapes that no version of ours has sent; without retries, to see their end now.
      const once = { retryLimit: 0 }
      const { first, orderId, userId } = await desk.order()
      await desk.pay(first)
      poison = userId
      const { id: grantId } = await desk.db
        .selectFrom('points_grant')
        .select('id')
        .where('order_id', '=', orderId)
        .executeTakeFirstOrThrow()
      await boss.send('points-award', { merchantId: desk.merchantId, grantId }, once)
      await boss.send('points-award', { nonsense: true }, once)
      await boss.send('points-award', null, once)
      await startConsumers(boss, desk.worker, { pollingSeconds: 0.5 })
      await waitFor('nine grants', () => {
        const given = orders.filter((userId) => service.balance(userId) === 20)
        return given.length === 9 ? given : undefined
      })
      await waitFor('the case of the one', async () => {
        const cases = await desk.db
          .selectFrom('open_case')
          .select(['kind', 'subject'])
          .where('kind', '=', 'dead_letter')
          .execute()
        return cases.length === 1 ? cases : undefined
      })
      await waitFor('the alert about the two that are of nobody', () => {
        const lines = desk.log.warned().filter(({ msg }) => msg === 'dead letter of nobody')
        return lines.length === 2 ? lines : undefined
      })
      const counts = service.effects().map(({ applied_count: count }) => count)
      expect(counts).toEqual(Array.from({ length: 9 }, () => 1))
    },
    TIMEOUT_MS,
  )
})
