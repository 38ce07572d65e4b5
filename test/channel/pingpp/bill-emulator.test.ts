import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { BillFetch, BillLine } from '#channel/bill'
import { APP, startTestMerchant } from '../../emulator/pingpp/merchant.ts'
import type { TestMerchant } from '../../emulator/pingpp/merchant.ts'
import { keyOf } from '../support.ts'
import type { Built } from '../support.ts'
import { billOf, businessDate, numberOf, readFile } from './bill-support.ts'
import { buildChannel } from './support.ts'

// The channel against the emulator, which was written from the dossier without knowing it.

const at = (text: string): Date => new Date(`${text}+08:00`)

let now = at('2026-03-14T12:00:00')
let merchant: TestMerchant
let built: Built

beforeEach(async () => {
  now = at('2026-03-14T12:00:00')
  merchant = await startTestMerchant({ clock: () => now })
  built = channelOf('live')
})

afterEach(() => merchant.stop())

function channelOf(mode: 'live' | 'test', app = APP): Built {
  const { emulator, keys } = merchant
  const secret = mode === 'live' ? keys.merchant.liveKey : keys.merchant.testKey
  return buildChannel({
    at: now,
    settings: { app, mode, base_url: emulator.url },
    keys: [
      keyOf('api_secret', 'secret', secret),
      keyOf('merchant_private', 'own', keys.merchant.privateKeyPem),
      keyOf('vendor_public', 'vendor', keys.vendor.publicKeyPem),
    ],
    deps: {
      fetch: (url, init) => fetch(url, init),
      localHosts: [new URL(emulator.url).host],
      pause: () => Promise.resolve(),
    },
  })
}

function passTo(text: string): void {
  now = at(text)
  built.clock.set(now)
}

async function sell(index: number, fen = 100 + index): Promise<string> {
  const answer = await merchant.create(numberOf(index), { amount: fen })
  expect(answer.status).toBe(200)
  expect(merchant.emulator.pay(numberOf(index)).kind).toBe('paid')
  return String(Object(answer.json).id)
}

async function giveBack(sold: string, amount: number): Promise<void> {
  const body = { amount, description: '退款' }
  const answer = await merchant.call('POST', `/v1/charges/${sold}/refunds`, { body })
  expect(answer.status).toBe(200)
  await merchant.emulator.idle()
}

interface Fetched {
  readonly outcome: BillFetch
  readonly lines: readonly BillLine[]
}

async function fetchDay(date = businessDate): Promise<Fetched> {
  const chunks: Uint8Array[] = []
  const write = (chunk: Uint8Array) => {
    chunks.push(Uint8Array.from(chunk))
    return Promise.resolve(true)
  }
  const request = { businessDate: date, kind: 'transaction' } as const
  const outcome = await billOf(built).fetch(request, { write }, built.record)
  const raw = Buffer.concat(chunks)
  const lines = outcome.kind === 'fetched' ? await readFile(raw, { built, businessDate: date }) : []
  return { outcome, lines }
}

const shown = (lines: readonly BillLine[]): readonly string[] =>
  lines.map(({ kind, paymentNumber, amountMinor }) => {
    return `${kind} ${Number(paymentNumber.replace(/\D/g, ''))} ${amountMinor}`
  })

async function sellDay(): Promise<readonly string[]> {
  const payments = [await sell(1), await sell(2), await sell(3), await sell(4), await sell(5)]
  await giveBack(payments[0] ?? '', 7)
  passTo('2026-03-15T04:10:00')
  return payments
}

const WHOLE = [
  'payment 5 105',
  'payment 4 104',
  'payment 3 103',
  'payment 2 102',
  'payment 1 101',
  'refund 1 7',
]

test.each([1, 2, 3, 100])('a day in pages of %p is the same rows', async (listPageMax) => {
  await sellDay()
  merchant.emulator.setKnobs({ listPageMax })
  expect(shown((await fetchDay()).lines)).toEqual(WHOLE)
})

test('a payment lives for fifteen days and is paid in the last minute of the last one', async () => {
  now = at('2026-02-27T12:01:00')
  const limit = Math.floor(now.getTime() / 1000) + 15 * 86_400
  await merchant.create(numberOf(9), { time_expire: limit })
  now = at('2026-03-14T12:00:30')
  expect(merchant.emulator.pay(numberOf(9)).kind).toBe('paid')
  passTo('2026-03-15T04:10:00')
  expect(shown((await fetchDay()).lines)).toEqual(['payment 9 12800'])
})

test('a refund of a payment of last year is of its own day', async () => {
  now = at('2025-03-20T12:00:00')
  const sold = await sell(1)
  now = at('2026-03-14T23:59:59')
  await giveBack(sold, 5)
  passTo('2026-03-15T04:10:00')
  expect(shown((await fetchDay()).lines)).toEqual(['refund 1 5'])
})

test('more refunds than a payment shows are all there', async () => {
  const sold = await sell(1, 10_000)
  for (let amount = 1; amount <= 12; amount += 1) await giveBack(sold, amount)
  passTo('2026-03-15T04:10:00')
  const { lines } = await fetchDay()
  const refunds = lines.filter(({ kind }) => kind === 'refund')
  expect(refunds.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)).toBe(78n)
  expect(new Set(refunds.map(({ channelRefundId }) => channelRefundId)).size).toBe(12)
})

