import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import { boundsOf, businessDateOf } from '#domain/business-day'
import type { PaymentId, RefundId } from '#domain/id'
import { tickBills } from '#worker/bill-schedule'
import { runBillDownload } from '#worker/job/bill-download'
import { runDiscrepancyResolve } from '#worker/job/discrepancy-resolve'
import { runReconcile } from '#worker/job/reconcile'
import type { ArchiveTrick } from '../emulator/alipay/bill-archive.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { openSteppedScene } from './alipay-scene.ts'
import type { SteppedScene } from './alipay-scene.ts'

// A day's bill at Alipay with the real worker and its queues; only the clock is the test's.

const TIMEOUT_MS = 60_000
const HOUR = 3600
const DAY = 24 * HOUR

let database: TestDatabase
let scene: SteppedScene
let businessDate = ''

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openSteppedScene(database.url)
  // Noon of a new day, so that no test runs over a midnight; the account is of that day.
  businessDate = businessDateOf(new Date(scene.now().getTime() + DAY * 1000), 24)
  passTo(businessDate, 12)
  const { db } = scene.platform
  const account = db.updateTable('channel_account').set({ created_at: scene.now() })
  await account.where('id', '=', scene.counter.accountId).execute()
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

const passToNextDay = (hour: number): void =>
  passTo(businessDateOf(boundsOf(businessDate, 24).to, 24), hour)

const runOf = (task: 'bill' | 'fund' = 'bill') =>
  scene.platform.db
    .selectFrom('schedule_run as run')
    .innerJoin('vendor_merchant as owner', 'owner.id', 'run.vendor_merchant_id')
    .where('owner.channel', '=', 'alipay')
    .where('run.business_date', '=', businessDate)
    .where('run.task', '=', task)
    .select(['run.id', 'run.state', 'run.note', 'run.vendor_merchant_id'])
    .executeTakeFirst()

/** One tick of the schedule; the queues do the rest. */
async function waitForRun(state: string, task: 'bill' | 'fund' = 'bill') {
  await tickBills(scene.deps)
  return waitFor(
    `the ${task} run ${state}`,
    async () => {
      const run = await runOf(task)
      // A run that was only planned waits as well, and nobody has written why.
      return run?.state === state && run.note !== null ? run : undefined
    },
    TIMEOUT_MS,
  )
}

async function refund(id: PaymentId, amount: number): Promise<RefundId> {
  const refundId = await scene.askRefund(id, amount)
  await scene.submit(refundId)
  scene.passSeconds(60)
  await scene.query(refundId)
  expect((await scene.refundRow(refundId)).state).toBe('succeeded')
  return refundId
}

async function found(): Promise<readonly string[]> {
  const rows = await scene.platform.db
    .selectFrom('discrepancy')
    .select(['kind', 'subject', 'state'])
    // Points come from a queue of their own, which may be later than their comparison.
    .where('kind', '!=', 'points_differ')
    .execute()
  return rows.map(({ kind, subject, state }) => `${kind} ${subject} ${state}`).toSorted()
}

const filesOf = () =>
  scene.platform.db
    .selectFrom('bill_file as file')
    .innerJoin('bill_file_part as part', (join) =>
      join
        .onRef('part.merchant_id', '=', 'file.merchant_id')
        .onRef('part.digest', '=', 'file.digest'),
    )
    .select(['file.broken', 'file.bytes', 'part.content'])
    .execute()

