import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { readMetrics } from '#db/metrics'
import { findPayment } from '#db/payment/payment'
import { assert } from '#domain/assert'
import type { CompensationJob } from '#domain/job'
import { systemClock } from '#domain/time'
import { runCompensation } from '#worker/job/compensation'
import { confirmByQuery } from '#worker/job/payment-query'
import { createPointsClient } from '#worker/points-client'
import { factsOf } from '../flow/batch.ts'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'
import { findBrokenAudit } from '../support/audit-invariant.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openEventDesk } from './event-desk.ts'
import type { EventDesk } from './event-desk.ts'

// What the second look mends is counted, logged and audited (design, section 6).

const TIMEOUT_MS = 30_000
const HOUR_MS = 3_600_000

let database: TestDatabase
let service: PointsService
let desk: EventDesk

beforeAll(async () => {
  database = await cloneDatabase()
  service = startPointsService({ databasePath: ':memory:' })
  const points = createPointsClient({ baseUrl: service.url, clock: systemClock })
  desk = await openEventDesk(database.url, { points })
}, TIMEOUT_MS)

afterEach(async () => {
  expect(await findBrokenAudit(desk.db)).toEqual([])
  await sql`DELETE FROM repair_count`.execute(desk.db)
})

afterAll(async () => {
  await desk.stop()
  await service.stop()
  await database.drop()
}, TIMEOUT_MS)

const look = (job: Omit<CompensationJob, 'merchantId'>) =>
  runCompensation(
    desk.worker,
    { merchantId: desk.merchantId, ...job },
    new AbortController().signal,
  )

const counted = async () =>
  (await readMetrics(desk.db, desk.clock.now()))
    .filter(({ name }) => name === 'repairs_total')
    .map(({ label, value }) => `${label} ${value}`)
    .toSorted()

/** What the audit chain says about a row that a machine has repaired. */
async function audited(subject: string): Promise<readonly string[]> {
  const rows = await desk.db
    .selectFrom('audit')
    .select(['actor', 'action', 'content'])
    .where('subject', '=', subject)
    .execute()
  return rows.map(({ actor, action, content }) => `${actor} ${action} ${String(content['count'])}`)
}

const logged = (kind: string): number =>
  desk.log.lines.filter(({ repair }) => repair === kind).length

describe('a repair is counted, logged and audited', () => {
  test('a callback that nobody has applied', async () => {
    const { first } = await desk.order()
    const [id] = await desk.store([factsOf(first)])
    assert(id !== undefined, 'it is stored')
    await look({ notificationIds: [id] })
    expect((await desk.payment(first.paymentId)).state).toBe('paid')
    expect(await counted()).toEqual(['notification_applied 1'])
    expect(await audited(id)).toEqual(['machine repair.notification_applied 1'])
    expect(logged('notification_applied')).toBe(1)
    await look({ notificationIds: [id] })
    expect(await counted()).toEqual(['notification_applied 1'])
  })

  test('a paid order without points, and points that are overdue', async () => {
    const { first, orderId, userId } = await desk.order()
    await desk.pay(first)
    await sql`DELETE FROM points_grant WHERE order_id = ${orderId}`.execute(desk.db)
    await look({ paymentIds: [first.paymentId] })
    const grant = await desk.db
      .selectFrom('points_grant')
      .select('id')
      .where('order_id', '=', orderId)
      .executeTakeFirstOrThrow()
    expect(await counted()).toEqual(['grant_created 1'])
    expect(await audited(grant.id)).toEqual(['machine repair.grant_created 1'])
    desk.clock.pass(HOUR_MS)
    await look({ paymentIds: [first.paymentId] })
    expect(service.balance(userId)).toBe(20)
    expect(await counted()).toEqual(['grant_created 1', 'grant_sent 1'])
    expect(await audited(grant.id)).toEqual([
      'machine repair.grant_created 1',
      'machine repair.grant_sent 1',
    ])
    expect([logged('grant_created'), logged('grant_sent')]).toEqual([1, 1])
    await look({ paymentIds: [first.paymentId] })
    expect(await counted()).toEqual(['grant_created 1', 'grant_sent 1'])
  })

  test('points that cannot be given yet are no repair', async () => {
    const { first } = await desk.order()
    await desk.pay(first)
    desk.clock.pass(HOUR_MS)
    service.setKnobs({ mode: 'down' })
    await look({ paymentIds: [first.paymentId] })
    service.setKnobs({ mode: 'ok' })
    expect(await counted()).toEqual([])
  })

  test('money that a query finds, once', async () => {
    const { first } = await desk.order()
    const facts = factsOf(first)
    const found = await findPayment(desk.db, desk.merchantId, first.paymentId)
    assert(found !== undefined, 'the payment is there')
    await confirmByQuery(desk.worker, found.payment, facts)
    await confirmByQuery(desk.worker, found.payment, facts)
    expect(await counted()).toEqual(['payment_found 1'])
    expect(await audited(first.paymentId)).toEqual(['machine repair.payment_found 1'])
    expect(logged('payment_found')).toBe(1)
  })

  test('where all is done already, nothing', async () => {
    const { first } = await desk.order()
    const [id] = await desk.store([factsOf(first)])
    assert(id !== undefined, 'it is stored')
    await desk.pay(first)
    await sql`UPDATE notification SET state = 'applied', due_at = NULL, applied_at = now() WHERE id = ${id}`.execute(
      desk.db,
    )
    const job = { notificationIds: [id], paymentIds: [first.paymentId] }
    await look(job)
    await sql`DELETE FROM repair_count`.execute(desk.db)
    await look(job)
    expect(await counted()).toEqual([])
  })
})
