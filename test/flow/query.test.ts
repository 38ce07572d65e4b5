import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { deadLetterOf } from '#domain/job'
import type { PaymentId } from '#domain/id'
import { QUERY_DAYS_MAX } from '#domain/query-plan'
import { runPaymentQuery } from '#worker/job/payment-query'
import { createQueryLimit } from '#worker/query-limit'
import type { KnobsPatch } from '../emulator/wechat-pay/knobs.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { makeWorker } from './own-worker.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

// Active query: the guarantee behind callbacks.

const TIMEOUT_MS = 30_000
const DAY = 86_400

let database: TestDatabase
let scene: Scene

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openScene(database.url)
}, TIMEOUT_MS)

afterEach(() => {
  scene.emulator.resetKnobs()
  scene.interceptWith(undefined)
})

afterAll(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const query = (paymentId: PaymentId, changes = {}) =>
  runPaymentQuery({ ...scene.deps, ...changes }, { merchantId: scene.merchantId, paymentId })

const secondsUntilNext = async (id: PaymentId): Promise<number | undefined> => {
  const { next_query_at: next } = await scene.payment(id)
  return next === null ? undefined : Math.round((next.getTime() - scene.now().getTime()) / 1000)
}

/** Paid at the vendor, and nobody told us. */
function paySilently(id: PaymentId): void {
  scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
  expect(scene.emulator.pay(id).kind).toBe('paid')
}

describe('OR-05 an answer that does not say', () => {
  test.each<[string, KnobsPatch]>([
    ['HTML in place of JSON', { htmlAnswers: true }],
    ['500 of a proxy', { status500: 1 }],
    ['429', { status429: 1 }],
    ['no answer in time', { hangRequests: 1 }],
    ['an answer cut in the middle', { cutAnswers: 1 }],
    ["a stranger's signature", { badlySignedAnswers: true }],
    ['no signature', { unsignedAnswers: true }],
    ['a state that nobody knows', { unknownTradeState: 'TELEPORTED' }],
  ])('%s: nothing changes, and it is asked again', async (_name, knobs) => {
    const id = await scene.buy()
    scene.emulator.pay(id)
    scene.emulator.setKnobs(knobs)
    await query(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'pending', close_proof: null })
    expect(await scene.cases(id)).toEqual([])
    expect(await secondsUntilNext(id)).toBeGreaterThan(0)
    scene.emulator.resetKnobs()
    await query(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', disposition: 'counted' })
    // Every exchange is in the log, the ones that were not believed, too.
    expect((await scene.logged(id, 'query')).length).toBeGreaterThanOrEqual(2)
  })
})

describe('OR-06 "not found" just after creation', () => {
  test('is not a failure: it is asked again, and paid when the vendor knows it', async () => {
    const id = await scene.buy()
    scene.interceptWith(async (_url, go) => {
      const answer = await go()
      return new Response('{"code":"ORDER_NOT_EXIST","message":"订单不存在"}', {
        status: 404,
        headers: answer.headers.get('request-id') === null ? {} : { 'request-id': '1-0' },
      })
    })
    await query(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'pending', close_proof: null })
    expect(await secondsUntilNext(id)).toBeGreaterThan(0)
    scene.interceptWith(undefined)
    paySilently(id)
    await query(id)
    expect((await scene.payment(id)).state).toBe('paid')
  })
})

