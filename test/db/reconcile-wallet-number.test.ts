import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { LoadedLine } from '#db/bill/bill-copy'
import { addDays } from '#domain/business-day'
import type { PaymentFacts } from '#domain/notification'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { openDesk } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// A payment behind an aggregator has three numbers: ours, the aggregator's and the wallet's. Each test has its own
// merchant.

const TIMEOUT_MS = 30_000
const AMOUNT = 2000n
const OTHERS = {
  paymentNumber: 'a-number-of-theirs',
  channelPaymentId: 'ch_other',
  walletPaymentId: 'another-of-the-wallet',
} as const

let database: TestDatabase
let desk: Desk
let day: BillDay

beforeAll(async () => {
  database = await cloneDatabase()
}, TIMEOUT_MS)

beforeEach(async () => {
  desk = await openDesk(database.url)
  day = await openBillDay(desk, { hasWalletNumbers: true })
})

afterEach(() => desk.stop())
afterAll(() => database.drop())

const numbersOf = ({ first }: Counter) => ({
  paymentNumber: first.paymentId,
  channelPaymentId: `ch_${first.paymentId}`,
  walletPaymentId: `42${first.paymentId}`,
})

async function sold(facts: Partial<PaymentFacts> = {}): Promise<Counter> {
  const counter = await desk.order(Number(AMOUNT))
  const { channelPaymentId, walletPaymentId } = numbersOf(counter)
  await desk.pay(counter.first, { channelPaymentId, walletPaymentId, ...facts })
  return counter
}

const lineOf = (counter: Counter, said: Partial<LoadedLine> = {}): LoadedLine =>
  billLine(0, { ...numbersOf(counter), amountMinor: AMOUNT, ...said })

const rows = () =>
  desk.db
    .selectFrom('discrepancy')
    .selectAll()
    .where('merchant_id', '=', desk.merchantId)
    .orderBy('kind')
    .execute()

type Number = keyof typeof OTHERS

const { paymentNumber, channelPaymentId, walletPaymentId } = OTHERS

describe('RC-22 of our number, the vendor’s and the wallet’s', () => {
  test.each<readonly [string, Partial<Record<Number, string>>, readonly string[]]>([
    ['all three agree', {}, []],
    ['only ours agrees', { channelPaymentId, walletPaymentId }, ['number_differs']],
    ['only the vendor’s agrees', { paymentNumber, walletPaymentId }, ['number_differs']],
    ['only the wallet’s agrees', { paymentNumber, channelPaymentId }, ['number_differs']],
    ['ours does not', { paymentNumber }, ['number_differs']],
    ['the vendor’s does not', { channelPaymentId }, ['number_differs']],
    ['the wallet’s does not', { walletPaymentId }, ['number_differs']],
    ['the vendor’s is not printed', { channelPaymentId: '' }, []],
    [
      'only the wallet’s is printed',
      { paymentNumber: '', channelPaymentId: '' },
      ['number_differs'],
    ],
  ])('%s: the payment is found, and what differs is reported', async (_name, said, found) => {
    const counter = await sold()
    const line = lineOf(counter, said)
    const matched = found.length === 0 ? 1 : 0
    expect(await day.revise([line])).toMatchObject({ lines: 1, matched })
    const discrepancies = await rows()
    expect(discrepancies.map<string>(({ kind }) => kind)).toEqual([...found])
    const { first } = counter
    const known = numbersOf(counter)
    for (const { subject, our_amount: ours, their_amount: theirs, evidence } of discrepancies) {
      expect([subject, ours, theirs]).toEqual([first.paymentId, AMOUNT, AMOUNT])
      expect(evidence).toMatchObject({
        payment: known.paymentNumber,
        number: line.paymentNumber,
        our_vendor_number: known.channelPaymentId,
        vendor_number: line.channelPaymentId,
        our_wallet_number: known.walletPaymentId,
        wallet_number: line.walletPaymentId ?? '',
      })
    }
  })

  test('none agrees: the line is not ours, and the payment is missed', async () => {
    await sold()
    await day.revise([billLine(0, { ...OTHERS, amountMinor: AMOUNT })])
    expect((await rows()).map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      'foreign open',
      'missing_there held',
    ])
  })

  test('a wallet’s number that the bill does not print says nothing', async () => {
    const counter = await sold()
    const { walletPaymentId: _, ...line } = lineOf(counter)
    expect(await day.revise([line])).toMatchObject({ matched: 1 })
    expect(await rows()).toEqual([])
  })

  test('nor does one that we were never told', async () => {
    const counter = await desk.order(Number(AMOUNT))
    const { channelPaymentId: told } = numbersOf(counter)
    await desk.pay(counter.first, { channelPaymentId: told })
    expect(await day.revise([lineOf(counter)])).toMatchObject({ matched: 1 })
    expect(await rows()).toEqual([])
  })

  test.each([
    ['ours', {}],
    ['the vendor’s', { paymentNumber }],
    ['the wallet’s', { paymentNumber, channelPaymentId }],
  ])('an amount is compared when %s has found the payment', async (_name, said) => {
    const { first, ...counter } = await sold()
    await day.revise([lineOf({ first, ...counter }, { ...said, amountMinor: 1n })])
    expect(await rows()).toMatchObject([
      { kind: 'amount_differs', subject: first.paymentId, our_amount: AMOUNT, their_amount: 1n },
    ])
  })

  test('what a day misses is found by the wallet’s number alone in the next day’s bill', async () => {
    const counter = await sold()
    await day.revise([])
    expect(await day.found()).toEqual([`missing_there ${counter.first.paymentId} held`])
    const businessDate = addDays(day.businessDate, 1)
    const next = await openBillDay(desk, { businessDate, hasWalletNumbers: true })
    await next.revise([lineOf(counter, { paymentNumber, channelPaymentId })])
    expect(await rows()).toMatchObject([
      { kind: 'missing_there', state: 'resolved', decision: 'found' },
      { kind: 'number_differs', state: 'open', business_date: businessDate },
    ])
  })
})

describe('a wallet’s number that two payments have', () => {
  test('stops neither, and finds neither', async () => {
    const one = await sold()
    const shared = numbersOf(one)
    const two = await sold({ walletPaymentId: shared.walletPaymentId })
    for (const { orderId, first } of [one, two]) {
      expect(await desk.orderState(orderId)).toBe('paid')
      expect(await desk.payment(first.paymentId)).toMatchObject({ state: 'paid' })
    }
    await day.revise([
      lineOf(one),
      lineOf(two, { walletPaymentId: shared.walletPaymentId }),
      lineOf(one, { paymentNumber, channelPaymentId }),
    ])
    expect(await day.found()).toEqual(['foreign payments open'])
  })

  test('told once more for a paid payment, another one changes nothing', async () => {
    const counter = await sold()
    const { channelPaymentId: told } = numbersOf(counter)
    const again = await desk.pay(counter.first, { channelPaymentId: told, walletPaymentId })
    expect(again).toBe('already_paid')
    const row = await desk.db
      .selectFrom('payment')
      .select('wallet_payment_id')
      .where('id', '=', counter.first.paymentId)
      .executeTakeFirstOrThrow()
    expect(row.wallet_payment_id).toBe(numbersOf(counter).walletPaymentId)
  })
})
