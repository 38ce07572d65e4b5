import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { tickBills } from '#worker/bill-schedule'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'
import { makeWorker } from './own-worker.ts'
import type { OwnWorker } from './own-worker.ts'

// The fund bill of a day at WeChat Pay, by the schedule, with the real worker and its queues; only the clock is the
// test's. Alipay's stands in `bill-alipay.test.ts`.

const TIMEOUT_MS = 60_000
const WAIT_MS = 20_000
const HOUR = 3600

let database: TestDatabase
let scene: BillScene
let worker: OwnWorker

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
  worker = await makeWorker(database.url, scene)
}, TIMEOUT_MS)

afterEach(async () => {
  await worker.stop()
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

const runOf = (task: 'bill' | 'fund') =>
  scene.db
    .selectFrom('schedule_run')
    .selectAll()
    .where('merchant_id', '=', scene.merchantId)
    .where('task', '=', task)
    .where('business_date', '=', scene.businessDate)
    .executeTakeFirst()

/** A run in a state, with a word that says why. */
const waitForRun = (task: 'bill' | 'fund', state: string) =>
  waitFor(
    `the ${task} run ${state}`,
    async () => {
      const run = await runOf(task)
      return run?.state === state && run.note !== null ? run : undefined
    },
    WAIT_MS,
  )

/** The next day: one tick of the schedule; the queues do the rest. */
async function startDay(): Promise<void> {
  scene.passToDay(1, 11)
  await worker.start(scene.deps)
  expect(await tickBills(scene.deps)).toMatchObject({ planned: 1, funds: 1 })
}

const bills = async (): Promise<readonly string[]> => {
  const rows = await scene.db
    .selectFrom('bill')
    .select(['kind', 'revision', 'lines'])
    .where('merchant_id', '=', scene.merchantId)
    .where('business_date', '=', scene.businessDate)
    .orderBy('kind')
    .execute()
  return rows.map(({ kind, revision, lines }) => `${kind} ${revision}: ${lines}`)
}

const versions = async (): Promise<number> =>
  (await scene.db.selectFrom('reconciliation').select('id').execute()).length

/** What is open about the fund bills of a vendor merchant when the next day's does not come either. */
async function failNextDay(owner: string): Promise<readonly string[]> {
  const failed = () =>
    scene.db
      .selectFrom('schedule_run')
      .select('id')
      .where('task', '=', 'fund')
      .where('state', '=', 'failed')
      .execute()
  await scene.buyPaid()
  await waitFor(
    'a second day without a fund bill',
    async () => {
      scene.passSeconds(24 * HOUR)
      await tickBills(scene.deps)
      return (await failed()).length > 1 ? true : undefined
    },
    WAIT_MS,
    1000,
  )
  return scene.cases(owner)
}

describe('the fund bill of a day', () => {
  test(
    'is fetched by the schedule like the transaction bill, and agrees with it',
    async () => {
      const paid = await scene.buyPaid()
      await scene.giveBack(paid, 300)
      await startDay()
      expect(await waitForRun('bill', 'done')).toMatchObject({ note: '2 of 2 lines agree' })
      const note = (await waitForRun('fund', 'done')).note ?? ''
      // Whichever of the two was first.
      expect([
        '0 differences from the transaction bill',
        'compared when the transaction bill is matched',
      ]).toContain(note)
      expect(await bills()).toEqual(['fund 1: 4', 'transaction 1: 2'])
      expect(await scene.found()).toEqual([])
      expect(await tickBills(scene.deps)).toMatchObject({ planned: 0, funds: 0 })
    },
    TIMEOUT_MS,
  )

  test(
    'that is late holds up nothing: the day is matched without it, and compared when it comes',
    async () => {
      const [, lost] = [await scene.buyPaid(), await scene.buyPaid({ amount: 5000 })]
      scene.emulator.setKnobs({ fundLate: 1, fundMissingLine: lost })
      await startDay()
      expect(await waitForRun('fund', 'waiting')).toMatchObject({ note: 'STATEMENT_CREATING' })
      expect(await waitForRun('bill', 'done')).toMatchObject({ note: '2 of 2 lines agree' })
      expect(await scene.found()).toEqual([])
      scene.passSeconds(HOUR)
      expect((await tickBills(scene.deps)).woken).toBeGreaterThan(0)
      await waitForRun('fund', 'done')
      // The account was not moved: its payment and its fee are missing.
      expect(await scene.found()).toEqual([
        'amount_differs fund payment open',
        'fee_differs fund fee open',
      ])
      expect(await versions()).toBe(1)
      const { vendor_merchant_id: owner } = await scene.run()
      expect(await scene.cases(`${owner} ${scene.businessDate}`)).toEqual(['discrepancies'])
    },
    TIMEOUT_MS,
  )

  test(
    'that comes before the transaction bill is compared when that one is matched',
    async () => {
      const [, lost] = [await scene.buyPaid(), await scene.buyPaid({ amount: 5000 })]
      scene.emulator.setKnobs({ billLate: 1, fundMissingLine: lost })
      await startDay()
      expect(await waitForRun('bill', 'waiting')).toMatchObject({ note: 'STATEMENT_CREATING' })
      expect(await waitForRun('fund', 'done')).toMatchObject({
        note: 'compared when the transaction bill is matched',
      })
      expect(await scene.found()).toEqual([])
      scene.passSeconds(HOUR)
      await tickBills(scene.deps)
      await waitForRun('bill', 'done')
      expect(await scene.found()).toEqual([
        'amount_differs fund payment open',
        'fee_differs fund fee open',
      ])
    },
    TIMEOUT_MS,
  )

  test.each([
    ['never comes', { fundLate: true }, 'STATEMENT_CREATING'],
    ['is empty while we have counted money', { fundEmpty: true }, 'NO_STATEMENT_EXIST'],
  ] as const)(
    'that %s is asked for until its deadline, and then for a person; the day itself is done',
    async (_name, knobs, code) => {
      await scene.buyPaid()
      scene.emulator.setKnobs(knobs)
      await startDay()
      const { deadline_at: deadline, vendor_merchant_id: owner } = await waitForRun(
        'fund',
        'waiting',
      )
      expect(await scene.cases(owner)).toEqual([])
      await waitForRun('bill', 'done')
      scene.passSeconds((addMs(deadline, 1000).getTime() - scene.now().getTime()) / 1000)
      await tickBills(scene.deps)
      const { note } = await waitForRun('fund', 'failed')
      expect(note).toContain(code)
      expect(note).toContain('until the deadline')
      await waitFor('the case', async () =>
        (await scene.cases(owner)).includes('fund_bill_missing') ? true : undefined,
      )
      expect(await failNextDay(owner)).toEqual(['fund_bill_missing'])
      expect(await waitForRun('bill', 'done')).toMatchObject({ note: '1 of 1 lines agree' })
      expect(await scene.found()).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'of a day without business is a valid run that is closed',
    async () => {
      await startDay()
      await waitForRun('bill', 'done')
      await waitForRun('fund', 'done')
      expect(await bills()).toEqual(['fund 1: 0', 'transaction 1: 0'])
      expect(await scene.found()).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'that is cut short on its way is asked for again',
    async () => {
      await scene.buyPaid()
      scene.emulator.setKnobs({ fundTruncated: 1 })
      await startDay()
      expect((await waitForRun('fund', 'waiting')).note).toContain('SHA-1')
      scene.passSeconds(HOUR)
      await tickBills(scene.deps)
      await waitForRun('fund', 'done')
      await waitForRun('bill', 'done')
      expect(await bills()).toEqual(['fund 1: 2', 'transaction 1: 1'])
      expect(await scene.found()).toEqual([])
    },
    TIMEOUT_MS,
  )
})
