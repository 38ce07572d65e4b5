import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FailpointName } from '#domain/failpoint'
import { addDays } from '#domain/business-day'
import type { RunRow } from '#db/bill/run'
import { tickBills } from '#worker/bill-schedule'
import { runPointsAward } from '#worker/job/points-award'
import { CONTROL, arm, hasFired } from '../failpoint/control.ts'
import type { FailpointAction } from '../failpoint/control.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'
import { pointsOf } from './failpoint/point.ts'

// A worker that dies, or loses its database, at any point of a day's run. Each test has a day of its own.

const TIMEOUT_MS = 60_000
/** A hold is over, and nothing that waits longer. */
const HELD_SECONDS = 60
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'pingzhang-bill-crash-'))
const control = join(directory, 'control')

let database: TestDatabase
let scene: BillScene
let day = 0

beforeAll(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
}, TIMEOUT_MS)

afterAll(async () => {
  await scene.stop()
  await database.drop()
  rmSync(directory, { recursive: true, force: true })
}, TIMEOUT_MS)

/** A day with two payments, one of which has another amount in the bill; its run is planned. */
async function newDay(): Promise<{ readonly date: string; readonly wrong: string }> {
  const date = addDays(scene.businessDate, day)
  if (day > 0) scene.passToDay(day, 12)
  day += 1
  await scene.buyPaid()
  const wrong = await scene.buyPaid()
  scene.emulator.setKnobs({ billWrongAmount: { [wrong]: 1 } })
  scene.passToDay(day, 11)
  expect((await tickBills(scene.deps)).planned).toBe(1)
  return { date, wrong }
}