test('refunds that failed or are still on their way are no rows', async () => {
  const sold = await sell(1)
  for (const refundEnding of ['failed', 'refused', 'held'] as const) {
    merchant.emulator.setKnobs({ refundEnding })
    await giveBack(sold, 5)
  }
  passTo('2026-03-15T04:10:00')
  expect(shown((await fetchDay()).lines)).toEqual(['payment 1 101'])
})

test('old payloads, which show no refunds, are the same rows', async () => {
  await sellDay()
  merchant.emulator.setKnobs({ oldPayloads: true, emptyArrays: true })
  expect(shown((await fetchDay()).lines)).toEqual(WHOLE)
})

test('pingpp checklist 40: test money is a bill of the test account alone', async () => {
  const apiKey = merchant.keys.merchant.testKey
  const body = { ...TEST_BODY, order_no: numberOf(8) }
  expect((await merchant.call('POST', '/v1/charges', { apiKey, body })).status).toBe(200)
  merchant.emulator.pay(numberOf(8))
  await sell(1)
  passTo('2026-03-15T04:10:00')
  expect(shown((await fetchDay()).lines)).toEqual(['payment 1 101'])
  built = channelOf('test')
  expect(shown((await fetchDay()).lines)).toEqual(['payment 8 50'])
})

const TEST_BODY = {
  app: { id: APP },
  channel: 'alipay_qr',
  amount: 50,
  client_ip: '127.0.0.1',
  currency: 'cny',
  subject: 'a',
  body: 'b',
  extra: {},
}

test('another app with the same key is another bill', async () => {
  await sellDay()
  built = channelOf('live', 'app_other')
  expect((await fetchDay()).outcome).toMatchObject({ kind: 'refused' })
})

describe('what is planted is there', () => {
  beforeEach(async () => {
    await sellDay()
    merchant.emulator.setKnobs({ listPageMax: 2 })
  })

  test('a wrong amount, a missing, a second and an extra line', async () => {
    const [refund] = merchant.emulator.refunds(numberOf(1))
    merchant.emulator.setKnobs({
      billMissingLine: numberOf(2),
      billDuplicateLine: numberOf(4),
      billWrongAmount: { [numberOf(3)]: 1, [refund?.id ?? '']: 2 },
      billExtraLine: { TILL7: 42 },
    })
    expect(shown((await fetchDay()).lines)).toEqual([
      'payment 5 105',
      'payment 4 104',
      'payment 3 104',
      'payment 1 101',
      'payment 4 104',
      'payment 7 42',
      'refund 1 9',
    ])
  })

  test('a refund that is listed twice is there twice', async () => {
    const [refund] = merchant.emulator.refunds(numberOf(1))
    merchant.emulator.setKnobs({ billDuplicateLine: refund?.id ?? '' })
    const { lines } = await fetchDay()
    expect(lines.filter(({ kind }) => kind === 'refund')).toHaveLength(2)
  })

  test('a payment that appears between the readings makes the day wait', async () => {
    merchant.emulator.setKnobs({ billLate: 1 })
    expect((await fetchDay()).outcome).toEqual({ kind: 'not_ready', code: 'LISTS_CHANGED' })
    expect(shown((await fetchDay()).lines)).toEqual(WHOLE)
  })

  test('F109: nothing at all is empty', async () => {
    merchant.emulator.setKnobs({ billEmpty: true })
    expect((await fetchDay()).outcome.kind).toBe('empty')
  })

  test.each([
    ['an answer of half its length', { billTruncated: 1 }],
    ['an answer with another bit', { billCorrupt: 1 }],
    ['an answer of 64 MiB', { billBomb: 1 }],
    ['500 in the middle, four times', { billBreaks: 4 }],
    ['a list that begins again', { billCursorLoop: true }],
    ['an answer that breaks off, four times', { cutAnswers: 4 }],
    ['a page without a signature', { unsignedAnswers: 1 }],
    ['a page of a stranger', { badlySignedAnswers: 1 }],
    ['a plan that is used up, four times', { status403: 4 }],
  ] as const)('%s is no bill, and asked for again it is whole', async (_name, knobs) => {
    merchant.emulator.setKnobs(knobs)
    expect((await fetchDay()).outcome.kind).toBe('unknown')
    merchant.emulator.resetKnobs()
    expect(shown((await fetchDay()).lines)).toEqual(WHOLE)
  })

  test.each([
    ['500 in the middle', { billBreaks: 2 }],
    ['an answer that breaks off', { cutAnswers: 2 }],
    ['a plan that is used up', { status403: 2 }],
  ] as const)('%s, and again: the page is asked for once more', async (_name, knobs) => {
    merchant.emulator.setKnobs(knobs)
    expect(shown((await fetchDay()).lines)).toEqual(WHOLE)
  })

  test('a key that is taken back is definite', async () => {
    merchant.emulator.setKnobs({ status401: 1 })
    expect((await fetchDay()).outcome.kind).toBe('refused')
  })
})

test('a day of twelve full pages is whole', async () => {
  const numbers = Array.from({ length: 1200 }, (_, index) => index + 1)
  for (const index of numbers) await sell(index)
  passTo('2026-03-15T04:10:00')
  const { lines } = await fetchDay()
  expect(lines).toHaveLength(numbers.length)
  const expected = numbers.reduce((sum, index) => sum + 100 + index, 0)
  expect(lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)).toBe(BigInt(expected))
}, 60_000)
