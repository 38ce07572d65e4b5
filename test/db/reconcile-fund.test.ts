import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { LoadedLine } from '#db/bill-copy'
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
      [paid, fee, billLine(0, { kind: 'other', amountMinor: 7n, stateText: '提现 支出' })],
      'unclassified fund 提现 支出 3 - 7',
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

  test('may be a fen away for each line of the transaction bill', async () => {
    await day.loadFund([paid, { ...fee, fee: '0.13' }])
    await day.revise(trade)
    expect(await found()).toEqual([])
  })
})
