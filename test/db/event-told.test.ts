import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { openCase } from '#db/case/case'
import { closeAttempt } from '#db/payment/close-payment'
import { addEndpoint } from '#db/event/event-endpoint'
import { findEvents } from '#db/event/event-list'
import type { EventRow } from '#db/event/event-list'
import { createEvents } from '#db/event/merchant-event'
import { lineUp } from '../support/line-up.ts'
import { testSealKey } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'
import { bodyOf, eventsOf, rowOf } from './told.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

describe('CB-06 a merchant event is built from the committed row only', () => {
  test('a transaction that is rolled back after it told has told nothing', async () => {
    const { first, orderId } = await desk.order()
    await addEndpoint(desk.db, testSealKey(), desk.merchantId, 'https://shop.example/')
    const paying = desk.db.transaction().execute(async (trx) => {
      const data = { payment: { state: 'paid' } }
      await createEvents(trx, desk.deps.jobs, { merchantId: desk.merchantId, at: new Date() }, [
        { type: 'payment.paid', subject: first.paymentId, orderId, data },
      ])
      throw new Error('cut before the commit')
    })
    expect(await paying.catch(String)).toContain('cut before the commit')
    expect(await eventsOf(desk, orderId)).toEqual([])
    const deliveries = await desk.db.selectFrom('event_delivery').selectAll().execute()
    expect(deliveries).toEqual([])
    const { rows } = await sql`SELECT 1 FROM pgboss.job WHERE name = 'merchant-event'`.execute(
      desk.db,
    )
    expect(rows).toEqual([])
  })

  test('a callback for a payment that is closed, late, or another amount says what the row says', async () => {
    const closed = await desk.order()
    await closeAttempt(desk.db, await rowOf(desk, closed.first.paymentId), 'test', new Date())
    expect(await desk.pay(closed.first, {}, 'callback')).toBe('counted')
    const told = (await eventsOf(desk, closed.orderId)).map((row) => [
      row.type,
      bodyOf(row).data['payment']?.['state'],
      bodyOf(row).data['order']?.['state'],
    ])
    expect(told).toEqual([
      ['payment.closed', 'closed', 'unpaid'],
      ['payment.paid', 'paid', 'paid'],
    ])
    const wrong = await desk.order()
    expect(await desk.pay(wrong.first, { amountMinor: 1n }, 'callback')).toBe('quarantine')
    expect(await eventsOf(desk, wrong.orderId)).toEqual([])
    const failed = await desk.order()
    await desk.pay(failed.first, { vendorState: 'closed', vendorStateText: 'CLOSED' }, 'callback')
    expect(
      (await eventsOf(desk, failed.orderId)).filter(({ type }) => type === 'payment.paid'),
    ).toEqual([])
  })

  test('no event says more than its row: over all that this file has told', async () => {
    const rows = await desk.db
      .selectFrom('merchant_event as e')
      .innerJoin('payment as p', 'p.id', 'e.subject')
      .select(['e.type', 'p.state'])
      .where('e.type', '=', 'payment.paid')
      .execute()
    expect(rows.length).toBeGreaterThan(0)
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['paid'] as const))
  })
})

describe('CB-04 one event', () => {
  test('however often and from whom a payment is confirmed', async () => {
    const { first, orderId } = await desk.order()
    const witnesses = ['callback', 'query', 'operator'] as const
    await lineUp(
      desk.db,
      orderId,
      [...witnesses, ...witnesses].map((witness) => () => desk.pay(first, {}, witness)),
    )
    expect((await eventsOf(desk, orderId)).map(({ type }) => type)).toEqual(['payment.paid'])
  })
})

describe('the pull side', () => {
  const list = (after?: EventRow['id']) =>
    findEvents(desk.db, { merchantId: desk.merchantId, after, limit: 1000 })

  /** Resolves when nothing that was written before this is still held back. */
  async function caughtUp(): Promise<readonly EventRow[]> {
    const { first } = await desk.order()
    await desk.pay(first)
    return waitFor('the events to show', async () => {
      const rows = await list()
      return rows.some(({ subject }) => subject === first.paymentId) ? rows : undefined
    })
  }

  test(
    'shows nothing that a slower transaction may still come before: no cursor jumps over it',
    async () => {
      const seen = (await caughtUp()).at(-1)?.id
      const slow = await desk.order()
      const quick = await desk.order()
      const written = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      const slowly = desk.db.transaction().execute(async (trx) => {
        await createEvents(trx, undefined, { merchantId: desk.merchantId, at: new Date() }, [
          { type: 'payment.paid', subject: slow.first.paymentId, orderId: slow.orderId, data: {} },
        ])
        written.resolve()
        await go.promise
      })
      await written.promise
      await desk.pay(quick.first)
      // Longer than clocks may be apart, so that only the open transaction holds it back.
      const heldUntil = performance.now() + 1300
      while (performance.now() < heldUntil) {
        expect(await list(seen)).toEqual([])
        await Bun.sleep(100)
      }
      go.resolve()
      await slowly
      const rows = await waitFor('both', async () => {
        const found = await list(seen)
        return found.length === 2 ? found : undefined
      })
      expect(rows.map(({ subject }) => subject)).toEqual([
        slow.first.paymentId,
        quick.first.paymentId,
      ])
    },
    TIMEOUT_MS,
  )
})

describe('a case', () => {
  test('is told once, and one about telling is not', async () => {
    const open = (kind: string, isTold?: false) =>
      openCase(desk.db, {
        merchantId: desk.merchantId,
        kind,
        subject: 'subject-1',
        evidence: { why: 'test' },
        ...(isTold === undefined ? {} : { isTold }),
      })
    await open('test')
    await open('test')
    await open('event_dead', false)
    const cases = await desk.db.selectFrom('open_case').selectAll().execute()
    const told = await desk.db
      .selectFrom('merchant_event')
      .selectAll()
      .where('type', '=', 'case.opened')
      .execute()
    const byKind = new Map(cases.map(({ kind, id }) => [kind, id]))
    expect(told.filter(({ subject }) => subject === byKind.get('test')).length).toBe(1)
    expect(told.some(({ subject }) => subject === byKind.get('event_dead'))).toBe(false)
  })
})
