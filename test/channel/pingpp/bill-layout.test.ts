import { describe, expect, test } from 'bun:test'
import fixture from '../../fixture/pingpp/bill.json'
import callback from '../../fixture/pingpp/callback.json'
import refundFixture from '../../fixture/pingpp/refund.json'
import {
  billOf,
  businessDate,
  vendorId,
  fetchBill,
  listing,
  numberOf,
  paidAt,
  rawOf,
  readFile,
  refundAt,
  second,
  withRefunds,
} from './bill-support.ts'
import { buildChannel, testKeys } from './support.ts'
import { listOf } from './vendor.ts'

const NOON = '2026-03-14T12:00:00'

/** The vendor's own bytes within a list of its documented form: none of its lists is published. */
const pageAround = (sold: string): string =>
  `{"object":"list","url":"/v1/charges","has_more":false,"data":[${sold}]}`

describe('payments that the vendor published', () => {
  const [a, c] = fixture.samples

  test('are these bytes', () => {
    for (const { name, sold } of fixture.samples) {
      const event = callback.vectors.find((vector) => vector.name === name)
      expect(event?.body).toContain(`"data":{"object":${sold}}`)
    }
  })

  test.each([
    [
      a,
      {
        paymentNumber: '2015d019f7cf6c0d',
        channelPaymentId: 'ch_bq9IHKnn6GnLzsS0swOujr4x',
        walletPaymentId: '1014400031201506150354653857',
        at: '2015-06-15T19:34:34+08:00',
      },
    ],
    [
      c,
      {
        paymentNumber: '1723795491985uqclqj7',
        channelPaymentId: 'ch_100240816592822384640019',
        walletPaymentId: '1290362656202408163243920572',
        at: '2024-08-16T16:07:55+08:00',
      },
    ],
  ] as const)('$name is one row of its day, and of no other', async (sample, expected) => {
    const { app = '', mode = '', businessDate: day = '', sold = '' } = sample ?? {}
    const keys = mode === 'test' ? { keys: testKeys } : {}
    const built = buildChannel({ ...keys, settings: { app, mode } })
    const raw = (date: string, figures: string) =>
      rawOf({
        head: `pingpp-lists 1 ${app} ${mode} ${date}`,
        pages: [['paid', pageAround(sold)]],
        figures,
      })
    const lines = await readFile(raw(day, '1 100 0 0 0 0'), { businessDate: day, built })
    const rest = {
      refundNumber: '',
      channelRefundId: '',
      fee: '',
      rate: '',
      stateText: 'paid=true',
    }
    expect(lines).toEqual([{ line: 1, kind: 'payment', amountMinor: 100n, ...rest, ...expected }])
    const next = `${day.slice(0, -2)}${Number(day.slice(-2)) + 1}`
    const none = await readFile(raw(next, '0 0 0 0 0 0'), { businessDate: next, built })
    expect(none).toEqual([])
  })
})

