import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { jobsOf, openSender } from '#db/job'
import { readMetrics } from '#db/metrics'
import { storeNotifications } from '#db/notification/notification'
import type { Arrival } from '#db/notification/notification'
import { assert } from '#domain/assert'
import { mintVerified } from '#domain/notification'
import { defaultIntake } from '#gateway/intake'
import { waitFor } from '../support/wait.ts'
import { factsOf } from './batch.ts'
import { runProgram } from './crash/program.ts'
import type { Program } from './crash/program.ts'
import { makeSales, signSale } from './crash/sale.ts'
import type { Sale } from './crash/sale.ts'
import { startStage } from './crash/stage.ts'
import type { Stage } from './crash/stage.ts'

// A worker of its own process, over a durable PostgreSQL, that looks again after a second or two.

const TIMEOUT_MS = 240_000
const PATIENCE_MS = 200_000
const BACKLOG = 5_000
const FEN_PER_POINT = 100
const IDLE_MS = 3_000
const IDLE_SHARE_MAX = 0.5
/** A row is overdue after a second here: on a slow machine that is a call that takes its time. */
const REPAIRS_MAX = BACKLOG / 20

let stage: Stage
let worker: Program | undefined
/** All of them earn points, and none is one fen off. */
const sales = makeSales(BACKLOG * 1.1).filter(
  ({ amount, paidAmount }) => amount === paidAmount && amount >= FEN_PER_POINT,
)
const backlog = sales.slice(0, BACKLOG)
const last = sales.at(BACKLOG)

beforeAll(async () => {
  stage = await startStage({ gatewayEntry: 'gateway/main.ts', sales, hasWorker: false })
}, TIMEOUT_MS)

afterAll(async () => {
  await worker?.stop()
  await stage.stop()
}, TIMEOUT_MS)

/** As a gateway does it that is called as fast as it can: full commits. */
async function store(stored: readonly Sale[]): Promise<void> {
  const boss = await openSender(stage.databaseUrl, () => undefined)
  const { batchMax } = defaultIntake
  try {
    for (let from = 0; from < stored.length; from += batchMax) {
      const arrivals = stored.slice(from, from + batchMax).map(arrivalOf)
      await storeNotifications(stage.db, jobsOf(boss), arrivals, { compensationSeconds: 2 })
    }
  } finally {
    await boss.stop({ graceful: false })
  }
}

function arrivalOf(sale: Sale): Arrival {
  const eventKey = `evt:${sale.eventId}`
  return {
    merchantId: stage.merchantId,
    channelAccountId: stage.accountId,
    notification: mintVerified({ eventKey, keySerial: '1', facts: factsOf(sale) }),
    headers: {},
    body: new TextEncoder().encode(eventKey),
  }
}

/** The vendor calls until it is heard. */
const hear = (sale: Sale): Promise<unknown> =>
  waitFor(
    'the acknowledgement',
    async () => {
      const { headers, body } = signSale(stage.keys, sale, new Date())
      const response = await fetch(stage.callbackUrl, { method: 'POST', headers, body }).catch(
        () => undefined,
      )
      return response?.status === 200 ? response : undefined
    },
    PATIENCE_MS,
  )

const waitForGrants = (count: number): Promise<true> =>
  waitFor(
    `${count} grants`,
    async () => {
      const { rows } = await sql<{ count: bigint }>`
        SELECT count(*) FROM points_grant WHERE state = 'granted'`.execute(stage.db)
      return rows[0]?.count === BigInt(count) ? true : undefined
    },
    PATIENCE_MS,
    500,
  )

describe('F87 a backlog that has gathered while no worker ran', () => {
  test(
    'drains, and is not fed again meanwhile; what comes last does not wait for ever; then the worker is quiet',
    async () => {
      assert(last !== undefined && backlog.length === BACKLOG, 'there are sales enough')
      await store(backlog)
      worker = runProgram('worker/main.ts', stage.env)
      await hear(last)
      await waitForGrants(BACKLOG + 1)
      const effects = stage.points.effects()
      expect(effects.length).toBe(BACKLOG + 1)
      expect(effects.every(({ applied_count: count }) => count === 1)).toBe(true)
      expect(worker.starts()).toBe(1)
      expect(await repairs()).toBeLessThan(REPAIRS_MAX)
      const before = worker.cpuSeconds()
      await Bun.sleep(IDLE_MS)
      const share = ((worker.cpuSeconds() - before) * 1000) / IDLE_MS
      expect(share).toBeLessThan(IDLE_SHARE_MAX)
    },
    TIMEOUT_MS,
  )
})

/** What a second look has done in place of the queue. */
async function repairs(): Promise<number> {
  const metrics = await readMetrics(stage.db, new Date())
  return metrics
    .filter(({ name }) => name === 'repairs_total')
    .reduce((sum, { value }) => sum + value, 0)
}
