import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { LoadedLine } from '#db/bill/bill-copy'
import { decideDiscrepancy } from '#db/bill/decide-discrepancy'
import type { DiscrepancyOutcome } from '#db/bill/decide-discrepancy'
import type { DiscrepancyDecision } from '#domain/discrepancy'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// A day that is matched again: its versions, and what becomes of what people decided. Each test has its own merchant.

const TIMEOUT_MS = 30_000
const AMOUNT = 2000n

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

async function sold(): Promise<Counter> {
  const counter = await desk.order(Number(AMOUNT))
  await desk.pay(counter.first, { channelPaymentId: `42${counter.first.paymentId}` })
  return counter
}

const lineOf = ({ first }: Counter, said: Partial<LoadedLine> = {}): LoadedLine =>
  billLine(0, {
    paymentNumber: first.paymentId,
    channelPaymentId: `42${first.paymentId}`,
    amountMinor: AMOUNT,
    ...said,
  })

const rows = () =>
  desk.db
    .selectFrom('discrepancy')
    .selectAll()
    .where('merchant_id', '=', desk.merchantId)
    .orderBy('subject')
    .execute()

async function only() {
  const [row, ...others] = await rows()
  if (row === undefined || others.length > 0) throw new Error('expected one discrepancy')
  return row
}

async function decide(
  decision: DiscrepancyDecision,
  version?: bigint,
): Promise<DiscrepancyOutcome> {
  const row = await only()
  return decideDiscrepancy(desk.db, desk.deps, {
    id: row.id,
    decision,
    actor: 'ann',
    reason: 'as agreed by phone',
    version: version ?? row.version,
  })
}

const versions = async () =>
  (
    await desk.db
      .selectFrom('reconciliation')
      .select(['version', 'lines', 'matched'])
      .where('merchant_id', '=', desk.merchantId)
      .orderBy('version')
      .execute()
  ).map((run) => [run.version, run.lines, run.matched].join(' '))

const openCases = async () =>
  (
    await desk.db
      .selectFrom('open_case')
      .select(['kind', 'state'])
      .where('merchant_id', '=', desk.merchantId)
      .orderBy('opened_at')
      .execute()
  ).map(({ kind, state }) => `${kind} ${state}`)

describe('RC-18 a day that is matched again', () => {
  test('is a version of its own, and the earlier ones are there', async () => {
    const counter = await sold()
    await day.revise([lineOf(counter)])
    await day.match()
    await day.revise([lineOf(counter), billLine(0, { paymentNumber: 'TILL-7' })])
    expect(await versions()).toEqual(['1 1 1', '2 1 1', '3 2 1'])
  })

  test.each(['write_off', 'adjust'] as const)(
    'keeps the decision %s of an earlier version, and its case stays closed',
    async (decision) => {
      const counter = await sold()
      const lines = [lineOf(counter, { amountMinor: 1999n })]
      await day.revise(lines)
      expect(await openCases()).toEqual(['discrepancies open'])
      expect((await decide(decision)).kind).toBe('decided')
      expect(await openCases()).toEqual(['discrepancies resolved'])
      await day.revise(lines)
      expect(await only()).toMatchObject({ state: 'resolved', decision, decided_by: 'ann' })
      expect(await openCases()).toEqual(['discrepancies resolved'])
    },
  )

  test('opens it again when the amounts are others than those that were decided about', async () => {
    const counter = await sold()
    await day.revise([lineOf(counter, { amountMinor: 1999n })])
    expect((await decide('write_off')).kind).toBe('decided')
    const { version } = await only()
    await day.revise([lineOf(counter, { amountMinor: 1n })])
    expect(await only()).toMatchObject({ state: 'open', their_amount: 1n, version: version + 1n })
    expect(await openCases()).toEqual(['discrepancies resolved', 'discrepancies open'])
  })

  test('a person who has seen the earlier version decides nothing about the later one', async () => {
    const counter = await sold()
    await day.revise([lineOf(counter, { amountMinor: 1999n })])
    const { version } = await only()
    await day.revise([lineOf(counter, { amountMinor: 1n })])
    const outcome = await decide('adjust', version)
    expect(outcome).toEqual({ kind: 'changed', version: version + 1n })
    const { received_amount: received } = await desk.db
      .selectFrom('payment')
      .select('received_amount')
      .where('id', '=', counter.first.paymentId)
      .executeTakeFirstOrThrow()
    expect(received).toBeNull()
  })

  test('that shows nothing new leaves the version, so that nobody has to read it again', async () => {
    const counter = await sold()
    const lines = [lineOf(counter, { amountMinor: 1999n })]
    await day.revise(lines)
    const { version } = await only()
    await day.revise(lines)
    expect((await only()).version).toBe(version)
  })

  test('a difference that is gone and comes back is open again, under the same id', async () => {
    const counter = await sold()
    const wrong = [lineOf(counter, { amountMinor: 1999n })]
    await day.revise(wrong)
    const { id } = await only()
    await day.revise([lineOf(counter)])
    expect(await only()).toMatchObject({ state: 'resolved', decision: 'gone' })
    await day.revise(wrong)
    expect(await only()).toMatchObject({ id, state: 'open', resolved_at: null })
  })

  test('a difference that a person keeps open or opens again is open, and audited', async () => {
    const counter = await sold()
    await day.revise([lineOf(counter, { amountMinor: 1999n })])
    for (const decision of ['keep_open', 'write_off', 'reopen'] as const) {
      expect((await decide(decision)).kind).toBe('decided')
    }
    expect((await only()).state).toBe('open')
    expect(await openCases()).toEqual(['discrepancies resolved', 'discrepancies open'])
    const audit = await desk.db
      .selectFrom('audit')
      .select(['action', 'actor', 'reason'])
      .where('merchant_id', '=', desk.merchantId)
      .orderBy('place')
      .execute()
    expect(audit.map(({ action }) => action)).toEqual([
      'discrepancy.keep_open',
      'discrepancy.write_off',
      'discrepancy.reopen',
    ])
    expect(new Set(audit.map(({ actor, reason }) => `${actor}: ${reason}`))).toEqual(
      new Set(['ann: as agreed by phone']),
    )
  })
})

