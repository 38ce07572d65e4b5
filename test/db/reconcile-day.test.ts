import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { LoadedLine } from '#db/bill/bill-copy'
import { openDatabase, workerDatabase } from '#db/database'
import { reconcileDay } from '#db/bill/reconcile'
import { addDays, boundsOf } from '#domain/business-day'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// When a day ends, and what waits for the next one (payment rules, section 8). Each test has a merchant of its own.

const TIMEOUT_MS = 30_000
const DATE = '2026-03-01'
const AMOUNT = 2000n

let database: TestDatabase
let desk: Desk

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)

beforeEach(async () => {
  desk = await openDesk(database.url)
})

afterEach(() => desk.stop())
afterAll(() => database.drop())

const dayOf = (businessDate: string, dayEndHour = 24): Promise<BillDay> =>
  openBillDay(desk, { businessDate, dayEndHour })

/** A payment that was paid at a time of Asia/Shanghai, `yyyy-MM-ddTHH:mm:ss`. */
async function paidAt(time: string, clearingDate?: string): Promise<Counter> {
  const counter = await desk.order(Number(AMOUNT))
  const facts = {
    paidAt: new Date(`${time}+08:00`),
    channelPaymentId: `42${counter.first.paymentId}`,
  }
  await desk.pay(counter.first, clearingDate === undefined ? facts : { ...facts, clearingDate })
  return counter
}

const lineOf = ({ first }: Counter): LoadedLine =>
  billLine(0, {
    paymentNumber: first.paymentId,
    channelPaymentId: `42${first.paymentId}`,
    amountMinor: AMOUNT,
  })

/** Every discrepancy that there ever was, with its state. */
async function ever(): Promise<readonly string[]> {
  const rows = await desk.db
    .selectFrom('discrepancy')
    .select(['kind', 'subject', 'state', 'decision'])
    .where('merchant_id', '=', desk.merchantId)
    .execute()
  return rows
    .map((row) => [row.kind, row.subject, row.state, row.decision ?? '-'].join(' '))
    .toSorted()
}

