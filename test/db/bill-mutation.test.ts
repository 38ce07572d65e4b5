import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { LoadedLine } from '#db/bill/bill-copy'
import { assert } from '#domain/assert'
import { newPaymentId, newRefundId } from '#domain/id'
import type { PaymentId, RefundId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { billLine, openBillDay } from './bill-day.ts'
import type { BillDay } from './bill-day.ts'
import { OF_PAYMENT, OF_REFUND, ownNumber } from './bill-mutation.ts'
import type { Mutation } from './bill-mutation.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'

// RC-09: the comparer under mutation. One day of payments and refunds that agrees with its bill; then each single
// change of the bill must be found as exactly that difference, and be gone with the next revision.

const TIMEOUT_MS = 60_000
const AMOUNT = 2000n
const PART = 300n
const PAYMENTS = 4

let database: TestDatabase
let desk: Desk
let day: BillDay
let base: readonly LoadedLine[] = []
const paymentIds: PaymentId[] = []
const refundIds: RefundId[] = []
let [pending, closed] = ['', '']
let unsure: RefundId | undefined

/** Both refunds are of the first payment: RC-15. */
beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  day = await openBillDay(desk)
  const counters: Counter[] = []
  for (let at = 0; at < PAYMENTS; at += 1) counters.push(await sold())
  const first = counters[0]
  assert(first !== undefined, 'payments are made')
  for (let at = 0; at < 2; at += 1) refundIds.push(await givenBack(first))
  const last = await desk.refund(first.first, PART)
  await desk.markSent(last)
  unsure = last.id
  pending = (await desk.order()).first.paymentId
  const shut = await desk.order()
  closed = shut.first.paymentId
  await desk.db
    .updateTable('payment')
    .set({ state: 'closed' })
    .where('id', '=', shut.first.paymentId)
    .execute()
  paymentIds.push(...counters.map((counter) => counter.first.paymentId))
  base = [...(await Promise.all(paymentIds.map(paymentLine))), ...refundIds.map(refundLine)]
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

async function sold(): Promise<Counter> {
  const counter = await desk.order(Number(AMOUNT))
  const channelPaymentId = `42${counter.first.paymentId}`
  expect(await desk.pay(counter.first, { channelPaymentId })).toBe('counted')
  return counter
}

async function givenBack({ first }: Counter): Promise<RefundId> {
  const refund = await desk.refund(first, PART)
  await desk.markSent(refund)
  await desk.hear(refundFactsOf(first, refund, 'succeeded'))
  return refund.id
}

const paymentLine = (id: PaymentId): LoadedLine =>
  billLine(0, {
    paymentNumber: id,
    channelPaymentId: `42${id}`,
    amountMinor: AMOUNT,
    fee: '0.12000',
    rate: '0.006',
  })

const refundLine = (id: RefundId): LoadedLine =>
  billLine(0, {
    kind: 'refund',
    paymentNumber: paymentIds[0] ?? '',
    channelPaymentId: `42${paymentIds[0]}`,
    refundNumber: id,
    channelRefundId: `50${id}`,
    amountMinor: PART,
    fee: '-0.02000',
    rate: '0.006',
    stateText: 'REFUND',
  })

/** Another revision of the day's bill, and what matching it leaves open. */
async function see(lines: readonly LoadedLine[]): Promise<readonly string[]> {
  await day.revise(lines)
  const rows = await desk.db
    .selectFrom('discrepancy')
    .selectAll()
    .where('merchant_id', '=', desk.merchantId)
    .where('state', '!=', 'resolved')
    .execute()
  return rows
    .map((row) =>
      [
        row.kind,
        row.subject_kind,
        row.subject,
        row.our_amount ?? '-',
        row.their_amount ?? '-',
      ].join(' '),
    )
    .toSorted()
}

/** What is found when these lines are changed in this way. */
function mutate(changes: ReadonlyMap<number, Mutation>) {
  const lines: LoadedLine[] = []
  const found: string[] = []
  for (const [at, line] of base.entries()) {
    const mutation = changes.get(at)
    lines.push(...(mutation?.change(line, paymentIds[1] ?? '') ?? [line]))
    const write = (text: string): string =>
      text
        .replace('$', ownNumber(line))
        .replace('@', line.paymentNumber)
        .replace('#', String(lines.length))
    found.push(...(mutation?.found ?? []).map(write))
  }
  return { lines, found: found.toSorted() }
}

describe('RC-09 a bill that agrees', () => {
  test(
    'is found to agree, in any order of its lines',
    async () => {
      expect(await see(base)).toEqual([])
      expect(await see(base.toReversed())).toEqual([])
    },
    TIMEOUT_MS,
  )
})

describe('RC-09 of a bill that agrees but for one thing, exactly this is found, and gone with the next revision', () => {
  const cases = [
    ...OF_PAYMENT.map((mutation) => [`a payment ${mutation.name}`, 1, mutation] as const),
    ...OF_REFUND.map((mutation) => [`a refund ${mutation.name}`, PAYMENTS, mutation] as const),
  ]
  test.each(cases)(
    '%s',
    async (_name, at, mutation) => {
      const { lines, found } = mutate(new Map([[at, mutation]]))
      expect(await see(lines)).toEqual(found)
      expect(await see(base)).toEqual([])
    },
    TIMEOUT_MS,
  )

  const extra = [
    [
      'that we do not have',
      () => billLine(0, { paymentNumber: newPaymentId() }),
      'missing_here payment $ - 100',
    ],
    [
      'that is not paid here',
      () => billLine(0, { paymentNumber: pending }),
      'missing_here payment $ 2000 100',
    ],
    [
      'that is closed here',
      () => billLine(0, { paymentNumber: closed }),
      'state_differs payment $ 2000 100',
    ],
    [
      'of another till',
      () => billLine(0, { paymentNumber: 'TILL-7' }),
      'foreign day payments - 100',
    ],
    [
      'whose columns somebody has swapped (RC-14)',
      () => billLine(0, { paymentNumber: '4200', channelPaymentId: pending }),
      'number_differs payment 4200 - 100',
    ],
    [
      'of a refund that we are unsure of',
      () => ({ ...refundLine(unsure ?? newRefundId()), channelRefundId: '' }),
      'state_differs refund $ 300 300',
    ],
  ] as const
  test.each(extra)(
    'one line more, %s',
    async (_name, make, found) => {
      const line = make()
      expect(await see([...base, line])).toEqual([found.replace('$', ownNumber(line))])
      expect(await see(base)).toEqual([])
    },
    TIMEOUT_MS,
  )
})

test(
  'RC-09 changes of several lines are found together, and none hides another',
  async () => {
    // A refund that is taken for a payment meets another line of its payment: not alone.
    const alone = OF_REFUND.filter(({ name }) => name !== 'is taken for a payment')
    const changed = fc.record({
      payments: fc.array(fc.option(fc.constantFrom(...OF_PAYMENT)), {
        minLength: PAYMENTS,
        maxLength: PAYMENTS,
      }),
      refunds: fc.array(fc.option(fc.constantFrom(...alone)), { minLength: 2, maxLength: 2 }),
    })
    const seed = Number(process.env['PINGZHANG_SEED'] ?? Date.now() % 1_000_000)
    await fc.assert(
      fc.asyncProperty(changed, async ({ payments, refunds }) => {
        const all = [...payments, ...refunds]
        const { lines, found } = mutate(
          new Map(
            [...all.entries()].flatMap(([at, one]) => (one === null ? [] : [[at, one] as const])),
          ),
        )
        expect(await see(lines)).toEqual(found)
      }),
      { numRuns: 8, seed },
    )
  },
  TIMEOUT_MS,
)