describe('F117', () => {
  test('the same bytes are the bill that is there: no second revision, no second line', async () => {
    const counter = await sold()
    const first = await day.load([{ ...lineOf(counter), line: 1 }])
    expect(await day.load([{ ...lineOf(counter), line: 1 }])).toEqual({ ...first, isRepeat: true })
    expect(await counts()).toEqual({ bills: 1, lines: 1, files: 1 })
  })

  test('a bill that is issued again replaces the earlier one as a unit, which stays for whoever asks', async () => {
    const [kept, changed] = [await sold(), await sold()]
    await day.revise([lineOf(kept), lineOf(changed)])
    await day.revise([lineOf(kept), lineOf(changed, { amountMinor: 1n })])
    expect(await counts()).toEqual({ bills: 2, lines: 4, files: 2 })
    expect(await versions()).toEqual(['1 2 2', '2 2 1'])
    expect((await rows()).map(({ kind, subject }) => `${kind} ${subject}`)).toEqual([
      `amount_differs ${changed.first.paymentId}`,
    ])
  })

  async function counts() {
    const count = async (table: 'bill' | 'bill_line' | 'bill_file'): Promise<number> => {
      const found = await desk.db
        .selectFrom(table)
        .select('merchant_id')
        .where('merchant_id', '=', desk.merchantId)
        .execute()
      return found.length
    }
    return {
      bills: await count('bill'),
      lines: await count('bill_line'),
      files: await count('bill_file'),
    }
  }
})

describe('RC-19 the fee', () => {
  // 2.50 at 0.6 % is 0.015: half up it is 0.02, cut it is 0.01, exact it is neither.
  const said = { amountMinor: 250n, rate: '0.006' }

  test.each(['0.02000', '0.01500', '0.01000'])(
    'of 0.6 % of each row, rounded to %s as the vendor may, is no difference, and adds up exactly',
    async (fee) => {
      const lines = await Promise.all(
        [1, 2, 3].map(async () => lineOf(await small(), { ...said, fee })),
      )
      await day.revise(lines)
      expect(await rows()).toEqual([])
      const bill = await desk.db
        .selectFrom('bill')
        .select('fee')
        .where('merchant_id', '=', desk.merchantId)
        .executeTakeFirstOrThrow()
      expect(bill.fee).toBe(
        (BigInt(fee.replace('.', '')) * 3n)
          .toString()
          .padStart(6, '0')
          .replace(/(.{5})$/, '.$1'),
      )
    },
  )

  test.each(['0.03001', '0.00999', '0.04000', '-0.02000'])(
    'of %s is more than a fen away from the row’s own rate',
    async (fee) => {
      await day.revise([lineOf(await small(), { ...said, fee })])
      expect((await only()).kind).toBe('fee_differs')
    },
  )

  test('of a row without a rate is not computed', async () => {
    await day.revise([lineOf(await small(), { amountMinor: 250n, fee: '0.99000', rate: '' })])
    expect(await rows()).toEqual([])
  })

  async function small(): Promise<Counter> {
    const counter = await desk.order(250)
    await desk.pay(counter.first, { channelPaymentId: `42${counter.first.paymentId}` })
    return counter
  }
})
