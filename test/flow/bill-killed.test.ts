import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FailpointName } from '#domain/failpoint'
import { CONTROL, arm, hasFired } from '../failpoint/control.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'
import { runProgram } from './crash/program.ts'
import type { Program } from './crash/program.ts'

// A whole worker that is killed over a day's bill and started again by a supervisor, as it is deployed. Only the
// clock of all is the test's, so that the minute of the hold is not waited for.

const TIMEOUT_MS = 90_000
/** A worker looks for what waits twice a minute, of the real clock. */
const WAKE_MS = 45_000

let database: TestDatabase
let scene: BillScene
let directory = ''
let worker: Program | undefined

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
  directory = mkdtempSync(join(tmpdir(), 'pingzhang-killed-'))
}, TIMEOUT_MS)

afterEach(async () => {
  await worker?.stop()
  await scene.stop()
  await database.drop()
  rmSync(directory, { recursive: true, force: true })
}, TIMEOUT_MS)

const inDirectory = (name: string): string => join(directory, name)

function tellTime(): void {
  writeFileSync(inDirectory('ahead'), String(scene.now().getTime() - Date.now()))
}

function startWorker(point: FailpointName): Program {
  arm(inDirectory('control'), [point, 'exit'])
  tellTime()
  const env = {
    DATABASE_URL: database.url,
    POINTS_URL: scene.points.url,
    PUBLIC_URL: scene.gateway.url,
    LOCAL_HOSTS: scene.localHosts.join(','),
    AHEAD: inDirectory('ahead'),
    TMPDIR: directory,
    [CONTROL]: inDirectory('control'),
  }
  return runProgram('test/failpoint/bill-worker.ts', env, ['--conditions=test'])
}

/** Bills on their way that lie on the disk. */
const temporary = (): readonly string[] =>
  readdirSync(directory).filter((name) => name.startsWith('pingzhang-bill-'))

const runs = async () => {
  const rows = await scene.db
    .selectFrom('schedule_run')
    .select(['task', 'state', 'held_until'])
    .where('merchant_id', '=', scene.merchantId)
    .where('business_date', '=', scene.businessDate)
    .where('task', 'in', ['bill', 'fund'])
    .orderBy('task')
    .execute()
  return rows.map(({ task, state, held_until: held }) => `${task} ${state}${held ? ' held' : ''}`)
}

/** Whether the other bill may lie there, too: the fund bill is fetched while the first one is compared. */
async function besideOf(point: FailpointName): Promise<number> {
  const isOnItsWay = (await runs()).some((run) => /^fund (waiting held|loaded)/.test(run))
  return point.startsWith('reconcile.') && isOnItsWay ? 1 : 0
}

const versions = async () =>
  (await scene.db.selectFrom('reconciliation').select('version').execute()).map((row) =>
    Number(row.version),
  )

describe('F123 a worker that is killed over a day', () => {
  test.each<readonly [FailpointName, string, number]>([
    ['bill.fetch:after', 'bill waiting held', 1],
    ['bill.copy:after', 'bill waiting held', 1],
    ['bill.loaded:after', 'bill loaded', 1],
    ['reconcile.match:after', 'bill loaded held', 0],
  ])(
    'at %s: the next one removes what it left, and finishes the day once the hold of a minute is over',
    async (point, left, files) => {
      await scene.buyPaid()
      await scene.buyPaid()
      scene.passToDay(1, 11)
      worker = startWorker(point)
      await waitFor('the kill', () => hasFired(inDirectory('control')) || undefined, TIMEOUT_MS)
      expect([files, files + (await besideOf(point))]).toContain(temporary().length)
      // It is dead, or will be in a moment; the supervisor starts the next one.
      await waitFor('the next start', () => (worker?.starts() ?? 0) > 1 || undefined, TIMEOUT_MS)
      await waitFor('its cleaning', () => temporary().length === 0 || undefined, TIMEOUT_MS)
      const isHeld = left.endsWith('held')
      if (isHeld) expect(await runs()).toContain(left)
      scene.passSeconds(60)
      tellTime()
      await waitFor(
        'the day',
        async () =>
          (await runs()).every((run) => run === 'bill done' || run === 'fund done')
            ? true
            : undefined,
        WAKE_MS,
      )
      expect(await versions()).toEqual([1])
      const bills = await scene.db
        .selectFrom('bill')
        .select(['kind', 'revision', 'lines'])
        .execute()
      expect(bills.map(({ kind, lines }) => `${kind} ${lines}`).toSorted()).toEqual([
        'fund 4',
        'transaction 2',
      ])
      expect(await scene.found()).toEqual([])
      expect(worker.starts()).toBe(2)
      expect(temporary()).toEqual([])
      await scene.noViolations()
    },
    TIMEOUT_MS,
  )
})
