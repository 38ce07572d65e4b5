import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { applyNotifications } from '#db/notification/apply-notification'
import { beginGrant, finishGrant, shortenGrant } from '#db/points/points'
import type { GrantRow } from '#db/points/points'
import { assert } from '#domain/assert'
import { addMs } from '#domain/time'
import { factsOf } from '../flow/batch.ts'
import type { Sale } from '../flow/crash/sale.ts'
import { lineUp, ordersOf } from '../support/line-up.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

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

/** The award job's first half for the order's grant or take-backs; without those that must wait. */
async function begin({ orderId }: Counter): Promise<GrantRow[]> {
  const rows = await desk.db
    .selectFrom('points_grant')
    .select('id')
    .where('order_id', '=', orderId)
    .orderBy('id')
    .execute()
  const begun: GrantRow[] = []
  for (const { id } of rows) {
    const row = await beginGrant(desk.db, desk.merchantId, id, addMs(new Date(), 60_000))
    if (row !== undefined) begun.push(row)
  }
  return begun
}

/** The points system does all that it is asked to. */
async function give(counter: Counter): Promise<readonly string[]> {
  const begun = await begin(counter)
  for (const row of begun) await finishGrant(desk.db, row)
  return begun.map(({ kind, points }) => `${kind} ${points}`)
}

async function refundPart(sale: Sale, amount: bigint): Promise<void> {
  const refund = await desk.refund(sale, amount)
  await desk.markSent(refund)
  await desk.hear(refundFactsOf(sale, refund, 'succeeded'))
}

describe('PT-01 callback, query and operator confirm the same order', () => {
  test.each(ordersOf(['callback', 'query', 'operator'] as const))(
    'one award (%s, %s, %s)',
    async (...order) => {
      const counter = await desk.order()
      const [id] = await desk.store([factsOf(counter.first)])
      assert(id !== undefined, 'one row was stored')
      const ends = await lineUp<unknown>(
        desk.db,
        counter.orderId,
        order.map(
          (witness) => () =>
            witness === 'callback'
              ? applyNotifications(desk.db, desk.deps, desk.merchantId, [id])
              : desk.pay(counter.first, {}, witness),
        ),
      )
      expect(ends.map(({ status }) => status)).toEqual(order.map(() => 'fulfilled'))
      expect(await desk.points(counter.orderId)).toHaveLength(1)
      expect(await give(counter)).toEqual(['grant 20'])
      expect(await give(counter)).toEqual([])
    },
  )
})

describe('PT-02 an operator confirms a payment', () => {
  test('the rows and jobs are those of a callback, but for the witness', async () => {
    const [called, confirmed] = [await desk.order(), await desk.order()]
    const ids = await desk.store([factsOf(called.first)])
    await applyNotifications(desk.db, desk.deps, desk.merchantId, ids)
    await desk.pay(confirmed.first, {}, 'operator')
    const [one, two] = [await tracesOf(called), await tracesOf(confirmed)]
    expect(two.rows).toEqual(one.rows)
    expect(two.jobs).toEqual(one.jobs)
    expect([one.witnesses, two.witnesses]).toEqual([['callback'], ['operator']])
  })

  async function tracesOf({ first, orderId }: Counter) {
    const { rows } = await sql<{ part: string }>`
      SELECT 'payment ' || state || ' ' || disposition || ' ' || money_in_doubt || ' ' ||
             coalesce(next_query_at::text, 'rests') AS part FROM payment WHERE id = ${first.paymentId}
      UNION ALL SELECT 'order ' || state || ' ' || (paid_payment_id = ${first.paymentId})
             FROM customer_order WHERE id = ${orderId}
      UNION ALL SELECT kind || ' ' || state || ' ' || points || ' ' || (user_id = ${first.userId}) || ' ' ||
             (idempotency_key = ${`grant-${orderId}`}) FROM points_grant WHERE order_id = ${orderId}
      UNION ALL SELECT 'move ' || subject_kind || ' ' || coalesce(from_state, '-') || ' ' || to_state
             FROM state_change WHERE subject_id IN (${first.paymentId}, ${orderId})
             OR subject_id IN (SELECT id FROM points_grant WHERE order_id = ${orderId})
      ORDER BY part`.execute(desk.db)
    const jobs = await sql<{ name: string }>`
      SELECT name FROM pgboss.job
      WHERE data::text LIKE ${`%${first.paymentId}%`}
         OR data ->> 'grantId' IN (SELECT id FROM points_grant WHERE order_id = ${orderId})
      ORDER BY name`.execute(desk.db)
    const witnesses = await sql<{ witness: string }>`
      SELECT DISTINCT witness FROM state_change
      WHERE subject_id = ${first.paymentId} AND to_state = 'paid'`.execute(desk.db)
    return {
      rows: rows.map(({ part }) => part),
      jobs: jobs.rows.map(({ name }) => name),
      witnesses: witnesses.rows.map(({ witness }) => witness),
    }
  }
})

