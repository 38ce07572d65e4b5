import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert } from '#domain/assert'
import { waitFor } from '../support/wait.ts'
import { DETACHED } from './crash/detached.ts'
import { runProgram } from './crash/program.ts'
import type { Program } from './crash/program.ts'
import { makeSales, signSale } from './crash/sale.ts'
import type { Sale } from './crash/sale.ts'
import { startStage } from './crash/stage.ts'
import type { Stage } from './crash/stage.ts'

// Workers are processes of their own here, killed and stopped from outside, over a durable PostgreSQL.

const TIMEOUT_MS = 120_000
const PATIENCE_MS = 60_000
const SALES = 100
const FEN_PER_POINT = 100

let stage: Stage
let workers: Program[] = []
/** All of them earn points, and none is one fen off. */
const sales = makeSales(SALES).filter(
  ({ amount, paidAmount }) => amount === paidAmount && amount >= FEN_PER_POINT,
)

beforeAll(async () => {
  stage = await startStage({ gatewayEntry: 'gateway/main.ts', sales, hasWorker: false })
  await waitFor('the gateway', async () => (await isUp()) || undefined, PATIENCE_MS)
}, TIMEOUT_MS)

afterEach(async () => {
  stage.points.setKnobs({ mode: 'ok' })
  await Promise.all(workers.map((worker) => worker.stop()))
  workers = []
}, TIMEOUT_MS)

afterAll(() => stage.stop(), TIMEOUT_MS)

const isUp = (): Promise<boolean> =>
  fetch(`${stage.url}/readyz`).then(
    ({ status }) => status === 200,
    () => false,
  )

function startWorker(env: Readonly<Record<string, string>> = {}, flags: readonly string[] = []) {
  const worker = runProgram('worker/main.ts', { ...stage.env, ...env }, flags)
  workers.push(worker)
  return worker
}

function nextSale(): Sale {
  const sale = sales.shift()
  assert(sale !== undefined, 'expected another sale')
  return sale
}

/** The vendor calls until it is heard. */
async function hear(sale: Sale): Promise<void> {
  await waitFor(
    `the acknowledgement of ${sale.eventId}`,
    async () => {
      const { headers, body } = signSale(stage.keys, sale, new Date())
      const response = await fetch(stage.callbackUrl, { method: 'POST', headers, body }).catch(
        () => undefined,
      )
      return response?.status === 200 ? response : undefined
    },
    PATIENCE_MS,
  )
}

const grantOf = (sale: Sale) =>
  stage.db
    .selectFrom('points_grant')
    .select(['id', 'state', 'points'])
    .where('order_id', '=', sale.orderId)
    .executeTakeFirst()

/** How often the points system was called about this sale, answered or not. */
async function callsOf(sale: Sale): Promise<number> {
  const paths = await stage.points.waitForArrivals(() => true)
  return paths.filter((path) => path.includes(sale.orderId)).length
}

const waitForCall = (sale: Sale): Promise<true> =>
  waitFor('the call', async () => ((await callsOf(sale)) > 0 ? true : undefined), PATIENCE_MS)

const waitForGranted = (sale: Sale) =>
  waitFor(
    `the points of ${sale.orderId}`,
    async () => {
      const grant = await grantOf(sale)
      return grant?.state === 'granted' ? grant : undefined
    },
    PATIENCE_MS,
  )

/** Its moves, and how often the points system has applied it. */
async function storyOf(sale: Sale) {
  const grant = await waitForGranted(sale)
  const moves = await stage.db
    .selectFrom('state_change')
    .select(['from_state', 'to_state'])
    .where('subject_id', '=', grant.id)
    .orderBy('at')
    .execute()
  const effects = stage.points.effects().filter(({ key }) => key.includes(sale.orderId))
  return {
    moves: moves.map(({ from_state: from, to_state: to }) => `${from ?? ''} ${to}`.trim()),
    effects: effects.map(({ points, applied_count: count }) => `${points} × ${count}`),
  }
}

const onceOf = ({ amount }: Sale) => ({
  moves: expect.arrayContaining(['pending sent', 'sent granted']),
  effects: [`${Math.floor(amount / FEN_PER_POINT)} × 1`],
})

describe('a worker in the call to the points system', () => {
  test.each([
    ['before the effect', 'hang', 0],
    ['after the effect and before our row', 'commit_then_timeout', 1],
  ] as const)(
    'F78 killed with -9 %s: it starts again, and there is one effect',
    async (_when, mode, applied) => {
      const sale = nextSale()
      stage.points.setKnobs({ mode })
      const worker = startWorker()
      await hear(sale)
      await waitForCall(sale)
      expect(await worker.kill()).toBe(true)
      expect(stage.points.effects().filter(({ key }) => key.includes(sale.orderId)).length).toBe(
        applied,
      )
      expect((await grantOf(sale))?.state).toBe('sent')
      stage.points.setKnobs({ mode: 'ok' })
      expect(await storyOf(sale)).toEqual(onceOf(sale))
      expect(worker.starts()).toBe(2)
      expect(await callsOf(sale)).toBeGreaterThan(1)
    },
    TIMEOUT_MS,
  )

  test(
    'F79 stopped in the call, another takes over, the first goes on: one effect, and it moves nothing',
    async () => {
      const sale = nextSale()
      stage.points.setKnobs({ mode: 'hang', times: 1 })
      const first = startWorker()
      await hear(sale)
      await waitForCall(sale)
      first.pause()
      startWorker()
      const story = await storyOf(sale)
      expect(story).toEqual(onceOf(sale))
      first.resume()
      // It hears of its call only now, and still works: the next sale may be anybody's.
      stage.points.setKnobs({ mode: 'ok' })
      const another = nextSale()
      await hear(another)
      expect(await storyOf(another)).toEqual(onceOf(another))
      expect(await storyOf(sale)).toEqual(story)
      expect(first.starts()).toBe(1)
    },
    TIMEOUT_MS,
  )

  test(
    'F84 the database dies between the effect and our row: the effect is found by its key',
    async () => {
      const sale = nextSale()
      stage.points.setKnobs({ mode: 'commit_then_timeout', times: 1 })
      startWorker()
      await hear(sale)
      await waitForCall(sale)
      const back = stage.postgres.kill()
      // The answer never comes, and when it is clear, there is no database to write it down.
      stage.points.setKnobs({ mode: 'ok' })
      await back
      expect(await storyOf(sale)).toEqual(onceOf(sale))
      expect(await callsOf(sale)).toBeGreaterThan(1)
    },
    TIMEOUT_MS,
  )

  test(
    'F92 where a promise fails that nobody waits for: the process ends, and the job runs again',
    async () => {
      const sale = nextSale()
      const marker = join(tmpdir(), `pingzhang-detached-${crypto.randomUUID()}`)
      writeFileSync(marker, '')
      const preload = fileURLToPath(new URL('crash/detached.ts', import.meta.url))
      const worker = startWorker({ [DETACHED]: marker }, ['--preload', preload])
      await hear(sale)
      expect(await storyOf(sale)).toEqual(onceOf(sale))
      await waitFor('the second start', () => worker.starts() === 2 || undefined, PATIENCE_MS)
    },
    TIMEOUT_MS,
  )
})