/** A worker's work on what waits, in a process of its own that is broken at a point. */
async function workBroken(
  date: string,
  [point, action]: readonly [FailpointName, FailpointAction],
  task: RunRow['task'] = 'bill',
): Promise<string> {
  arm(control, [point, action])
  const ahead = String(scene.now().getTime() - Date.now())
  const words = ['--conditions=test', 'test/failpoint/bill.ts', scene.merchantId, ahead, task, date]
  const child = Bun.spawn([process.execPath, ...words, ...scene.localHosts], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: database.url,
      PGAPPNAME: 'bill-crash',
      [CONTROL]: control,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = await new Response(child.stdout).text()
  await child.exited
  if (!hasFired(control)) throw new Error(`${point} was not reached: ${output}`)
  return child.signalCode === null ? output.trim() : String(child.signalCode)
}

/**
 * The bills of a day as `lines of its own word / lines that are there`, and lines that belong to none. At one moment:
 * the server may still be at the COMMIT of a worker that is gone.
 */
function billsOf(date: string, kind: 'transaction' | 'fund' = 'transaction') {
  const oneMoment = scene.db.transaction().setIsolationLevel('repeatable read')
  return oneMoment.execute(async (trx) => {
    const bills = await trx
      .selectFrom('bill as b')
      .leftJoin('bill_line as l', 'l.bill_id', 'b.id')
      .select(['b.id', 'b.lines'])
      .select((of) => of.fn.count<bigint>('l.line').as('loaded'))
      .where('b.business_date', '=', date)
      .where('b.kind', '=', kind)
      .groupBy(['b.id', 'b.lines'])
      .execute()
    const lines = await trx
      .selectFrom('bill_line')
      .select('bill_id')
      .where('business_date', '=', date)
      .execute()
    const all = await trx
      .selectFrom('bill')
      .select('id')
      .where('business_date', '=', date)
      .execute()
    const known = new Set(all.map(({ id }) => id))
    return {
      bills: bills.map((bill) => `${bill.lines}/${bill.loaded}`),
      orphans: lines.filter((line) => !known.has(line.bill_id)).length,
    }
  })
}

/** The next start of a worker: its first tick, and the jobs that this makes. */
async function startAgain(date: string): Promise<void> {
  scene.passSeconds(HELD_SECONDS)
  await scene.fetchDay(date)
  expect(await scene.run(date)).toMatchObject({ state: 'done', due_at: null })
}

async function expectFinished({ date, wrong }: Awaited<ReturnType<typeof newDay>>): Promise<void> {
  expect(await billsOf(date)).toEqual({ bills: ['2/2'], orphans: 0 })
  const found = await scene.db
    .selectFrom('discrepancy')
    .select(['kind', 'subject', 'state'])
    .where('business_date', '=', date)
    .execute()
  expect(found).toEqual([{ kind: 'amount_differs', subject: wrong, state: 'open' }])
  await scene.noViolations()
}

const points = [...pointsOf('bill'), ...pointsOf('reconcile')].map(({ name }) => name)
const isCommitted = (name: FailpointName): boolean =>
  points.indexOf(name) >= points.indexOf('bill.commit:after')

describe('F123 a worker that is killed', () => {
  test.each(points)(
    'at %s leaves the whole bill or none, and the next start finishes the day',
    async (name) => {
      const made = await newDay()
      expect(await workBroken(made.date, [name, 'exit'])).toBe('SIGKILL')
      const bills = isCommitted(name) ? ['2/2'] : []
      expect(await billsOf(made.date)).toEqual({ bills, orphans: 0 })
      await startAgain(made.date)
      await expectFinished(made)
    },
    TIMEOUT_MS,
  )

  test(
    'while its COMMIT is on its way leaves the whole bill or none, too',
    async () => {
      const made = await newDay()
      expect(await workBroken(made.date, ['bill.commit:before', 'exit_later'])).toBe('SIGKILL')
      const { bills, orphans } = await billsOf(made.date)
      expect([['2/2'], []]).toContainEqual(bills)
      expect(orphans).toBe(0)
      await startAgain(made.date)
      await expectFinished(made)
    },
    TIMEOUT_MS,
  )
})

describe('F123 a worker that is killed over a fund bill', () => {
  const own = pointsOf('fund').map(({ name }) => name)
  const ofFund = [...pointsOf('bill').map(({ name }) => name), ...own]
  test.each(ofFund)(
    'at %s leaves all of it or none, and the next start compares it; the day itself is done',
    async (name) => {
      const made = await newDay()
      await scene.fetchDay(made.date)
      expect(await workBroken(made.date, [name, 'exit'], 'fund')).toBe('SIGKILL')
      const isThere = isCommitted(name) || own.includes(name)
      expect((await billsOf(made.date, 'fund')).bills).toEqual(isThere ? ['4/4'] : [])
      await expectFinished(made)
      scene.passSeconds(HELD_SECONDS)
      await scene.fetchDay(made.date, 'fund')
      expect(await billsOf(made.date, 'fund')).toEqual({ bills: ['4/4'], orphans: 0 })
      expect(await scene.run(made.date, 'fund')).toMatchObject({
        state: 'done',
        note: '0 differences from the transaction bill',
        due_at: null,
      })
      await expectFinished(made)
    },
    TIMEOUT_MS,
  )
})

/** The points of a day whose bill is matched, for which the points system does not answer any more. */
async function comparePoints(date: string): Promise<void> {
  const given = scene.db.selectFrom('points_grant').select('id').where('due_at', 'is not', null)
  for (const { id: grantId } of await given.execute()) {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    await runPointsAward(scene.deps, { merchantId: scene.merchantId, grantId }, signal)
  }
  await scene.fetchDay(date)
  scene.points.setKnobs({ mode: 'down' })
}

const KINDS: Readonly<Record<RunRow['task'], string>> = {
  bill: 'bill_missing',
  fund: 'fund_bill_missing',
  points: 'points_not_compared',
}

describe('F123 a worker that is killed as it gives up a run', () => {
  afterEach(() => {
    scene.emulator.resetKnobs()
    scene.points.setKnobs({ mode: 'ok' })
  })

  test.each<readonly [RunRow['task'], FailpointName, RunRow['state']]>([
    ['bill', 'run.change:before', 'waiting'],
    ['bill', 'run.change:after', 'waiting'],
    ['bill', 'run.give-up:before', 'waiting'],
    ['bill', 'run.give-up:after', 'failed'],
    ['fund', 'run.give-up:before', 'waiting'],
    ['points', 'run.give-up:before', 'loaded'],
  ])(
    'of task %s, at %s: it is %s, the case is there only when it has failed, and the next start makes it up',
    async (task, name, state) => {
      const { date } = await newDay()
      if (task === 'points') await comparePoints(date)
      scene.emulator.setKnobs({ billLate: 1000, fundLate: 1000 })
      const { id, vendor_merchant_id: owner } = await scene.run(date, task)
      const overdue = scene.db.updateTable('schedule_run').set({ deadline_at: scene.now() })
      await overdue.where('id', '=', id).execute()
      const kind = KINDS[task]
      const seen = async () => {
        const cases = await scene.cases(task === 'fund' ? owner : `${owner} ${date}`)
        return {
          state: (await scene.run(date, task)).state,
          // The day has another about its differences.
          cases: cases.filter((one) => one === kind),
        }
      }
      expect(await workBroken(date, [name, 'exit'], task)).toBe('SIGKILL')
      expect(await seen()).toEqual({ state, cases: state === 'failed' ? [kind] : [] })
      scene.passSeconds(HELD_SECONDS)
      await scene.fetchDay(date, task)
      expect(await seen()).toEqual({ state: 'failed', cases: [kind] })
    },
    TIMEOUT_MS,
  )
})

describe('F124 a worker that loses its database', () => {
  const inside: readonly FailpointName[] = [
    'bill.keep:after',
    'bill.copy:before',
    'bill.rows:before',
    'bill.rows:after',
    'bill.copy:after',
    'bill.commit:before',
    'reconcile.match:after',
    'reconcile.commit:before',
  ]
  test.each(inside)(
    'at %s loads all or nothing of the file, and finishes the day later',
    async (name) => {
      const made = await newDay()
      expect(await workBroken(made.date, [name, 'cut'])).toBe('failed')
      expect(await billsOf(made.date)).toEqual({
        bills: isCommitted(name) ? ['2/2'] : [],
        orphans: 0,
      })
      await startAgain(made.date)
      await expectFinished(made)
    },
    TIMEOUT_MS,
  )
})
