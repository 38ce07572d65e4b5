import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { GrantRow } from '#db/points/points'
import { addMs } from '#domain/time'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openPointsDesk } from './points-desk.ts'
import type { PointsDesk } from './points-desk.ts'

const TIMEOUT_MS = 30_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE

let database: TestDatabase
let desk: PointsDesk
let service: PointsService

beforeAll(async () => {
  database = await cloneDatabase()
  service = startPointsService({ databasePath: ':memory:' })
}, TIMEOUT_MS)

beforeEach(async () => {
  service.setKnobs({ mode: 'ok' })
  desk = await openPointsDesk(database.url, service)
})

afterEach(() => desk.stop())

afterAll(async () => {
  await service.stop()
  await database.drop()
})

describe('F96 the points system refuses for three days', () => {
  test(
    'retries with back-off survive, a person hears of it after an hour, and then points are given once',
    async () => {
      const { orderId } = await desk.paid()
      const grant = await desk.grantOf(orderId)
      desk.clock.set(grant.created_at)
      service.setKnobs({ mode: 'down' })
      await desk.run(grant)
      const heardAt: number[] = []
      // Without one job of its queue: the sweeper alone, every minute.
      for (let minute = 1; minute <= 3 * 24 * 60; minute += 1) {
        desk.clock.pass(MINUTE)
        if (await isOverdue(grant)) await desk.sweepOnce()
        if (heardAt.length === 0 && (await overdueCases()).length > 0) heardAt.push(minute)
      }
      expect(heardAt[0]).toBeGreaterThanOrEqual(60)
      expect(heardAt[0]).toBeLessThanOrEqual(63)
      expect((await overdueCases()).length).toBe(1)
      expect(desk.log.warned().map(({ msg }) => msg)).toContain(
        'points are overdue: a case is open',
      )
      expect(desk.callsFor(grant)).toBeLessThan(100)
      expect(desk.callsFor(grant)).toBeGreaterThan(60)
      service.setKnobs({ mode: 'ok' })
      for (let minute = 0; minute < 62; minute += 1) {
        desk.clock.pass(MINUTE)
        if (await isOverdue(grant)) await desk.sweepOnce()
      }
      expect((await desk.grantOf(orderId)).state).toBe('granted')
      expect(desk.effects(grant)).toEqual(['20 × 1'])
    },
    TIMEOUT_MS,
  )

  /** Cases of this test's merchant about points that wait. */
  const overdueCases = () =>
    desk.db
      .selectFrom('open_case')
      .select('kind')
      .where('merchant_id', '=', desk.merchantId)
      .where('kind', '=', 'points_overdue')
      .execute()

  /** Whether a sweep would feed it: the others would cost this test its time. */
  async function isOverdue({ id }: GrantRow): Promise<boolean> {
    const row = await desk.db
      .selectFrom('points_grant')
      .select('due_at')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    return row.due_at !== null && row.due_at < addMs(desk.clock.now(), -MINUTE)
  }

  test('many that wait make one case', async () => {
    const orders = [await desk.paid(), await desk.paid(), await desk.paid()]
    service.setKnobs({ mode: 'error_500' })
    desk.clock.pass(2 * HOUR)
    for (const { orderId } of orders) await desk.run(await desk.grantOf(orderId))
    expect((await overdueCases()).length).toBe(1)
  })
})