describe('PT-04 refunded before the award job ran', () => {
  test('in full: nothing is given and nothing is asked back', async () => {
    const counter = await desk.order()
    await desk.pay(counter.first)
    await refundPart(counter.first, 2000n)
    expect(await desk.points(counter.orderId)).toEqual([
      { kind: 'grant', state: 'void', points: 20n },
      { kind: 'revoke', state: 'void', points: 20n },
    ])
    expect(await give(counter)).toEqual([])
  })

  test('in parts: the take-back waits for its grant, and the rest voids both', async () => {
    const counter = await desk.order()
    await desk.pay(counter.first)
    await refundPart(counter.first, 500n)
    const [grant, revoke] = await desk.points(counter.orderId)
    expect([grant?.state, revoke?.state, revoke?.points]).toEqual(['pending', 'pending', 5n])
    await refundPart(counter.first, 1500n)
    expect((await desk.points(counter.orderId)).map(({ state }) => state)).toEqual([
      'void',
      'void',
      'void',
    ])
    expect(await give(counter)).toEqual([])
  })

  test('while the award is on its way: the take-back follows it, never before', async () => {
    const counter = await desk.order()
    await desk.pay(counter.first)
    const [sent] = await begin(counter)
    assert(sent !== undefined, 'the grant is on its way')
    await refundPart(counter.first, 2000n)
    // Only the grant itself may be sent again.
    expect((await begin(counter)).map(({ kind }) => kind)).toEqual(['grant'])
    await finishGrant(desk.db, sent)
    expect(await give(counter)).toEqual(['revoke 20'])
  })

  test.each(ordersOf(['award', 'refund'] as const))(
    'award job ∥ refund: the sum is zero in both orders (%s, %s)',
    async (...order) => {
      const counter = await desk.order()
      await desk.pay(counter.first)
      const refund = await desk.refund(counter.first, 2000n)
      await desk.markSent(refund)
      const facts = refundFactsOf(counter.first, refund, 'succeeded')
      const works = { award: () => begin(counter), refund: () => desk.hear(facts) }
      // The grant's row is where these two meet.
      for (const name of order) await works[name]()
      const given = [...(await give(counter)), ...(await give(counter))]
      expect(given).toEqual(order[0] === 'award' ? ['grant 20', 'revoke 20'] : [])
    },
  )
})

describe('RF-11 several partial refunds', () => {
  test('take back their share each, and all of it together', async () => {
    const counter = await desk.order(1999)
    await desk.pay(counter.first)
    await give(counter)
    const taken: string[] = []
    for (const amount of [999n, 1n, 333n, 666n]) {
      await refundPart(counter.first, amount)
      taken.push(...(await give(counter)))
    }
    // 19 points: 1000 left keep 9, 999 keep 9, 666 keep 6, 0 keep 0. A share of zero needs no call.
    expect(taken).toEqual(['revoke 10', 'revoke 3', 'revoke 6'])
    const lines = await desk.points(counter.orderId)
    expect(lines.map(({ points }) => points)).toEqual([19n, 10n, 0n, 3n, 6n])
    expect(await desk.violations()).toEqual([])
  })

  test('the balance is too low: short with a case, never silently below zero, and money is not touched', async () => {
    const counter = await desk.order(1999)
    await desk.pay(counter.first)
    await give(counter)
    await refundPart(counter.first, 1999n)
    const [revoke] = await begin(counter)
    assert(revoke !== undefined, 'the take-back is on its way')
    await shortenGrant(desk.db, revoke)
    expect(await desk.cases(revoke.id)).toEqual(['points_short'])
    expect((await desk.points(counter.orderId)).map(({ state }) => state)).toEqual([
      'granted',
      'short',
    ])
    expect(await desk.orderState(counter.orderId)).toBe('refunded')
    expect(await give(counter)).toEqual([])
  })

  test('an order without points: nothing to take', async () => {
    const counter = await desk.order(99)
    await desk.pay(counter.first)
    await refundPart(counter.first, 50n)
    await refundPart(counter.first, 49n)
    expect(await give(counter)).toEqual([])
    expect(
      (await desk.points(counter.orderId)).map(({ kind, state }) => `${kind} ${state}`),
    ).toEqual(['grant granted', 'revoke taken', 'revoke taken'])
  })
})
