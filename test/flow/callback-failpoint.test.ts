import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { FailpointName } from '#domain/failpoint'
import { arm, hasFired, hitsOf } from '../failpoint/control.ts'
import { waitFor } from '../support/wait.ts'
import { makeSales } from './crash/sale.ts'
import type { Sale } from './crash/sale.ts'
import { startStage } from './crash/stage.ts'
import type { Stage } from './crash/stage.ts'
import { isStoredAt, pointsOf } from './failpoint/point.ts'
import { startVendor, storedOf } from './failpoint/vendor.ts'
import type { Vendor } from './failpoint/vendor.ts'

// The gateway as it is deployed, in a process of its own, broken at every side effect of a callback.

const START_MS_MAX = 30_000
const TEST_MS_MAX = 20_000
const SALES = 400
/** A callback after a broken one must not wait for anything the broken one held (CB-29). */
const NEXT_MS_MAX = 2000

const points = pointsOf('callback')
const always = points.filter(({ reachedBy }) => reachedBy === 'any').map(({ name }) => name)
const inTransaction = always.slice(
  always.indexOf('callback.begin:after'),
  always.indexOf('callback.commit:after'),
)
const onConflict = points
  .filter(({ reachedBy }) => reachedBy === 'conflict' || reachedBy === 'repeat')
  .map(({ name }) => name)
const onRefusal = points.filter(({ reachedBy }) => reachedBy === 'refused').map(({ name }) => name)
const onBadRow = points.filter(({ reachedBy }) => reachedBy === 'bad_row').map(({ name }) => name)

const directory = mkdtempSync(join(tmpdir(), 'pingzhang-failpoint-'))
const control = join(directory, 'control')

let stage: Stage
let vendor: Vendor
let sales: Sale[] = []

function nextSale(): Sale {
  const sale = sales.pop()
  if (sale === undefined) throw new Error('all sales are used')
  return sale
}

async function open(gatewayEntry: string): Promise<void> {
  sales = makeSales(SALES)
  rmSync(control, { force: true })
  stage = await startStage({ gatewayEntry, sales, failpoint: control, hasWorker: false })
  vendor = startVendor(stage)
  await isUp()
}

const isUp = () =>
  waitFor('the gateway', async () =>
    (await fetch(`${stage.url}/readyz`).catch(() => undefined))?.ok === true ? true : undefined,
  )

/** The vendor repeats until it is acknowledged; then there is one row, and one job of each kind. */
async function expectRepeatStored(sale: Sale): Promise<void> {
  await waitFor('success', async () => ((await vendor.send(sale)) === 200 ? true : undefined))
  expect(await storedOf(stage, sale)).toEqual({ rows: 1, orderStatusJobs: 1, compensationJobs: 1 })
  expect(await vendor.lost()).toBe(0)
}

afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('the gateway', () => {
  beforeAll(() => open('test/failpoint/gateway.ts'), START_MS_MAX)
  // A test that fails half way must not take the next one with it.
  beforeEach(async () => {
    await isUp()
  })
  afterAll(() => stage.stop(), START_MS_MAX)

  test('reaches every failpoint of a callback, in the order of the table', async () => {
    // A point that is never reached hides behind the armed one; the file is there, so nothing fires.
    arm(control)
    expect(await vendor.send(nextSale())).toBe(200)
    expect(hitsOf(control)).toEqual([...always])
  })

  test.each(always)(
    'CB-02 killed at %s: the row exists or the vendor got no success',
    async (name) => {
      const sale = nextSale()
      const starts = stage.gateway.starts()
      arm(control, [name, 'exit'])
      expect(await vendor.send(sale)).toBe('nothing')
      expect(hasFired(control)).toBe(true)
      const jobs = isStoredAt(name) ? 1 : 0
      expect(await storedOf(stage, sale)).toEqual({
        rows: jobs,
        orderStatusJobs: jobs,
        compensationJobs: jobs,
      })
      await isUp()
      expect(stage.gateway.starts()).toBe(starts + 1)
      await expectRepeatStored(sale)
    },
    TEST_MS_MAX,
  )

  test.each(onConflict)(
    'CB-02 killed at %s of the same event with other facts: the row exists or no success',
    async (name) => {
      const sale = nextSale()
      expect(await vendor.send(sale)).toBe(200)
      const other = { ...sale, paidAmount: sale.paidAmount + 1 }
      arm(control, [name, 'exit'])
      expect(await vendor.send(other)).toBe('nothing')
      expect(hasFired(control)).toBe(true)
      expect(await conflictsOf(sale)).toEqual({ rows: 0, cases: 0 })
      await isUp()
      await expectRepeatStored(other)
      expect(await conflictsOf(sale)).toEqual({ rows: 1, cases: 1 })
    },
    TEST_MS_MAX,
  )

  test.each(onBadRow)(
    'CB-02 killed at %s while a batch with a bad row is stored row by row',
    async (name) => {
      const batch = await sendAsBatch(name)
      expect(hasFired(control)).toBe(true)
      expect(batch.heard).not.toContain(200)
      const rows = await Promise.all(batch.sales.map((sale) => storedOf(stage, sale)))
      expect(rows.filter((stored) => stored.rows === 1).length).toBe(isStoredAt(name) ? 1 : 0)
      await isUp()
      for (const sale of batch.sales) await expectRepeatStored(sale)
    },
    TEST_MS_MAX,
  )

  test.each(onRefusal)(
    'CB-02 killed at %s: a forged callback got no success either, and stored nothing',
    async (name) => {
      const sale = nextSale()
      arm(control, [name, 'exit'])
      expect(await vendor.sendForged(sale)).not.toBe(200)
      await waitFor('the end', () => (hasFired(control) ? true : undefined))
      await isUp()
      expect((await storedOf(stage, sale)).rows).toBe(0)
    },
    TEST_MS_MAX,
  )

  test.each(always)(
    'CB-29 an error at %s: no success, and the next callback is not held up',
    async (name) => {
      const sale = nextSale()
      const starts = stage.gateway.starts()
      arm(control, [name, 'throw'])
      const heard = await vendor.send(sale)
      expect(hasFired(control)).toBe(true)
      // After it was queued the callback is the commit's: its own request failed all the same.
      expect(heard).toBe(503)
      const startedAt = performance.now()
      expect(await vendor.send(nextSale())).toBe(200)
      expect(performance.now() - startedAt).toBeLessThan(NEXT_MS_MAX)
      await expectRepeatStored(sale)
      expect(stage.gateway.starts()).toBe(starts)
    },
    TEST_MS_MAX,
  )

  test.each(always)(
    'the database connections cut at %s: the row exists or no success',
    async (name) => {
      const sale = nextSale()
      const starts = stage.gateway.starts()
      arm(control, [name, 'cut'])
      const heard = await vendor.send(sale)
      expect(hasFired(control)).toBe(true)
      expect(heard === 200 || heard === 503).toBe(true)
      if (inTransaction.includes(name)) expect(heard).toBe(503)
      expect(await vendor.lost()).toBe(0)
      await expectRepeatStored(sale)
      expect(stage.gateway.starts()).toBe(starts)
    },
    TEST_MS_MAX,
  )
})

describe('a planted gateway that acknowledges before it has stored', () => {
  beforeAll(() => open('test/flow/crash/early-acknowledge.ts'), START_MS_MAX)
  afterAll(() => stage.stop(), START_MS_MAX)

  test.each(always.filter((name) => /\.(begin|insert|[\w-]+-job|commit):before/.test(name)))(
    'is caught when it is killed at %s',
    async (name) => {
      const sale = nextSale()
      arm(control, [name, 'exit'])
      expect(await vendor.send(sale)).toBe(200)
      await waitFor('the end', () => (hasFired(control) ? true : undefined))
      expect((await storedOf(stage, sale)).rows).toBe(0)
      expect(await vendor.lost()).toBeGreaterThan(0)
      await isUp()
    },
    TEST_MS_MAX,
  )
})

async function conflictsOf({ eventId }: Sale) {
  const rows = await stage.db
    .selectFrom('notification')
    .select('id')
    .where('event_key', 'like', `evt:${eventId}:conflict:%`)
    .execute()
  const cases = await stage.db
    .selectFrom('open_case')
    .select('id')
    .where('kind', '=', 'event_conflict')
    .where('subject', '=', `evt:${eventId}`)
    .execute()
  return { rows: rows.length, cases: cases.length }
}

/** Commits that may be under way at once (`gateway/intake.ts`): more callbacks than that share one. */
const COMMITS_MAX = 3

const waitForHits = (name: FailpointName, count: number) =>
  waitFor(`${count} hits of ${name}`, () =>
    hitsOf(control).filter((point) => point === name).length === count ? true : undefined,
  )

/** Two callbacks in one commit: all commits are held up while they arrive. Their batch meets a bad row. */
async function sendAsBatch(name: (typeof onBadRow)[number]) {
  const ahead = Array.from({ length: COMMITS_MAX }, nextSale)
  const batch = [nextSale(), nextSale()]
  arm(control)
  const answers: Promise<unknown>[] = []
  const heard = await stage.db.transaction().execute(async (trx) => {
    await sql`LOCK TABLE notification IN ACCESS EXCLUSIVE MODE`.execute(trx)
    for (const [index, sale] of ahead.entries()) {
      // One after the other: those that arrive together would share a commit.
      answers.push(vendor.send(sale))
      await waitForHits('callback.insert:before', index + 1)
    }
    const sent = batch.map((sale) => vendor.send(sale))
    await waitForHits('callback.enqueue:after', COMMITS_MAX + batch.length)
    arm(control, ['callback.begin:before', 'bad_row'], [name, 'exit'])
    return sent
  })
  await Promise.all(answers)
  return { sales: batch, heard: await Promise.all(heard) }
}