describe('RC-12 the day cut', () => {
  test.each(['UTC', 'America/New_York', 'Asia/Shanghai'])(
    'is midnight of Asia/Shanghai when server and database are in %s: nothing is missing on either side of it',
    async (zone) => {
      const before = process.env['TZ']
      process.env['TZ'] = zone
      // For connections that are made from now on.
      const name = sql.id(
        (await sql<{ name: string }>`SELECT current_database() AS name`.execute(desk.db)).rows[0]
          ?.name ?? '',
      )
      await sql`ALTER DATABASE ${name} SET timezone = ${sql.lit(zone)}`.execute(desk.db)
      const own = openDatabase(database.url, workerDatabase, () => undefined)
      try {
        const shown = await sql<{
          zone: string
        }>`SELECT current_setting('timezone') AS zone`.execute(own)
        expect(shown.rows).toEqual([{ zone }])
        const late = await paidAt(`${DATE}T23:59:59.900`)
        const early = await paidAt(`${addDays(DATE, 1)}T00:00:00.000`)
        const { vendor_merchant_id: vendorMerchantId } = await own
          .selectFrom('channel_account')
          .select('vendor_merchant_id')
          .where('id', '=', desk.accountId)
          .executeTakeFirstOrThrow()
        const match = (businessDate: string) =>
          reconcileDay(own, {
            merchantId: desk.merchantId,
            vendorMerchantId,
            businessDate,
            channel: 'wechat_pay',
            dayEndHour: 24,
            refundsBy: 'sent',
            now: new Date(),
          })
        // Each alone in its bill; the other day's bill is not there yet.
        await (await dayOf(DATE)).load([lineOf(late)])
        expect(await match(DATE)).toMatchObject({ lines: 1, matched: 1 })
        expect(await ever()).toEqual([])
        await (await dayOf(addDays(DATE, 1))).load([lineOf(early)], `${import.meta.dir}/desk.ts`)
        expect(await match(addDays(DATE, 1))).toMatchObject({ lines: 1, matched: 1 })
        expect(await ever()).toEqual([])
      } finally {
        await own.destroy()
        await sql`ALTER DATABASE ${name} RESET timezone`.execute(desk.db)
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
    },
    TIMEOUT_MS,
  )
})

describe('what a bill lacks', () => {
  test('RC-13, F119: is held while the next bills may bring it, and is found once: one difference, then closed', async () => {
    const counter = await paidAt(`${DATE}T23:59:59`)
    const held = `missing_there ${counter.first.paymentId} held`
    await (await dayOf(DATE)).revise([])
    expect(await (await dayOf(DATE)).found()).toEqual([held])
    // A repeat does not flag it a second time.
    await (await dayOf(DATE)).match()
    expect(await ever()).toEqual([`${held} -`])
    const next = await dayOf(addDays(DATE, 1))
    expect(await next.revise([lineOf(counter)])).toMatchObject({ lines: 1, matched: 1 })
    expect(await ever()).toEqual([`missing_there ${counter.first.paymentId} resolved found`])
  })

  test('F119: is asked about when the bills of three more days are in, empty ones too, and not before', async () => {
    const counter = await paidAt(`${DATE}T12:00:00`)
    await (await dayOf(DATE)).revise([])
    for (const days of [1, 2]) await (await dayOf(addDays(DATE, days))).revise([])
    expect(await ever()).toEqual([`missing_there ${counter.first.paymentId} held -`])
    await (await dayOf(addDays(DATE, 3))).revise([])
    expect(await ever()).toEqual([`missing_there ${counter.first.paymentId} repairing -`])
  })

  test('RC-13: and a bill of the hold that brings it after all closes it, even when a person has it', async () => {
    const counter = await paidAt(`${DATE}T12:00:00`)
    for (const days of [0, 1, 2, 3]) await (await dayOf(addDays(DATE, days))).revise([])
    await desk.db
      .updateTable('discrepancy')
      .set({ state: 'open', due_at: null })
      .where('merchant_id', '=', desk.merchantId)
      .execute()
    await (await dayOf(addDays(DATE, 3))).revise([lineOf(counter)])
    expect(await ever()).toEqual([`missing_there ${counter.first.paymentId} resolved found`])
  })

  test('F120: a refund that stands in the bill of another day is no difference', async () => {
    const counter = await paidAt(`${DATE}T10:00:00`)
    const refund = await desk.refund(counter.first, 300n)
    await desk.markSent(refund, new Date(`${DATE}T23:59:59+08:00`))
    await desk.hear(refundFactsOf(counter.first, refund, 'succeeded'))
    await (await dayOf(DATE)).revise([lineOf(counter)])
    expect(await ever()).toEqual([`missing_there ${refund.id} held -`])
    const line = billLine(0, {
      kind: 'refund',
      paymentNumber: counter.first.paymentId,
      refundNumber: refund.id,
      channelRefundId: `50${refund.id}`,
      amountMinor: 300n,
      stateText: 'PROCESSING',
    })
    await (await dayOf(addDays(DATE, 1))).revise([line])
    expect(await ever()).toEqual([`missing_there ${refund.id} resolved found`])
  })
})

describe('money rule 10: a vendor that clears from 23:00 to 23:00', () => {
  test('22:59 and 23:01 are of two days, by the clearing date that the vendor told, and without one by the hour', async () => {
    const days = { last: '2026-12-31', first: '2027-01-01' }
    const told = [
      await paidAt(`${days.last}T22:59:00`, '1231'),
      await paidAt(`${days.last}T23:01:00`, '0101'),
    ]
    const untold = [await paidAt(`${days.last}T22:59:30`), await paidAt(`${days.last}T23:01:30`)]
    // Neither bill is there: what each of the days misses is what belongs to it.
    await (await dayOf(days.last, 23)).revise([])
    const [lateTold, nextTold] = told
    const [lateUntold, nextUntold] = untold
    const missing = (...counters: readonly (Counter | undefined)[]): readonly string[] =>
      counters.map((counter) => `missing_there ${counter?.first.paymentId} held -`).toSorted()
    expect(await ever()).toEqual(missing(lateTold, lateUntold))
    await (await dayOf(days.first, 23)).revise([])
    expect(await ever()).toEqual(missing(lateTold, lateUntold, nextTold, nextUntold))
    const { from } = boundsOf(days.first, 23)
    expect(from).toEqual(addMs(new Date(`${days.first}T00:00:00+08:00`), -3_600_000))
  })

  test('a payment that one day misses and that clears on the next is found there, although it plainly agrees', async () => {
    const next = addDays(DATE, 1)
    const counter = await paidAt(`${DATE}T22:30:00`)
    await (await dayOf(DATE, 23)).revise([])
    expect(await ever()).toEqual([`missing_there ${counter.first.paymentId} held -`])
    await sql`UPDATE payment SET clearing_date = '0302' WHERE id = ${counter.first.paymentId}`.execute(
      desk.db,
    )
    expect(await (await dayOf(next, 23)).revise([lineOf(counter)])).toMatchObject({ matched: 1 })
    expect(await ever()).toEqual([`missing_there ${counter.first.paymentId} resolved found`])
  })

  test('the clearing date of another year is another day', async () => {
    await paidAt('2026-12-31T12:00:00', '1231')
    await (await dayOf('2027-12-31', 23)).revise([])
    expect(await ever()).toEqual([])
  })

  test('two app ids under one number: all rows are ours (RC-16), and a bill of the number is enough', async () => {
    const own = await paidAt(`${DATE}T12:00:00`)
    const other = await paidAt(`${DATE}T12:00:01`)
    await sql`
      INSERT INTO channel_account (merchant_id, id, vendor_merchant_id, name, channel, strategy, settings, identity)
      SELECT merchant_id, 'a' || substr(md5(id), 1, 25), vendor_merchant_id, 'second app', channel, strategy,
             settings, identity FROM channel_account WHERE id = ${desk.accountId}`.execute(desk.db)
    await sql`UPDATE payment SET channel_account_id = 'a' || substr(md5(${desk.accountId}), 1, 25)
              WHERE id = ${other.first.paymentId}`.execute(desk.db)
    expect(await (await dayOf(DATE)).revise([lineOf(own), lineOf(other)])).toMatchObject({
      lines: 2,
      matched: 2,
    })
    expect(await ever()).toEqual([])
  })
})

describe('the day of a refund that was sent on one day and carried out five days later', () => {
  const SUCCESS_DATE = addDays(DATE, 5)
  const at = (date: string): Date => new Date(`${date}T12:00:00+08:00`)

  async function refunded(): Promise<string> {
    const { first } = await paidAt(`${addDays(DATE, -1)}T12:00:00`)
    const refund = await desk.refund(first, 500n)
    await desk.markSent(refund, at(DATE))
    await desk.hear({
      ...refundFactsOf(first, refund, 'succeeded'),
      refundedAt: at(SUCCESS_DATE),
    })
    return refund.id
  }

  test.each([
    ['sent', 'where the vendor dates it by its acceptance', DATE, SUCCESS_DATE],
    ['succeeded', 'where the vendor dates it by its success', SUCCESS_DATE, DATE],
  ] as const)('%s: %s', async (refundsBy, _when, own, other) => {
    const id = await refunded()
    const rerun = (businessDate: string) =>
      openBillDay(desk, { businessDate, refundsBy }).then((day) => day.revise([]))
    // An old day is matched again, after the refund's end: its bill lacks nothing.
    await rerun(other)
    expect(await ever()).toEqual([])
    await rerun(own)
    expect(await ever()).toEqual([`missing_there ${id} held -`])
  })
})