describe('rows', () => {
  const rows = async (paid: readonly unknown[], refunded: readonly unknown[] = []) => {
    const { outcome, raw } = await fetchBill([listing({ paid: [paid], refunded: [refunded] })])
    return { outcome, lines: outcome.kind === 'fetched' ? await readFile(raw) : [] }
  }

  test('RC-10: payments and refunds are told apart, exact to the fen, and never signed', async () => {
    const sold = withRefunds(paidAt(1, NOON), [refundAt(1, NOON), refundAt(2, NOON)])
    const big = paidAt(2, NOON, { amount: Number.MAX_SAFE_INTEGER })
    const { outcome, lines } = await rows([sold, big], [sold])
    expect(outcome).toMatchObject({ headers: { totals: '2 9007199254741092 2 23 0 0' } })
    expect(lines.map(({ line, kind, amountMinor }) => [line, kind, amountMinor])).toEqual([
      [1, 'payment', 101n],
      [2, 'payment', 9_007_199_254_740_991n],
      [3, 'refund', 11n],
      [4, 'refund', 12n],
    ])
  })

  test('a refund has the numbers of the payment and its own, ours from the metadata', async () => {
    const { lines } = await rows([], [withRefunds(paidAt(1, NOON), [refundAt(1, NOON)])])
    expect(lines).toEqual([
      {
        line: 1,
        kind: 'refund',
        paymentNumber: numberOf(1),
        channelPaymentId: vendorId(1),
        refundNumber: 'r0123456789abcdefghijklmno',
        channelRefundId: `re_${'1'.padStart(24, '0')}`,
        amountMinor: 11n,
        fee: '',
        rate: '',
        stateText: 'succeeded',
        at: `${NOON}+08:00`,
      },
    ])
  })

  test('a refund at the console has no number of ours', async () => {
    const refund = refundAt(1, NOON, { metadata: [] })
    const { lines } = await rows([], [withRefunds(paidAt(1, NOON), [refund])])
    expect(lines).toMatchObject([{ kind: 'refund', refundNumber: '' }])
  })

  test('pingpp checklist 34: a refund counts when it succeeded, on the day when it did', async () => {
    const others = refundFixture.states.filter(({ means }) => means !== 'succeeded')
    expect(others.length).toBeGreaterThan(2)
    const refunds = [
      ...others.map(({ refund }) => refund),
      refundAt(1, '2026-03-13T23:59:59'),
      refundAt(2, '2026-03-14T00:00:00', { created: second('2026-03-10T10:00:00') }),
      refundAt(3, '2026-03-15T00:00:00', { created: second(NOON) }),
      refundAt(4, NOON, { succeed: false }),
    ]
    const { lines } = await rows([], [withRefunds(paidAt(1, NOON), refunds)])
    expect(lines.map(({ amountMinor }) => amountMinor)).toEqual([12n])
  })

  test('what is not paid is no row, whoever lists it', async () => {
    const open = paidAt(1, NOON, { paid: false, time_paid: null, transaction_no: null })
    expect((await rows([open])).outcome.kind).toBe('empty')
  })

  test.each([
    [{ reversed: true }, 'reversed=true'],
    [{ currency: 'usd' }, 'paid=true, USD'],
    [{ time_paid: null, created: second(NOON) }, 'paid=true, no time'],
  ] as const)('%p is for a person: %p', async (changes, stateText) => {
    const { lines } = await rows([paidAt(1, NOON, changes)])
    expect(lines).toMatchObject([
      { kind: 'other', stateText, amountMinor: 101n, paymentNumber: numberOf(1) },
    ])
  })

  test('pingpp checklist 26, 27: older and newer objects are the same row', async () => {
    const plain = (await rows([paidAt(1, NOON)])).lines
    const { reversed: _, ...older } = paidAt(1, NOON, { extra: [], metadata: [], refunds: null })
    expect((await rows([older])).lines).toEqual(plain)
    expect((await rows([{ ...older, new_field: { a: [1] } }])).lines).toEqual(plain)
  })

  test('the estimate after fees is no fee', async () => {
    const { lines } = await rows([paidAt(1, NOON, { amount_settle: 0 })])
    expect(lines).toMatchObject([{ amountMinor: 101n, fee: '', rate: '' }])
  })

  test('an order number of another till comes through as it is', async () => {
    const odd = `a,b"c\`d\n\te=1+1\\${'é'.repeat(3)}`
    const { lines } = await rows([paidAt(1, NOON, { order_no: odd })])
    expect(lines).toMatchObject([{ paymentNumber: odd }])
  })

  test('what is listed twice is there twice', async () => {
    const twice = paidAt(1, NOON)
    const pages = [
      [twice, paidAt(2, NOON)],
      [paidAt(3, NOON), twice],
    ]
    const { raw } = await fetchBill([listing({ paid: pages })])
    const lines = await readFile(raw)
    expect(lines.map(({ channelPaymentId }) => channelPaymentId)).toEqual(
      [1, 2, 3, 1].map(vendorId),
    )
    expect(lines.map(({ line }) => line)).toEqual([1, 2, 3, 4])
  })

  test('RC-07: three pages are all rows', async () => {
    const item = (index: number) => paidAt(index, NOON)
    const pages = [0, 100, 200].map((from) =>
      Array.from({ length: 100 }, (_, at) => item(from + at + 1)),
    )
    const { raw } = await fetchBill([listing({ paid: pages })])
    const lines = await readFile(raw)
    expect(lines).toHaveLength(300)
    const sum = lines.reduce((total, { amountMinor }) => total + amountMinor, 0n)
    expect(sum).toBe(BigInt(100 * 300 + (300 * 301) / 2))
  })
})

test('the day is the same in every zone of the machine', async () => {
  const sold = paidAt(1, '2026-03-14T23:59:59')
  const { raw } = await fetchBill([listing({ paid: [[sold, paidAt(2, '2026-03-15T00:00:00')]] })])
  const zone = process.env['TZ']
  try {
    for (const name of ['UTC', 'America/New_York', 'Asia/Shanghai']) {
      process.env['TZ'] = name
      expect((await readFile(raw)).map(({ at }) => at)).toEqual(['2026-03-14T23:59:59+08:00'])
    }
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  }
})

test('the raw form is read as it is documented', async () => {
  const body = JSON.stringify(listOf([paidAt(1, NOON)]))
  const raw = rawOf({ pages: [['paid', body]], figures: '1 101 0 0 0 0' })
  expect(await readFile(raw)).toHaveLength(1)
  expect(billOf().kinds).toEqual(['transaction'])
  expect(businessDate).toBe('2026-03-14')
})
