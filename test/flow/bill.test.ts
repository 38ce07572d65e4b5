import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { businessDateOf, boundsOf } from '#domain/business-day'
import type { PaymentId, RefundId } from '#domain/id'
import { tickBills } from '#worker/bill-schedule'
import { runBillDownload } from '#worker/job/bill-download'
import { runDiscrepancyResolve } from '#worker/job/discrepancy-resolve'
import { runReconcile } from '#worker/job/reconcile'
import { runRefundQuery } from '#worker/job/refund-query'
import { runRefundSubmit } from '#worker/job/refund-submit'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

// A day's bill from the vendor to the discrepancies: the schedule, the download, the matching, the repair.

const TIMEOUT_MS = 30_000
const HOUR = 3600
const DAY = 24 * HOUR

let database: TestDatabase
let scene: Scene
let businessDate = ''

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openScene(database.url)
  // Noon of a new day, so that no test runs over a midnight; the account is of that day.
  businessDate = businessDateOf(new Date(scene.now().getTime() + DAY * 1000), 24)
  passTo(businessDate, 12)
  const account = scene.db.updateTable('channel_account').set({ created_at: scene.now() })
  await account.where('id', '=', scene.accountId).execute()
}, TIMEOUT_MS)

afterEach(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

/** Moves all clocks to an hour of a day in Asia/Shanghai. */
function passTo(date: string, hour: number): void {
  const { from } = boundsOf(date, 24)
  scene.passSeconds((from.getTime() - scene.now().getTime()) / 1000 + hour * HOUR)
}

const dayAfter = (): string =>
  businessDateOf(new Date(boundsOf(businessDate, 24).to.getTime() + HOUR * 1000), 24)

const runOf = () =>
  scene.db
    .selectFrom('schedule_run')
    .selectAll()
    .where('merchant_id', '=', scene.merchantId)
    .executeTakeFirstOrThrow()

/** The vendor's bill is there: one tick of the schedule, and the jobs that it makes. */
async function fetchDay(): Promise<void> {
  await tickBills(scene.deps)
  const { id } = await runOf()
  await runBillDownload(scene.deps, { merchantId: scene.merchantId, runId: id })
  await runReconcile(scene.deps, { merchantId: scene.merchantId, runId: id })
}

async function repair(): Promise<void> {
  const rows = await scene.db
    .selectFrom('discrepancy')
    .select('id')
    .where('merchant_id', '=', scene.merchantId)
    .where('state', '=', 'repairing')
    .execute()
  for (const { id } of rows) {
    await runDiscrepancyResolve(scene.deps, { merchantId: scene.merchantId, discrepancyId: id })
  }
}

/** Kind, subject and state of everything that was found. */
async function found(): Promise<readonly string[]> {
  const rows = await scene.db
    .selectFrom('discrepancy')
    .select(['kind', 'subject', 'state'])
    .where('merchant_id', '=', scene.merchantId)
    .execute()
  return rows.map(({ kind, subject, state }) => `${kind} ${subject} ${state}`).toSorted()
}

/** The customer has paid, and nobody told us. */
async function payUnheard(): Promise<PaymentId> {
  const id = await scene.buy()
  scene.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
  await scene.pay(id)
  scene.emulator.resetKnobs()
  return id
}

async function refund(id: PaymentId, amount: number): Promise<RefundId> {
  const refundId = await scene.askRefund(id, amount)
  const job = { merchantId: scene.merchantId, refundId }
  await runRefundSubmit(scene.deps, job)
  scene.passSeconds(60)
  await runRefundQuery(scene.deps, job)
  return refundId
}

describe('a day whose bill agrees', () => {
  test('is fetched once it is there, and matched line by line, refunds too', async () => {
    const paid = [await scene.buyPaid(), await scene.buyPaid({ amount: 500 })]
    await refund(paid[0] ?? (await scene.buyPaid()), 300)
    // Nothing is asked for before the vendor has it.
    passTo(dayAfter(), 10)
    expect((await tickBills(scene.deps)).planned).toBe(0)
    scene.passSeconds(600)
    await fetchDay()
    expect(await runOf()).toMatchObject({ state: 'done', note: '3 of 3 lines agree' })
    expect(await found()).toEqual([])
    const [matched] = await scene.db
      .selectFrom('reconciliation')
      .selectAll()
      .where('merchant_id', '=', scene.merchantId)
      .execute()
    expect(matched).toMatchObject({ lines: 3n, matched: 3n, our_amount: 2199n })
    expect(matched?.their_amount).toBe(2199n)
    expect((await tickBills(scene.deps)).planned).toBe(0)
  })

  test('RC-01 and comes late is asked for again, by the schedule, until it is there; nothing is a difference', async () => {
    await scene.buyPaid()
    passTo(dayAfter(), 11)
    scene.emulator.setKnobs({ billLate: 1 })
    await tickBills(scene.deps)
    const { id } = await runOf()
    const job = { merchantId: scene.merchantId, runId: id }
    await runBillDownload(scene.deps, job)
    expect(await runOf()).toMatchObject({ state: 'waiting', note: 'STATEMENT_CREATING' })
    expect((await tickBills(scene.deps)).woken).toBe(0)
    await runReconcile(scene.deps, job)
    expect(await found()).toEqual([])
    scene.passSeconds(HOUR)
    expect((await tickBills(scene.deps)).woken).toBe(1)
    await runBillDownload(scene.deps, job)
    expect((await runOf()).state).toBe('loaded')
  })

  test('RC-01 and never comes is for a person at the deadline, without a difference', async () => {
    await scene.buyPaid()
    passTo(dayAfter(), 11)
    scene.emulator.setKnobs({ billLate: 1_000 })
    await tickBills(scene.deps)
    const { id, vendor_merchant_id: owner } = await runOf()
    scene.passSeconds(2 * DAY)
    await runBillDownload(scene.deps, { merchantId: scene.merchantId, runId: id })
    expect((await runOf()).state).toBe('failed')
    expect(await scene.cases(`${owner} ${businessDate}`)).toEqual(['bill_missing'])
    expect(await found()).toEqual([])
  })

  test('RC-02 and has no business, as we have not, is a valid run that is closed', async () => {
    passTo(dayAfter(), 11)
    await fetchDay()
    expect(await runOf()).toMatchObject({ state: 'done', note: '0 of 0 lines agree', due_at: null })
    expect(await found()).toEqual([])
  })

  test('and is empty while we have counted money of that day is not believed: a person at the deadline', async () => {
    await scene.buyPaid()
    passTo(dayAfter(), 11)
    scene.emulator.setKnobs({ billEmpty: true })
    await tickBills(scene.deps)
    const { id, vendor_merchant_id: owner } = await runOf()
    const job = { merchantId: scene.merchantId, runId: id }
    await runBillDownload(scene.deps, job)
    expect((await runOf()).state).toBe('waiting')
    expect(await scene.cases(`${owner} ${businessDate}`)).toEqual([])
    scene.passSeconds(2 * DAY)
    await runBillDownload(scene.deps, job)
    expect((await runOf()).state).toBe('failed')
    expect(await scene.cases(`${owner} ${businessDate}`)).toEqual(['bill_missing'])
  })
})

describe('a day whose bill differs', () => {
  test('a payment that we never heard of is asked about, not believed, and then paid with all that follows', async () => {
    const unheard = await payUnheard()
    passTo(dayAfter(), 11)
    await fetchDay()
    expect(await found()).toEqual([`missing_here ${unheard} repairing`])
    // The line alone has moved nothing.
    expect((await scene.payment(unheard)).state).toBe('pending')
    await repair()
    expect((await scene.payment(unheard)).state).toBe('paid')
    expect((await scene.order(unheard)).state).toBe('paid')
    expect(await found()).toEqual([`missing_here ${unheard} resolved`])
  })

  test('a line that the vendor itself does not confirm moves nothing and waits for a person', async () => {
    const open = await scene.buy()
    scene.emulator.setKnobs({ billExtraLine: { [open]: 1999 } })
    passTo(dayAfter(), 11)
    await fetchDay()
    await repair()
    expect(await found()).toEqual([`missing_here ${open} open`])
    expect((await scene.payment(open)).state).not.toBe('paid')
  })

  test('another amount, a line twice, an old till, a line that is not there: each is itself', async () => {
    const ids = [await scene.buyPaid(), await scene.buyPaid(), await scene.buyPaid()]
    const [other = '', twice = '', absent = ''] = ids
    scene.emulator.setKnobs({
      billWrongAmount: { [other]: 1 },
      billDuplicateLine: twice,
      billMissingLine: absent,
      billExtraLine: { 'TILL-7': 100 },
    })
    passTo(dayAfter(), 11)
    await fetchDay()
    const differences = await found()
    expect(differences.map((text) => text.replace(/ \d+ open$/, ' open'))).toEqual(
      [
        `amount_differs ${other} open`,
        `duplicate ${twice} open`,
        'foreign payments open',
        `missing_there ${absent} held`,
      ].toSorted(),
    )
    const { vendor_merchant_id: owner } = await runOf()
    expect(await scene.cases(`${owner} ${businessDate}`)).toEqual(['discrepancies'])
  })
})
