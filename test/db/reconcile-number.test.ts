import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { LoadedLine } from '#db/bill/bill-copy'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Desk } from './desk.ts'

// Numbers that bills and we do not share, or not alone (payment rules, section 8). Each test has a merchant of its own.

const TIMEOUT_MS = 30_000
const DAYS_MS = 86_400_000
const OTHER_FILE = `${import.meta.dir}/desk.ts`

let database: TestDatabase
let desk: Desk
let day: BillDay

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)

beforeEach(async () => {
  desk = await openDesk(database.url)
  day = await openBillDay(desk)
})

afterEach(() => desk.stop())
afterAll(() => database.drop())

const refundLine = (line: number, said: Partial<LoadedLine>): LoadedLine =>
  billLine(line, { kind: 'refund', ...said })

describe('a number that is not ours', () => {
  test('is in one sum a day for payments and one for refunds', async () => {
    await day.load([
      billLine(1, { paymentNumber: 'OLD-1', channelPaymentId: 'v1' }),
      billLine(2, { paymentNumber: 'OLD-2', channelPaymentId: 'v2' }),
      refundLine(3, { paymentNumber: 'OLD-1', refundNumber: '1' }),
      // An old till counts its refunds within the trade.
      refundLine(4, { paymentNumber: 'OLD-2', refundNumber: '1', amountMinor: 50n }),
    ])
    expect(await day.match()).toMatchObject({ lines: 4, matched: 0 })
    expect(await day.found()).toEqual(['foreign payments open', 'foreign refunds open'])
    const rows = await desk.db
      .selectFrom('discrepancy')
      .select(['subject', 'their_amount', 'evidence'])
      .where('merchant_id', '=', desk.merchantId)
      .orderBy('subject')
      .execute()
    expect(rows).toEqual([
      { subject: 'payments', their_amount: 200n, evidence: { lines: 2, first_line: 1 } },
      { subject: 'refunds', their_amount: 150n, evidence: { lines: 2, first_line: 3 } },
    ])
  })

  test('of a refund of our payment is a difference of its own, beside one of another trade', async () => {
    const [one, two] = [await desk.order(), await desk.order()]
    const lines: LoadedLine[] = []
    for (const { first } of [one, two]) {
      await desk.pay(first)
      const named = { paymentNumber: first.paymentId, refundNumber: 'HZ01' }
      lines.push(refundLine(lines.length + 1, named))
    }
    await day.load(lines)
    await day.match()
    const missing = [one, two].map(({ first }) => `missing_here ${first.paymentId}:HZ01 repairing`)
    const held = [one, two].map(({ first }) => `missing_there ${first.paymentId} held`)
    expect(await day.found()).toEqual([...missing, ...held].toSorted())
    // A query has told about them meanwhile, under the request's number alone.
    for (const { first } of [one, two]) {
      const { channelRefundId: _, ...facts } = refundFactsOf(
        first,
        { id: 'HZ01', amount: 100n },
        'succeeded',
      )
      expect(await desk.hear(facts)).toBe('foreign')
    }
    expect(await day.match()).toMatchObject({ lines: 2, matched: 2 })
    expect(await day.found()).toEqual(held.toSorted())
  })
})

test('one payment under two numbers of the vendor is two differences, and fails no day', async () => {
  const { first } = await desk.order()
  const own = { paymentNumber: first.paymentId, amountMinor: 2000n }
  await day.load(['a', 'b'].map((id, at) => billLine(at + 1, { ...own, channelPaymentId: id })))
  await day.match()
  const expected = [first.paymentId, `${first.paymentId} 2`]
  const found = expected.map((subject) => `missing_here ${subject} repairing`)
  expect(await day.found()).toEqual(found.toSorted())
  // Another version finds the same two, and no third.
  await day.match()
  expect(await day.found()).toHaveLength(2)
})

test('what the next version of a bill has withdrawn settles nothing that is held', async () => {
  const { first } = await desk.order()
  await desk.pay(first)
  await day.load([])
  await day.match()
  const held = [`missing_there ${first.paymentId} held`]
  expect(await day.found()).toEqual(held)
  await day.load([billLine(1, { paymentNumber: first.paymentId, amountMinor: 2000n })], OTHER_FILE)
  await day.load([], `${import.meta.dir}/told.ts`)
  await day.match(new Date(Date.now() + DAYS_MS))
  expect(await day.found()).toEqual(held)
})
