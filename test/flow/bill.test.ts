import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { tickBills } from '#worker/bill-schedule'
import { runBillDownload } from '#worker/job/bill-download'
import { runReconcile } from '#worker/job/reconcile'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// A day's bill from the vendor to the discrepancies: the schedule, the download, the matching, the repair.

const TIMEOUT_MS = 30_000
const HOUR = 3600
const DAY = 24 * HOUR

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

describe('a day whose bill agrees', () => {
  test('is fetched once it is there, and matched line by line, refunds too', async () => {
    const paid = [await scene.buyPaid(), await scene.buyPaid({ amount: 500 })]
    await scene.giveBack(paid[0] ?? (await scene.buyPaid()), 300)
    // Nothing is asked for before the vendor has it.
    scene.passToDay(1, 10)
    expect((await tickBills(scene.deps)).planned).toBe(0)
    scene.passSeconds(600)
    await scene.fetchDay()
    expect(await scene.run()).toMatchObject({ state: 'done', note: '3 of 3 lines agree' })
    expect(await scene.found()).toEqual([])
    const [matched] = await scene.db
      .selectFrom('reconciliation')
      .selectAll()
      .where('merchant_id', '=', scene.merchantId)
      .execute()
    expect(matched).toMatchObject({ lines: 3n, matched: 3n, our_amount: 2199n })
    expect(matched?.their_amount).toBe(2199n)
    expect((await tickBills(scene.deps)).planned).toBe(0)
  })

  test('RC-01, F109 and comes late is asked for again, by the schedule, until it is there; nothing is a difference', async () => {
    await scene.buyPaid()
    scene.passToDay(1, 11)
    scene.emulator.setKnobs({ billLate: 1 })
    await tickBills(scene.deps)
    const { id } = await scene.run()
    const job = { merchantId: scene.merchantId, runId: id }
    await runBillDownload(scene.deps, job)
    expect(await scene.run()).toMatchObject({ state: 'waiting', note: 'STATEMENT_CREATING' })
    expect((await tickBills(scene.deps)).woken).toBe(0)
    await runReconcile(scene.deps, job)
    expect(await scene.found()).toEqual([])
    scene.passSeconds(HOUR)
    // The day's fund bill, whose job nobody has run here, too.
    expect((await tickBills(scene.deps)).woken).toBe(2)
    await runBillDownload(scene.deps, job)
    expect((await scene.run()).state).toBe('loaded')
  })

  test('RC-01 and never comes is for a person at the deadline, without a difference', async () => {
    await scene.buyPaid()
    scene.passToDay(1, 11)
    scene.emulator.setKnobs({ billLate: 1_000 })
    await tickBills(scene.deps)
    const { id, vendor_merchant_id: owner } = await scene.run()
    scene.passSeconds(2 * DAY)
    await runBillDownload(scene.deps, { merchantId: scene.merchantId, runId: id })
    expect((await scene.run()).state).toBe('failed')
    expect(await scene.cases(`${owner} ${scene.businessDate}`)).toEqual(['bill_missing'])
    expect(await scene.found()).toEqual([])
  })

  test('RC-02 and has no business, as we have not, is a valid run that is closed', async () => {
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await scene.run()).toMatchObject({
      state: 'done',
      note: '0 of 0 lines agree',
      due_at: null,
    })
    expect(await scene.found()).toEqual([])
  })

  test('money rule 10: and is empty while we have counted money of that day is not believed: a person at the deadline', async () => {
    await scene.buyPaid()
    scene.passToDay(1, 11)
    scene.emulator.setKnobs({ billEmpty: true })
    await tickBills(scene.deps)
    const { id, vendor_merchant_id: owner } = await scene.run()
    const job = { merchantId: scene.merchantId, runId: id }
    await runBillDownload(scene.deps, job)
    expect((await scene.run()).state).toBe('waiting')
    expect(await scene.cases(`${owner} ${scene.businessDate}`)).toEqual([])
    scene.passSeconds(2 * DAY)
    await runBillDownload(scene.deps, job)
    expect((await scene.run()).state).toBe('failed')
    expect(await scene.cases(`${owner} ${scene.businessDate}`)).toEqual(['bill_missing'])
  })
})

describe('a day whose bill differs', () => {
  test('a payment that we never heard of is asked about, not believed, and then paid with all that follows', async () => {
    const unheard = await scene.payUnheard()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    expect(await scene.found()).toEqual([`missing_here ${unheard} repairing`])
    // The line alone has moved nothing.
    expect((await scene.payment(unheard)).state).toBe('pending')
    await scene.repair()
    expect((await scene.payment(unheard)).state).toBe('paid')
    expect((await scene.order(unheard)).state).toBe('paid')
    expect(await scene.found()).toEqual([`missing_here ${unheard} resolved`])
  })

  test('a line that the vendor itself does not confirm moves nothing and waits for a person', async () => {
    const open = await scene.buy()
    scene.emulator.setKnobs({ billExtraLine: { [open]: 1999 } })
    scene.passToDay(1, 11)
    await scene.fetchDay()
    await scene.repair()
    expect(await scene.found()).toEqual([`missing_here ${open} open`])
    expect((await scene.payment(open)).state).not.toBe('paid')
  })

  test('F120, RC-11: another amount, a line twice, an old till, a line that is not there: each is itself', async () => {
    const ids = [await scene.buyPaid(), await scene.buyPaid(), await scene.buyPaid()]
    const [other = '', twice = '', absent = ''] = ids
    scene.emulator.setKnobs({
      billWrongAmount: { [other]: 1 },
      billDuplicateLine: twice,
      billMissingLine: absent,
      billExtraLine: { 'TILL-7': 100 },
    })
    scene.passToDay(1, 11)
    await scene.fetchDay()
    const differences = await scene.found()
    expect(differences.map((text) => text.replace(/ \d+ open$/, ' open'))).toEqual(
      [
        `amount_differs ${other} open`,
        `duplicate ${twice} open`,
        'foreign payments open',
        `missing_there ${absent} held`,
      ].toSorted(),
    )
    const { vendor_merchant_id: owner } = await scene.run()
    expect(await scene.cases(`${owner} ${scene.businessDate}`)).toEqual(['discrepancies'])
  })
})