async function countLines(): Promise<number> {
  const { count } = await scene.platform.db
    .selectFrom('bill_line')
    .select((of) => of.fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

describe('a day at Alipay', () => {
  test(
    'RC-10: is fetched once it is there and matched line by line, refunds too',
    async () => {
      const [first] = [await scene.buyPaid(), await scene.buyPaid(500)]
      await refund(first, 300)
      await refund(first, 700)
      passToNextDay(9)
      await tickBills(scene.deps)
      expect(await runOf()).toBeUndefined()
      await scene.startWorker()
      scene.passSeconds(HOUR)
      const run = await waitForRun('done')
      expect(run.note).toBe('4 of 4 lines agree')
      await waitForRun('done', 'fund')
      expect(await found()).toEqual([])
      const bills = scene.platform.db.selectFrom('bill').selectAll()
      const owner = run.vendor_merchant_id
      const loaded = await bills
        .where('vendor_merchant_id', '=', owner)
        .orderBy('kind', 'desc')
        .execute()
      expect(loaded).toMatchObject([
        {
          kind: 'transaction',
          payments: 2n,
          payment_amount: 2499n,
          refunds: 2n,
          refund_amount: 1000n,
        },
        { kind: 'fund', payments: 2n, payment_amount: 2499n, refunds: 2n, refund_amount: 1000n },
      ])
      const [file] = await filesOf()
      expect(file?.broken).toBeNull()
      expect(
        Buffer.from(file?.content ?? '')
          .subarray(0, 2)
          .toString(),
      ).toBe('PK')
    },
    TIMEOUT_MS,
  )

  test(
    'F118: a payment that nobody told us of is found by its line, and paid by the query',
    async () => {
      const unheard = await scene.buy()
      scene.vendor.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
      expect(scene.vendor.emulator.pay(unheard).kind).toBe('paid')
      scene.vendor.emulator.resetKnobs()
      // Job by job: with all queues running, a query of its own may be first.
      passToNextDay(11)
      await tickBills(scene.deps)
      const { merchantId } = scene.platform
      const { id: runId } = (await runOf()) ?? {}
      assert(runId !== undefined, 'the tick has planned a run')
      await runBillDownload(scene.deps, { merchantId, runId })
      await runReconcile(scene.deps, { merchantId, runId })
      expect(await found()).toEqual([`missing_here ${unheard} repairing`])
      // The line alone has moved nothing.
      expect((await scene.paymentRow(unheard)).state).toBe('pending')
      const rows = scene.platform.db.selectFrom('discrepancy').select('id')
      const { id: discrepancyId } = await rows.executeTakeFirstOrThrow()
      await runDiscrepancyResolve(scene.deps, { merchantId, discrepancyId })
      expect((await scene.paymentRow(unheard)).state).toBe('paid')
      expect(await found()).toEqual([`missing_here ${unheard} resolved`])
    },
    TIMEOUT_MS,
  )

  test(
    'another amount, a line twice, an old till, a line that is not there: each is itself',
    async () => {
      const ids = [await scene.buyPaid(), await scene.buyPaid(), await scene.buyPaid()]
      const [other = '', twice = '', absent = ''] = ids
      scene.vendor.emulator.setKnobs({
        billWrongAmount: { [other]: 1 },
        billDuplicateLine: twice,
        billMissingLine: absent,
        billExtraLine: { 'TILL-7': 100 },
      })
      passToNextDay(11)
      await scene.startWorker()
      await waitForRun('done')
      const differences = (await found()).map((text) => text.replace(/ \d+ open$/, ' open'))
      expect(differences).toEqual(
        [
          `amount_differs ${other} open`,
          `duplicate ${twice} open`,
          'foreign payments open',
          `missing_there ${absent} held`,
        ].toSorted(),
      )
    },
    TIMEOUT_MS,
  )

  test.each<readonly [string, ArchiveTrick, string]>([
    ['F112: a changed byte', 'wrong_crc', 'CRC-32'],
    ['F116: a name that leads elsewhere', 'parent_path', 'path'],
  ])(
    '%s: the file is refused whole and kept, for a person',
    async (_name, billTrick, reason) => {
      await scene.buyPaid()
      scene.vendor.emulator.setKnobs({ billTrick })
      passToNextDay(11)
      await scene.startWorker()
      const run = await waitForRun('failed')
      expect(run.note).toContain(reason)
      const subject = `${run.vendor_merchant_id} ${businessDate}`
      const cases = await waitFor('the case', async () => {
        const kinds = await scene.casesOf(subject)
        return kinds.length > 0 ? kinds : undefined
      })
      expect(cases).toEqual(['bill_missing'])
      const bills = scene.platform.db.selectFrom('bill').select('id')
      const owner = run.vendor_merchant_id
      expect(await bills.where('vendor_merchant_id', '=', owner).execute()).toEqual([])
      expect(await countLines()).toBe(0)
      const files = await filesOf()
      expect(files).toHaveLength(1)
      expect(files[0]?.broken).toBe(run.note)
      expect(files[0]?.content.length).toBe(Number(files[0]?.bytes))
    },
    TIMEOUT_MS,
  )

  test(
    'RC-01, F110: late, and then behind a link that expired: nothing is a difference',
    async () => {
      await scene.buyPaid()
      scene.vendor.emulator.setKnobs({ billLate: 1, billLinkExpired: 1 })
      passToNextDay(11)
      await scene.startWorker()
      expect((await waitForRun('waiting')).note).toContain('BILL_NOT_EXIST')
      expect(await found()).toEqual([])
      scene.passSeconds(HOUR + 60)
      expect((await waitForRun('done')).note).toBe('1 of 1 lines agree')
    },
    TIMEOUT_MS,
  )

  test(
    'a refund whose movement is missing is found, though the vendor numbers no refunds; the day is done before',
    async () => {
      const first = await scene.buyPaid()
      await refund(first, 300)
      const lost = await refund(first, 700)
      scene.vendor.emulator.setKnobs({ fundLate: 1, fundMissingLine: lost })
      passToNextDay(11)
      await scene.startWorker()
      expect((await waitForRun('waiting', 'fund')).note).toContain('BILL_NOT_EXIST')
      expect((await waitForRun('done')).note).toBe('3 of 3 lines agree')
      expect(await found()).toEqual([])
      scene.passSeconds(HOUR + 60)
      expect((await waitForRun('done', 'fund')).note).toBe(
        '1 differences from the transaction bill',
      )
      expect(await found()).toEqual(['amount_differs fund refund open'])
    },
    TIMEOUT_MS,
  )
})
