import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { beginGrant, finishGrant, refuseGrant } from '#db/points/points'
import { assert } from '#domain/assert'
import { runPointsAward } from '#worker/job/points-award'
import { refundFactsOf } from '../db/desk.ts'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openPointsDesk } from './points-desk.ts'
import type { PointsDesk } from './points-desk.ts'

const TIMEOUT_MS = 30_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const SIGNAL = new AbortController().signal

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

describe('one grant that cannot be given', () => {
  test('F83 keeps none of its neighbours in a sweep from being given', async () => {
    const orders = [await desk.paid(), await desk.paid(), await desk.paid(), await desk.paid()]
    const grants = await Promise.all(orders.map(({ orderId }) => desk.grantOf(orderId)))
    service.setKnobs({ mode: 'error_500', times: 1 })
    desk.clock.pass(5 * MINUTE)
    await desk.loseJobs()
    await desk.sweepOnce()
    const states = await Promise.all(
      orders.map(async ({ orderId }) => (await desk.grantOf(orderId)).state),
    )
    expect(states.toSorted()).toEqual(['granted', 'granted', 'granted', 'sent'])
    desk.clock.pass(10 * MINUTE)
    await desk.sweepOnce()
    expect(grants.flatMap((grant) => desk.effects(grant))).toEqual([
      '20 × 1',
      '20 × 1',
      '20 × 1',
      '20 × 1',
    ])
  })
})

describe('one effect, whatever happens to the worker', () => {
  test('F78 F84 it dies between the effect and our row, or the database is away', async () => {
    const { orderId } = await desk.paid()
    const grant = await desk.grantOf(orderId)
    const cut: typeof desk.worker.points = {
      ...desk.worker.points,
      async send(row, signal) {
        const outcome = await desk.worker.points.send(row, signal)
        throw new Error(`the connection is cut after ${outcome.kind}`)
      },
    }
    const job = { merchantId: grant.merchant_id, grantId: grant.id }
    const dying = runPointsAward({ ...desk.worker, points: cut }, job, SIGNAL)
    expect(await dying.catch(String)).toContain('cut after done')
    expect([(await desk.grantOf(orderId)).state, desk.effects(grant)]).toEqual(['sent', ['20 × 1']])
    expect(await desk.run(grant)).toBe('done')
    expect([(await desk.grantOf(orderId)).state, desk.effects(grant)]).toEqual([
      'granted',
      ['20 × 1'],
    ])
  })

  test.each(['commit_then_timeout', 'commit_then_500'] as const)(
    'F94 F95 %s, and the job comes back',
    async (mode) => {
      const { orderId } = await desk.paid()
      const grant = await desk.grantOf(orderId)
      service.setKnobs({ mode, times: 1 })
      expect(await desk.run(grant)).toContain('TryAgain')
      expect(await desk.run(grant)).toBe('done')
      expect([(await desk.grantOf(orderId)).state, desk.effects(grant)]).toEqual([
        'granted',
        ['20 × 1'],
      ])
    },
  )

  test('F79 one stands still in the call, another takes over, the first goes on', async () => {
    const { orderId } = await desk.paid()
    const grant = await desk.grantOf(orderId)
    const old = await beginGrant(desk.db, grant.merchant_id, grant.id, desk.clock.now())
    assert(old !== undefined, 'it is taken')
    expect(await desk.run(grant)).toBe('done')
    expect((await desk.worker.points.send(old, SIGNAL)).kind).toBe('done')
    await finishGrant(desk.db, old)
    await refuseGrant(desk.db, old, 'late')
    expect([(await desk.grantOf(orderId)).state, desk.effects(grant)]).toEqual([
      'granted',
      ['20 × 1'],
    ])
    expect(await desk.cases(grant.id)).toEqual([])
  })

  test('F80 F90 five workers with the same job at once, and once more from the dead letters', async () => {
    const { orderId } = await desk.paid()
    const grant = await desk.grantOf(orderId)
    await Promise.all(Array.from({ length: 5 }, () => desk.run(grant)))
    expect(await desk.run(grant)).toBe('done')
    expect([(await desk.grantOf(orderId)).state, desk.effects(grant)]).toEqual([
      'granted',
      ['20 × 1'],
    ])
  })

  test('F85 the handler is told to stop in the call', async () => {
    const { orderId } = await desk.paid()
    const grant = await desk.grantOf(orderId)
    service.setKnobs({ mode: 'commit_then_timeout' })
    const stopping = new AbortController()
    const job = { merchantId: grant.merchant_id, grantId: grant.id }
    const running = runPointsAward(desk.worker, job, stopping.signal).then(() => 'done', String)
    await service.waitForArrivals((paths) =>
      paths.some((path) => path.endsWith(grant.idempotency_key)),
    )
    stopping.abort()
    expect(await running).toContain('AbortError')
    service.setKnobs({ mode: 'ok' })
    expect(await desk.run(grant)).toBe('done')
    expect(desk.effects(grant)).toEqual(['20 × 1'])
  })

  test('F89 the queue has thrown its job away: the sweeper gives from the row', async () => {
    const { orderId } = await desk.paid()
    const grant = await desk.grantOf(orderId)
    await sql`DELETE FROM pgboss.job WHERE name = 'points-award'`.execute(desk.db)
    desk.clock.pass(15 * 24 * HOUR)
    await desk.sweepOnce()
    expect([(await desk.grantOf(orderId)).state, desk.effects(grant)]).toEqual([
      'granted',
      ['20 × 1'],
    ])
  })
})