describe('F126 an answer that was true when it was given', () => {
  test('"not paid" that comes after the callback: PAID stays, and nothing is planned any more', async () => {
    const id = await scene.buy()
    scene.interceptWith(async (_url, go) => {
      // The barrier: the vendor has said "not paid"; before we hear it, the callback is applied.
      const answer = await go()
      expect(await scene.pay(id)).toBe('paid')
      await scene.applyCallbacks()
      return answer
    })
    await query(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', next_query_at: null })
  })

  test('"not paid" that comes before the callback: the callback is applied', async () => {
    const id = await scene.buy()
    await query(id)
    expect((await scene.payment(id)).state).toBe('pending')
    expect(await scene.pay(id)).toBe('paid')
    await scene.applyCallbacks()
    expect(await scene.payment(id)).toMatchObject({ state: 'paid', next_query_at: null })
  })
})

describe('OR-14 nothing ends in silence', () => {
  test('after the last query an open payment has a case and keeps its state', async () => {
    const id = await scene.buy()
    scene.passSeconds((QUERY_DAYS_MAX + 1) * DAY)
    scene.emulator.setKnobs({ status500: 1_000 })
    await query(id)
    expect(await scene.payment(id)).toMatchObject({ state: 'pending', next_query_at: null })
    expect(await scene.cases(id)).toEqual(['payment_undecided'])
    scene.emulator.resetKnobs()
  })

  test(
    'a job that used up its retries opens a case, and a log line wakes somebody before',
    async () => {
      const id = await scene.buy()
      const worker = await makeWorker(database.url, scene)
      await worker.start({
        registry: {
          ...scene.deps.registry,
          get: () => {
            throw new Error('planted')
          },
        },
      })
      await scene.db
        .transaction()
        .execute((trx) =>
          scene.deps.jobs.send(trx, 'payment-close', [
            { data: { merchantId: scene.merchantId, paymentId: id } },
          ]),
        )
      await scene.db
        .updateTable('customer_order')
        .set({ close_wanted: true })
        .where('id', '=', (await scene.payment(id)).order_id)
        .execute()
      await waitFor('the job to go back', () =>
        worker.log.warned().some(({ msg }) => msg.includes('goes back')) ? true : undefined,
      )
      // All of its retries at once.
      await sql`UPDATE pgboss.job SET retry_limit = retry_count, start_after = now()
                WHERE name = 'payment-close' AND state IN ('created', 'retry', 'active')
                AND data ->> 'paymentId' = ${id}`.execute(scene.db)
      await waitFor('a case', async () => {
        const rows = await scene.db
          .selectFrom('open_case')
          .select('evidence')
          .where('kind', '=', 'dead_letter')
          .execute()
        return rows.some(({ evidence }) => evidence['paymentId'] === id) ? true : undefined
      })
      expect(deadLetterOf('payment-close')).toBe('payment-close-dead')
      await worker.stop()
    },
    TIMEOUT_MS,
  )
})

describe('the pace of queries', () => {
  test('follows the vendor, and is queued by the sweeper when it is due', async () => {
    const id = await scene.buy()
    expect(await secondsUntilNext(id)).toBeLessThanOrEqual(5)
    const planned: (number | undefined)[] = []
    for (let round = 0; round < 3; round += 1) {
      scene.passSeconds((await secondsUntilNext(id)) ?? 0)
      await query(id)
      planned.push(await secondsUntilNext(id))
    }
    expect(planned.map((seconds) => Math.round((seconds ?? 0) / 5) * 5)).toEqual([25, 30, 120])
  })

  test("stays below the vendor's allowance: what has no room is asked a little later", async () => {
    const id = await scene.buy()
    const before = scene.emulator.requests().length
    const full = createQueryLimit(scene.deps.clock)
    while (full.take(scene.accountId, 36_000));
    await query(id, { queryLimit: full })
    expect(scene.emulator.requests()).toHaveLength(before)
    expect(await secondsUntilNext(id)).toBe(20)
  })

  test('somebody may ask: once in five seconds, and never about a paid one', async () => {
    const id = await scene.buy()
    const ask = async () => {
      const response = await fetch(`${scene.gateway.url}/v1/payments/${id}/query`, {
        method: 'POST',
        headers: scene.shop.headers,
      })
      return response.status
    }
    expect([await ask(), await ask()]).toEqual([202, 202])
    expect(await queriesFor(id)).toBe(1)
    scene.passSeconds(6)
    await ask()
    expect(await queriesFor(id)).toBe(2)
    paySilently(id)
    await query(id)
    scene.passSeconds(6)
    await ask()
    expect(await queriesFor(id)).toBe(2)
  })
})

async function queriesFor(id: PaymentId): Promise<number> {
  const { rows } = await sql`
    SELECT 1 FROM pgboss.job WHERE name = 'payment-query' AND data ->> 'paymentId' = ${id}`.execute(
    scene.db,
  )
  return rows.length
}
