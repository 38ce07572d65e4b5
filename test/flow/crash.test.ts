import { afterEach, expect, test } from 'bun:test'
import { findLostEvents, findViolations } from '../support/invariant.ts'
import type { Observations } from '../support/invariant.ts'
import { waitFor } from '../support/wait.ts'
import { countRows, isQuiet } from './crash/count.ts'
import { runNemesis } from './crash/nemesis.ts'
import { createRandom, seedFrom } from './crash/random.ts'
import { makeSales, signSale } from './crash/sale.ts'
import type { Sale } from './crash/sale.ts'
import { startSender } from './crash/sender.ts'
import type { Sender } from './crash/sender.ts'
import { startStage } from './crash/stage.ts'
import type { Stage } from './crash/stage.ts'

const PAYMENTS = 2_200
/** The last ones are never paid: they must earn nothing. */
const UNPAID = 50
const ACKNOWLEDGED_MIN = 2_000
const KILLS_EACH = 5
const PER_SECOND = 150
const OFFERED_MIN = 100
const STORM_MS_MAX = 90_000
/** So many points are granted but answered with 500: those grants must be asked for again. */
const UNANSWERED_GRANTS = 40
const QUIET_MS_MAX = 30_000
const STOP_MS_MAX = 15_000
/** A machine that is busy with something else is slow to come back after the last kill. */
const PATIENCE_MS = 20_000
const TEST_MS_MAX = 170_000

const PLANTED_SALES = 600
const PLANTED_ACKNOWLEDGED_MIN = 100
const PLANTED_MS_MAX = 15_000

let stage: Stage | undefined
let sender: Sender | undefined

afterEach(async () => {
  await sender?.stop()
  await stage?.stop()
  stage = undefined
}, STOP_MS_MAX)

function send(to: Stage, sales: readonly Sale[]): Sender {
  const paidAt = new Date()
  const started = startSender({
    url: to.callbackUrl,
    sales,
    perSecond: PER_SECOND,
    sign: (sale) => signSale(to.keys, sale, paidAt),
  })
  sender = started
  return started
}

const observe = (from: Stage, vendor: Sender): Observations => ({
  acknowledged: {
    accountId: from.accountId,
    eventKeys: vendor.acknowledged().map((id) => `evt:${id}`),
  },
  effects: from.points.effects(),
})

test(
  'keeps every promise while gateway, worker and PostgreSQL are killed at random',
  async () => {
    const seed = seedFrom(process.env['PINGZHANG_SEED'])
    console.log(`crash: PINGZHANG_SEED=${seed}`)
    const sales = makeSales(PAYMENTS)
    stage = await startStage({ gatewayEntry: 'gateway/main.ts', sales })
    const { db, gateway, worker, postgres, points } = stage
    if (worker === undefined) throw new Error('this stage has a worker')
    points.setKnobs({ mode: 'commit_then_500', times: UNANSWERED_GRANTS })
    const vendor = send(stage, sales.slice(0, -UNPAID))
    const victims = [
      { name: 'gateway', kill: gateway.kill },
      { name: 'worker', kill: worker.kill },
      postgres,
    ]
    const stormFrom = performance.now()
    const isOver = AbortSignal.timeout(STORM_MS_MAX)
    const kills = await runNemesis(createRandom(seed), victims, KILLS_EACH, isOver)
    await waitFor(
      `${ACKNOWLEDGED_MIN} acknowledgements`,
      () => (vendor.acknowledged().length >= ACKNOWLEDGED_MIN ? true : undefined),
      Math.max(STORM_MS_MAX - (performance.now() - stormFrom), PATIENCE_MS),
    )
    const rate = vendor.rate()
    const stormMs = Math.round(performance.now() - stormFrom)
    await vendor.stop()
    const quietFrom = performance.now()
    await waitFor('quiet', () => isQuiet(db), QUIET_MS_MAX)
    const seen = observe(stage, vendor)
    const rows = await countRows(db)
    console.log('crash:', {
      kills,
      starts: { gateway: gateway.starts(), worker: worker.starts() },
      attempts: vendor.attempts(),
      perSecond: Math.round(rate),
      acknowledged: seen.acknowledged.eventKeys.length,
      stormMs,
      quietAfterMs: Math.round(performance.now() - quietFrom),
      ...rows,
      effects: seen.effects.length,
      pointsRequests: points.requests().length,
    })
    expect(kills).toEqual({ gateway: KILLS_EACH, worker: KILLS_EACH, postgres: KILLS_EACH })
    expect(seen.acknowledged.eventKeys.length).toBeGreaterThanOrEqual(ACKNOWLEDGED_MIN)
    expect(rate).toBeGreaterThanOrEqual(OFFERED_MIN)
    expect(rows.paidOrders).toBeGreaterThan(0)
    expect(await findViolations(db, seen)).toEqual([])
  },
  TEST_MS_MAX,
)

test(
  'sees a planted bug: a gateway that acknowledges before it has stored',
  async () => {
    const sales = makeSales(PLANTED_SALES)
    stage = await startStage({ gatewayEntry: 'test/flow/crash/early-acknowledge.ts', sales })
    const vendor = send(stage, sales)
    const isWarm = () => vendor.acknowledged().length >= PLANTED_ACKNOWLEDGED_MIN || undefined
    await waitFor('acknowledgements', isWarm, PLANTED_MS_MAX)
    expect(await stage.gateway.kill()).toBe(true)
    await vendor.stop()
    const lost = await findLostEvents(stage.db, observe(stage, vendor))
    console.log(`crash: planted bug, ${lost.length} of ${vendor.acknowledged().length} lost`)
    expect(lost.length).toBeGreaterThan(0)
  },
  TEST_MS_MAX,
)