describe('what the points system says', () => {
  test('F97 "duplicate" for a key that it does not have: not believed, tried again', async () => {
    const { orderId } = await desk.paid()
    const grant = await desk.grantOf(orderId)
    service.setKnobs({ mode: 'claims_duplicate', times: 1, only: 'grant' })
    // The panel meets the PUT; the GET that follows is answered from the books: 404.
    expect(await desk.run(grant)).toContain('status 404')
    expect((await desk.grantOf(orderId)).state).toBe('sent')
    expect(await desk.run(grant)).toBe('done')
    expect(desk.effects(grant)).toEqual(['20 × 1'])
  })

  test.each(['wrong_amount', 'wrong_user'] as const)(
    'F99 success with other values (%s): quarantined, and a case',
    async (mode) => {
      const { orderId } = await desk.paid()
      const grant = await desk.grantOf(orderId)
      service.setKnobs({ mode })
      expect(await desk.run(grant)).toBe('done')
      expect((await desk.grantOf(orderId)).state).toBe('refused')
      expect(await desk.cases(grant.id)).toEqual(['points_refused'])
      service.setKnobs({ mode: 'ok' })
      expect(await desk.run(grant)).toBe('done')
      expect((await desk.grantOf(orderId)).state).toBe('refused')
    },
  )

  test('F103 a job that comes in a rest calls nobody, and marks nothing as sent', async () => {
    const [first, second] = [await desk.paid(), await desk.paid()]
    service.setKnobs({ mode: 'too_many', retryAfter: '600' })
    expect(await desk.run(await desk.grantOf(first.orderId))).toContain('status 429')
    service.setKnobs({ mode: 'ok' })
    const grant = await desk.grantOf(second.orderId)
    expect(await desk.run(grant)).toContain('rests until')
    expect([desk.callsFor(grant), (await desk.grantOf(second.orderId)).state]).toEqual([
      0,
      'pending',
    ])
    desk.clock.pass(10 * MINUTE)
    expect(await desk.run(grant)).toBe('done')
  })
})

describe('F100 the take-back comes before the grant', () => {
  test('it waits for the grant, and the net is zero', async () => {
    const counter = await desk.paid()
    const { orderId, first } = counter
    const grant = await desk.grantOf(orderId)
    service.setKnobs({ mode: 'error_500', times: 1 })
    await desk.run(grant)
    const refund = await desk.refund(first, 2000n)
    await desk.markSent(refund)
    await desk.hear(refundFactsOf(first, refund, 'succeeded'))
    const revoke = await desk.grantOf(orderId, 'revoke')
    expect(await desk.run(revoke)).toBe('done')
    expect([desk.callsFor(revoke), (await desk.grantOf(orderId, 'revoke')).state]).toEqual([
      0,
      'pending',
    ])
    expect(await desk.run(grant)).toBe('done')
    desk.clock.pass(5 * MINUTE)
    await desk.loseJobs()
    await desk.sweepOnce()
    const states = (await desk.grantsOf(orderId)).map(({ state }) => state)
    expect(states.toSorted()).toEqual(['granted', 'taken'])
    expect(service.balance(counter.userId)).toBe(0)
    expect([desk.effects(grant), desk.effects(revoke)]).toEqual([['20 × 1'], ['20 × 1']])
  })
})
