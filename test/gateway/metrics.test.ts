import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { openCase } from '#db/case/case'
import { addEndpoint } from '#db/event/event-endpoint'
import { countRepairs } from '#db/metrics'
import { addOperator } from '#db/account/operator'
import { newPointsGrantId, newRunId } from '#domain/id'
import { sendForgery } from '../emulator/wechat-pay/by-number.ts'
import { startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { insertDay } from './day.ts'

// Every figure of `GET /metrics` on the operations listener, each over rows that are made for it.

const TIMEOUT_MS = 40_000
const LAG_SECONDS = 90

let database: TestDatabase
let platform: Platform
let token = ''
let lines: readonly string[] = []

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({
    databaseUrl: database.url,
    hasWorker: false,
    hasOperations: true,
  })
  token = (await addOperator(platform.db, 'ann')).reveal()
  await leaveWork()
  lines = await read()
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function read(): Promise<readonly string[]> {
  const answer = await fetch(`${platform.gateway.operationsUrl}/metrics`, {
    headers: { authorization: `Bearer ${token}` },
  })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toStartWith('text/plain; version=0.0.4')
  return (await answer.text()).trimEnd().split('\n')
}

/** One thing of each kind that waits, is broken, or has been mended. */
async function leaveWork(): Promise<void> {
  const { db, merchantId, emulator } = platform
  const shop = createShop(platform)
  const first = await shop.buy()
  const outcome = emulator.pay(first.id)
  if (outcome.kind === 'paid') await outcome.done
  await sendForgery(emulator, 'tampered', first.id)
  await sql`UPDATE notification
            SET received_at = now() - ${LAG_SECONDS} * interval '1 second'`.execute(db)
  const paid = await shop.buy()
  await sql`UPDATE payment SET state = 'paid', disposition = 'counted', paid_at = now(),
            channel_payment_id = 'n1' WHERE id = ${paid.id}`.execute(db)
  await sql`UPDATE customer_order SET state = 'paid', paid_payment_id = ${paid.id}
            WHERE order_number = ${paid.order.order_number}`.execute(db)
  await shop.refund(paid.id, 100)
  await sql`INSERT INTO points_grant (merchant_id, id, order_id, kind, user_id, points, idempotency_key, state, due_at)
            SELECT merchant_id, ${newPointsGrantId()}, id, 'grant', user_id, 1, 'g', 'pending', now()
            FROM customer_order WHERE order_number = ${first.order.order_number}`.execute(db)
  await addEndpoint(db, testSealKey(), merchantId, 'https://shop.example/events')
  const kinds = ['dead_letter', 'dead_letter', 'event_dead', 'late_payment']
  for (const [index, kind] of kinds.entries()) {
    // One of them is told: that is the event that waits.
    const isSilent = kind === 'late_payment' ? {} : { isTold: false as const }
    await openCase(db, { merchantId, kind, subject: `s${index}`, evidence: {}, ...isSilent })
  }
  await insertDay(db, merchantId, '2026-03-01', [
    { subject: 'a' },
    { subject: 'b', state: 'held' },
    { subject: 'c', state: 'resolved' },
  ])
  await sql`INSERT INTO schedule_run (merchant_id, task, vendor_merchant_id, business_date, id, due_at, deadline_at)
            SELECT merchant_id, 'bill', id, '2026-03-02', ${newRunId()}, now(), now()
            FROM vendor_merchant`.execute(db)
  await countRepairs(db, { grant_sent: 3 }, new Date())
}

describe('GET /metrics', () => {
  test.each([
    'notifications_waiting 1',
    'points_waiting{kind="grant"} 1',
    'refunds_waiting{kind="requested"} 1',
    'events_waiting 1',
    'bills_waiting{kind="waiting"} 1',
    'open_cases{kind="dead_letter"} 2',
    'open_cases{kind="event_dead"} 1',
    'open_cases{kind="late_payment"} 1',
    'dead_letters{kind="job"} 2',
    'dead_letters{kind="event"} 1',
    'discrepancies{kind="open"} 1',
    'discrepancies{kind="held"} 1',
    'repairs_total{kind="grant_sent"} 3',
    'invariant_violations{kind="paid_without_grant"} 1',
    'invariant_violations{kind="quarantined_without_case"} 0',
    'callbacks_total{channel="wechat_pay",outcome="stored"} 1',
    'callbacks_total{channel="wechat_pay",outcome="rejected"} 1',
  ])('says %s', (line) => {
    expect(lines).toContain(`pingzhang_${line}`)
  })

  test('says how far behind the oldest callback is, and how old the promises are', () => {
    const lag = valueOf('notification_lag_seconds')
    expect(lag).toBeGreaterThanOrEqual(LAG_SECONDS)
    expect(lag).toBeLessThan(LAG_SECONDS + TIMEOUT_MS / 1000)
    expect(valueOf('invariants_age_seconds')).toBeGreaterThanOrEqual(0)
  })

  test('says each figure once, in a form that Prometheus reads, and nothing about anybody', () => {
    const names = lines.map((line) => line.slice(0, line.lastIndexOf(' ')))
    expect(new Set(names).size).toBe(names.length)
    for (const line of lines) {
      expect(line).toMatch(
        /^pingzhang_[a-z_]+(\{[a-z]+="[a-z_]+"(,[a-z]+="[a-z_]+")*\})? \d+(\.\d+)?$/,
      )
    }
  })

  test('says zero where nothing waits any more', async () => {
    await sql`UPDATE open_case SET state = 'resolved', resolved_at = now()`.execute(platform.db)
    await sql`UPDATE notification SET state = 'applied', due_at = NULL, applied_at = now()`.execute(
      platform.db,
    )
    const after = await read()
    for (const line of [
      'notifications_waiting 0',
      'notification_lag_seconds 0',
      'dead_letters{kind="job"} 0',
    ]) {
      expect(after).toContain(`pingzhang_${line}`)
    }
    expect(after.join()).not.toContain('open_cases')
  })
})

const valueOf = (name: string): number => {
  const line = lines.find((text) => text.startsWith(`pingzhang_${name} `))
  return Number(line?.split(' ')[1])
}
