import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { BillTask } from '#db/bill/run'
import type { LoadedLine } from '#db/bill/bill-copy'
import { addDays, boundsOf } from '#domain/business-day'
import { addMs } from '#domain/time'
import { tickBills } from '#worker/bill-schedule'
import { runReconcile } from '#worker/job/reconcile'
import { billLine, openBillDay } from '../db/bill-day.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// A payment of a day's last second, whose account is moved in the next day's first one (WeChat Pay dossier, 6.10).

const TIMEOUT_MS = 60_000

let database: TestDatabase
let scene: BillScene

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
}, TIMEOUT_MS)

afterEach(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

/** What a worker does once these bills are loaded. */
async function match(date: string, task: BillTask): Promise<void> {
  const { id: runId, merchant_id: merchantId } = await scene.run(date, task)
  await scene.db
    .updateTable('schedule_run')
    .set({ state: 'loaded' })
    .where('id', '=', runId)
    .execute()
  await runReconcile(scene.deps, { merchantId, runId })
  expect(await scene.run(date, task)).toMatchObject({ state: 'done' })
}

const found = async (): Promise<readonly string[]> =>
  (await scene.found()).filter((text) => text.includes(' fund '))

async function dayCase(date: string): Promise<string | undefined> {
  const { vendor_merchant_id: owner } = await scene.run()
  const row = await scene.db
    .selectFrom('open_case')
    .select('state')
    .where('kind', '=', 'discrepancies')
    .where('subject', '=', `${owner} ${date}`)
    .executeTakeFirst()
  return row?.state
}

describe('a movement of the evening before, in the fund bill of the next day', () => {
  test(
    'is no difference any more once the late transaction bill of the evening is there',
    async () => {
      const [date, next] = [scene.businessDate, addDays(scene.businessDate, 1)]
      const cut = boundsOf(date, 24).to
      const number = { channelPaymentId: '4201' }
      const at = cut.toISOString()
      const fee = { kind: 'fee', amountMinor: 12n, fee: '0.12' } as const
      const moved: readonly LoadedLine[] = [
        billLine(1, { ...number, at }),
        billLine(2, { ...number, ...fee, at }),
      ]
      await scene.buyPaid()
      for (const days of [1, 2]) {
        scene.passToDay(days, 11)
        await tickBills(scene.deps)
      }
      const [evening, morning] = [
        await openBillDay({ ...scene, databaseUrl: database.url }, { businessDate: date }),
        await openBillDay({ ...scene, databaseUrl: database.url }, { businessDate: next }),
      ]
      await morning.loadFund(moved)
      await morning.load([])
      await match(next, 'bill')
      await match(next, 'fund')
      expect(await found()).toEqual(['fee_differs fund fee open'])
      expect(await dayCase(next)).toBe('open')

      const late = addMs(cut, -1000).toISOString()
      await evening.loadFund([])
      await evening.load([billLine(1, { ...number, at: late, fee: '0.12' })], import.meta.path)
      await match(date, 'bill')
      expect(await found()).toEqual(['fee_differs fund fee resolved'])
      expect(await dayCase(next)).toBe('resolved')
    },
    TIMEOUT_MS,
  )
})

describe('an empty fund bill of a day', () => {
  test.each([
    ['whose one payment was in its last minutes is believed', 23.9, 'done'],
    ['with an earlier payment is not', 23.7, 'waiting'],
  ] as const)(
    '%s',
    async (_name, hour, state) => {
      scene.passTo(scene.businessDate, hour)
      await scene.buyPaid()
      scene.emulator.setKnobs({ fundEmpty: true })
      scene.passToDay(1, 11)
      await scene.fetchDay()
      await scene.fetchDay(scene.businessDate, 'fund')
      expect(await scene.run(scene.businessDate, 'fund')).toMatchObject({ state })
      expect(await found()).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'is no measure for the transaction bill, which has the last minutes, too',
    async () => {
      scene.passTo(scene.businessDate, 23.9)
      await scene.buyPaid()
      scene.emulator.setKnobs({ billEmpty: true })
      scene.passToDay(1, 11)
      await scene.fetchDay()
      expect(await scene.run()).toMatchObject({ state: 'waiting' })
    },
    TIMEOUT_MS,
  )
})
