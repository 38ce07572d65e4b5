import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { LoadedLine } from '#db/bill/bill-copy'
import { addDays, boundsOf } from '#domain/business-day'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

// How the vendor's account moved, against the day's transaction bill (payment rules, section 8).

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk
let day: BillDay
let trade: readonly LoadedLine[] = []

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)

beforeEach(async () => {
  desk = await openDesk(database.url)
  day = await openBillDay(desk)
  const { first } = await desk.order(2000)
  await desk.pay(first, { channelPaymentId: '4201' })
  const line = { paymentNumber: first.paymentId, channelPaymentId: '4201', amountMinor: 2000n }
  trade = [billLine(0, { ...line, fee: '0.12000', rate: '0.006' })]
})

afterEach(() => desk.stop())
afterAll(() => database.drop())

/** What the account got: less than the order, because of a coupon of the merchant's own. */
const paid = billLine(0, { channelPaymentId: '4201', amountMinor: 1900n, stateText: '交易 收入' })
const fee = billLine(0, {
  kind: 'fee',
  channelPaymentId: '4201',
  amountMinor: 12n,
  fee: '0.12',
  stateText: '扣除交易手续费 支出',
})

async function found(): Promise<readonly string[]> {
  const rows = await desk.db
    .selectFrom('discrepancy')
    .selectAll()
    .where('merchant_id', '=', desk.merchantId)
    .where('state', '!=', 'resolved')
    .execute()
  return rows.map((row) =>
    [row.kind, row.subject, row.our_amount ?? '-', row.their_amount ?? '-'].join(' '),
  )
}

describe('a fund bill', () => {
  test('agrees when each payment has its movement and the fees are the same, whatever coupons took', async () => {
    await day.loadFund([paid, fee])
    expect(await day.revise(trade)).toMatchObject({ lines: 1, matched: 1 })
    expect(await found()).toEqual([])
  })

  test('that is not there is no difference', async () => {
    await day.revise(trade)
    expect(await found()).toEqual([])
  })

  test.each([
    ['lacks a movement', [fee], 'amount_differs fund payment - 2000'],
    ['has another fee', [paid, { ...fee, fee: '0.20' }], 'fee_differs fund fee 12 20'],
    ['has no fee', [paid], 'fee_differs fund fee 12 0'],
    [
      'has a type that nobody knows',
      [paid, fee, billLine(0, { kind: 'other', amountMinor: 7n, stateText: '罚款 支出' })],
      'unclassified fund 罚款 支出 3 - 7',
    ],
  ] as const)(
    '%s: exactly this is found, and gone with the next one',
    async (_name, lines, expected) => {
      await day.loadFund(lines)
      await day.revise(trade)
      expect(await found()).toEqual([expected])
      await day.loadFund([paid, fee])
      await day.match()
      expect(await found()).toEqual([])
    },
  )

  test('has what the shop moved itself: it is kept, and no difference', async () => {
    const own = billLine(0, { kind: 'own', amountMinor: 1700n, stateText: '提现 支出' })
    await day.loadFund([paid, fee, own])
    await day.revise(trade)
    expect(await found()).toEqual([])
    expect(await day.matchFund()).toBe(0)
    const { rows } = await sql`
      SELECT kind, amount FROM bill_line
      WHERE merchant_id = ${desk.merchantId} AND kind = 'own'`.execute(desk.db)
    expect(rows).toEqual([{ kind: 'own', amount: 1700n }])
  })

  test('may be a fen away for each line of the transaction bill', async () => {
    await day.loadFund([paid, { ...fee, fee: '0.13' }])
    await day.revise(trade)
    expect(await found()).toEqual([])
  })
})

describe('whichever of the two bills comes last', () => {
  test('the fund bill: it is compared with the version that is there, and makes none', async () => {
    await day.revise(trade)
    await day.loadFund([fee])
    expect(await day.matchFund()).toBe(1)
    expect(await found()).toEqual(['amount_differs fund payment - 2000'])
    expect(await versions()).toBe(1)
    expect(await dayCases()).toEqual(['open'])
    await day.loadFund([paid, fee])
    expect(await day.matchFund()).toBe(0)
    expect(await found()).toEqual([])
    expect(await dayCases()).toEqual(['resolved'])
  })

  test('the transaction bill: nothing is said before it is matched', async () => {
    await day.loadFund([fee])
    expect(await day.matchFund()).toBeUndefined()
    expect(await found()).toEqual([])
    await day.revise(trade)
    expect(await found()).toEqual(['amount_differs fund payment - 2000'])
  })

  test('and what a person has decided stays decided', async () => {
    await day.loadFund([fee])
    await day.revise(trade)
    await desk.db
      .updateTable('discrepancy')
      .set({ state: 'resolved', decided_by: 'ann', decision: 'write_off', resolved_at: new Date() })
      .execute()
    expect(await day.matchFund()).toBe(1)
    expect(await found()).toEqual([])
  })
})

describe('a vendor that numbers no refunds', () => {
  const refund = (refundNumber: string) =>
    billLine(0, { kind: 'refund', refundNumber, channelPaymentId: '4201', amountMinor: 500n })
  const back = billLine(0, { kind: 'refund', channelPaymentId: '4201', amountMinor: 500n })

  test.each([
    ['as many movements as refunds', [back, back], []],
    ['one movement less', [back], ['amount_differs fund refund - 500']],
    [
      'the movement of another payment',
      [back, { ...back, channelPaymentId: '4202' }],
      ['amount_differs fund refund - 500'],
    ],
  ] as const)('%s', async (_name, movements, expected) => {
    await day.loadFund([paid, fee, ...movements])
    await day.revise([...trade, refund('a'), refund('b')])
    expect((await found()).filter((text) => text.includes('fund'))).toEqual([...expected])
  })
})

describe('a payment in the last minutes of the day, whose account is moved after midnight', () => {
  const cut = (): Date => boundsOf(day.businessDate, 24).to
  const late = (): readonly LoadedLine[] =>
    trade.map((line) => ({ ...line, at: addMs(cut(), -1000).toISOString() }))
  const after = (line: LoadedLine): LoadedLine => ({ ...line, at: cut().toISOString() })
  const next = (): string => addDays(day.businessDate, 1)

  test('is no difference before the next fund bill is there, nor when that one has it', async () => {
    await day.loadFund([])
    await day.revise(late())
    expect(await found()).toEqual([])
    await day.loadFund([after(paid), after(fee)], next())
    expect(await day.matchFund()).toBe(0)
    expect(await found()).toEqual([])
  })

  test('is a difference when the next fund bill has no movement of it either', async () => {
    await day.loadFund([])
    await day.revise(late())
    await day.loadFund([after(fee)], next())
    expect(await day.matchFund()).toBe(1)
    expect(await found()).toEqual(['amount_differs fund payment - 2000'])
  })

  test('does not add its fee to that of the next day', async () => {
    await day.loadFund([])
    await day.revise(late())
    const tomorrow = await openBillDay(desk, { businessDate: next() })
    await tomorrow.loadFund([after(paid), after(fee)])
    await tomorrow.revise([])
    expect(await found()).toEqual([])
  })
})

const versions = async (): Promise<number> =>
  (
    await desk.db
      .selectFrom('reconciliation')
      .select('id')
      .where('merchant_id', '=', desk.merchantId)
      .execute()
  ).length

async function dayCases(): Promise<readonly string[]> {
  const rows = await desk.db
    .selectFrom('open_case')
    .select('state')
    .where('merchant_id', '=', desk.merchantId)
    .where('kind', '=', 'discrepancies')
    .execute()
  return rows.map(({ state }) => state)
}
