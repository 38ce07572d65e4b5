import { afterAll, beforeAll, expect, test } from 'bun:test'
import { assert } from '#domain/assert'
import type { LoadedLine } from '#db/bill/bill-copy'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

const TIMEOUT_MS = 30_000
const AMOUNT = 2000

let database: TestDatabase
let desk: Desk
let day: BillDay

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  day = await openBillDay(desk)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

async function lineOf(counter: Counter, line: number): Promise<LoadedLine> {
  const row = await desk.db
    .selectFrom('payment')
    .select(['id', 'channel_payment_id'])
    .where('id', '=', counter.first.paymentId)
    .executeTakeFirstOrThrow()
  return billLine(line, {
    paymentNumber: row.id,
    channelPaymentId: row.channel_payment_id ?? `vendor-${line}`,
    amountMinor: BigInt(AMOUNT),
    fee: '0.12000',
    rate: '0.006',
  })
}

test(
  'RC-09 each single difference is found as itself, and a later version that agrees closes all',
  async () => {
    const paid = await Promise.all(Array.from({ length: 5 }, () => desk.order(AMOUNT)))
    for (const counter of paid) expect(await desk.pay(counter.first)).toBe('counted')
    const open = await desk.order(AMOUNT)
    const [agreed, other, twice, fee, absent] = paid
    assert(agreed !== undefined && other !== undefined && twice !== undefined, 'orders are paid')
    assert(fee !== undefined && absent !== undefined, 'orders are paid')
    const lines = [
      await lineOf(agreed, 1),
      { ...(await lineOf(other, 2)), amountMinor: 1999n },
      await lineOf(twice, 3),
      await lineOf(twice, 4),
      { ...(await lineOf(fee, 5)), fee: '0.20000' },
      await lineOf(open, 6),
      { ...(await lineOf(open, 7)), paymentNumber: 'OLD-TILL-1', channelPaymentId: 'elsewhere' },
    ]
    const loaded = await day.load(lines)
    expect(loaded).toMatchObject({ lines: 7, isRepeat: false })
    expect(await day.load(lines)).toEqual({ ...loaded, isRepeat: true })
    expect(await day.match()).toBeDefined()
    expect(await day.found()).toEqual(
      [
        `amount_differs ${other.first.paymentId} open`,
        `duplicate ${twice.first.paymentId} 4 open`,
        `fee_differs ${fee.first.paymentId} open`,
        'foreign payments open',
        `missing_here ${open.first.paymentId} repairing`,
        `missing_there ${absent.first.paymentId} held`,
      ].toSorted(),
    )
    const all = await Promise.all(paid.map((counter, place) => lineOf(counter, place + 1)))
    // Another file: the vendor has issued the day's bill again.
    const again = await day.load(all, `${import.meta.dir}/desk.ts`)
    expect(again.isRepeat).toBe(false)
    expect(await day.match()).toMatchObject({ lines: 5, matched: 5 })
    expect(await day.found()).toEqual([])
    const runs = await desk.db
      .selectFrom('reconciliation')
      .select(['version', 'matched', 'our_amount', 'their_amount'])
      .orderBy('version')
      .execute()
    expect(runs.map(({ version, matched }) => [version, matched])).toEqual([
      [1n, 2n],
      [2n, 5n],
    ])
    expect(runs.at(-1)).toMatchObject({ our_amount: 10_000n, their_amount: 10_000n })
  },
  TIMEOUT_MS,
)
