import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { LoadedLine } from '#db/bill/bill-copy'
import type { RefundRow } from '#db/refund/refund'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// The fee of a line is what its own rate makes of its base (payment rules, section 8): the order without what the
// shop's own coupons have paid (WeChat Pay dossier, section 6.7).

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk
let day: BillDay
let counter: Counter
let refund: RefundRow

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)

beforeEach(async () => {
  desk = await openDesk(database.url)
  day = await openBillDay(desk)
  counter = await desk.order(10_000)
  await desk.pay(counter.first, { channelPaymentId: '4201' })
  refund = await desk.refund(counter.first, 5000n)
  await desk.markSent(refund)
  await desk.hear(refundFactsOf(counter.first, refund, 'succeeded'))
})

afterEach(() => desk.stop())
afterAll(() => database.drop())

const numbers = () => ({ paymentNumber: counter.first.paymentId, channelPaymentId: '4201' })

const paid = (said: Partial<LoadedLine>): LoadedLine =>
  billLine(0, { ...numbers(), amountMinor: 10_000n, rate: '0.006', fee: '0.60000', ...said })

const back = (said: Partial<LoadedLine>): LoadedLine =>
  billLine(0, {
    ...numbers(),
    kind: 'refund',
    refundNumber: refund.id,
    channelRefundId: `50${refund.id}`,
    amountMinor: 5000n,
    rate: '0.006',
    fee: '-0.30000',
    ...said,
  })

const differ = async (lines: readonly LoadedLine[]): Promise<readonly string[]> => {
  await day.revise(lines)
  return (await day.found()).map((text) => text.split(' ')[0] ?? '')
}

describe('RC-19 a fee', () => {
  test.each([
    ['of the whole amount', {}, {}, []],
    ['of what a coupon of the shop leaves', { feeBaseMinor: 9000n, fee: '0.54000' }, {}, []],
    ['of the whole, though a coupon paid some', { feeBaseMinor: 9000n }, {}, ['fee_differs']],
    ['of less, though no coupon paid', { fee: '0.54000' }, {}, ['fee_differs']],
    ['of nothing, as the coupon paid all', { feeBaseMinor: 0n, fee: '0.00000' }, {}, []],
    ['given back of what is left', {}, { feeBaseMinor: 4500n, fee: '-0.27000' }, []],
    ['given back of the whole, though not paid', {}, { feeBaseMinor: 4500n }, ['fee_differs']],
  ] as const)('%s', async (_name, payment, refunded, expected) => {
    expect(await differ([paid(payment), back(refunded)])).toEqual([...expected])
  })
})

test('what a coupon of the shop has paid wholly moves nothing, and a fund bill without it agrees', async () => {
  const free = [
    paid({ feeBaseMinor: 0n, fee: '0.00000' }),
    back({ feeBaseMinor: 0n, fee: '0.00000' }),
  ]
  await day.loadFund([])
  expect(await differ(free)).toEqual([])
})
