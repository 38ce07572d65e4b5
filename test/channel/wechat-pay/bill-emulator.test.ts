import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BillFetch, BillKind, BillLine } from '#channel/bill'
import { assert } from '#domain/assert'
import { generateBill } from '../../bench/wechat-bill.ts'
import type { WechatPayEmulator } from '../../emulator/wechat-pay/emulator.ts'
import { startWechatPayEmulator } from '../../emulator/wechat-pay/emulator.ts'
import { keyOf, publicOf } from '../support.ts'
import type { Built } from '../support.ts'
import { brokenBy } from '../bill-file.ts'
import { partOf, readFile } from './bill-support.ts'
import {
  apiv3Key,
  appid,
  buildChannel,
  mchid,
  merchantPem,
  merchantSerial,
  reference,
  requestOf,
} from './support.ts'
import { parsePaymentId, parseRefundId } from '#domain/id'
import type { PaymentId } from '#domain/id'
import { cny } from '#domain/money'

const date = '2026-03-14'
const seconds = (text: string): number => Date.parse(text) / 1000
const NEXT_DAY = seconds('2026-03-15T10:05:00+08:00')

let emulator: WechatPayEmulator
let built: Built
let now = new Date()

/** Both sides live by one clock. */
function setClock(text: string | number): void {
  const at = typeof text === 'number' ? text : seconds(text)
  now = new Date(at * 1000)
  built.clock.set(now)
}

const numberOf = (letter: string, index: number): string => letter + String(index).padStart(25, '0')

function paymentIdOf(index: number): PaymentId {
  const id = parsePaymentId(numberOf('p', index))
  assert(id !== undefined, 'the test number is a payment id')
  return id
}

async function pay(index: number, fen: bigint, at: string): Promise<void> {
  setClock(at)
  const { channel, record } = built
  const expiresAt = new Date(now.getTime() + 900_000)
  const request = requestOf({ paymentId: paymentIdOf(index), amount: cny(fen), expiresAt })
  const outcome = channel.preparePayment({ ...request, subject: 'tea, "green" `1`\n=1+1' })
  assert(outcome.kind === 'prepared', `expected prepared, found ${outcome.kind}`)
  expect((await channel.createPayment(outcome.prepared, record)).kind).toBe('created')
  expect(emulator.pay(paymentIdOf(index)).kind).toBe('paid')
}

async function refund(index: number, fen: bigint, at: string): Promise<void> {
  setClock(at)
  const refundId = parseRefundId(numberOf('r', index))
  const { channel, record } = built
  assert(refundId !== undefined && channel.refund !== undefined, 'there are refunds')
  const outcome = await channel.refund.submit(
    {
      refundId,
      payment: { ...reference, paymentId: paymentIdOf(index) },
      paid: cny(10_000n),
      amount: cny(fen),
      reason: 'demo',
      callbackUrl: 'https://pay.example.com/callback/a',
    },
    record,
  )
  expect(outcome.kind).toBe('answered')
}

interface Fetched {
  readonly outcome: BillFetch
  readonly raw: Uint8Array
}

async function fetchBill(kind: BillKind = 'transaction', businessDate = date): Promise<Fetched> {
  const chunks: Uint8Array[] = []
  const write = (chunk: Uint8Array) => {
    chunks.push(Uint8Array.from(chunk))
    return Promise.resolve(true)
  }
  const outcome = await partOf(built).fetch({ businessDate, kind }, { write }, built.record)
  return { outcome, raw: Buffer.concat(chunks) }
}

async function fetchLines(kind: BillKind = 'transaction'): Promise<readonly BillLine[]> {
  const { outcome, raw } = await fetchBill(kind)
  expect(outcome.kind).toBe('fetched')
  return readFile(raw, { kind })
}

const shown = ({ kind, paymentNumber, refundNumber, amountMinor, fee }: BillLine) => [
  kind,
  kind === 'refund' ? refundNumber : paymentNumber,
  amountMinor,
  fee,
]

const THE_DAY = [
  ['payment', numberOf('p', 1), 10_000n, '0.60000'],
  ['payment', numberOf('p', 2), 1n, '0.00000'],
  ['refund', numberOf('r', 1), 3000n, '-0.18000'],
]

beforeAll(async () => {
  emulator = await startWechatPayEmulator({
    clock: () => now,
    merchants: [
      {
        mchid,
        appids: [appid],
        merchantCertificateSerial: merchantSerial,
        merchantPublicKeyPem: publicOf(merchantPem),
        apiV3Key: apiv3Key,
      },
    ],
  })
  const { publicKeyId, publicKeyPem } = emulator.vendorKeys
  built = buildChannel({
    settings: { base_url: emulator.url },
    keys: [
      keyOf('merchant_private', merchantSerial, merchantPem),
      keyOf('vendor_public', publicKeyId, publicKeyPem),
      keyOf('symmetric', 'first', apiv3Key),
    ],
    deps: {
      fetch: (url, init) => fetch(url, init),
      localHosts: [new URL(emulator.url).host],
    },
  })
  // Nobody listens to callbacks here.
  emulator.setKnobs({ dropCallbacks: true, dropForever: true })
  await pay(1, 10_000n, '2026-03-14T00:00:00+08:00')
  await pay(2, 1n, '2026-03-14T23:59:59+08:00')
  await pay(3, 500n, '2026-03-15T00:00:00+08:00')
  await pay(4, 10_000n, '2026-03-13T23:59:59+08:00')
  await refund(1, 3000n, '2026-03-14T12:00:00+08:00')
  await refund(4, 1000n, '2026-03-15T00:00:01+08:00')
})

afterAll(() => emulator.stop())

beforeEach(() => {
  emulator.resetKnobs()
  setClock(NEXT_DAY)
})

describe('the emulator’s bill of what happened', () => {
  test('RC-12: holds the payments and refunds of its day in Beijing, to the second', async () => {
    expect((await fetchLines()).map(shown)).toEqual(THE_DAY)
    const [first] = await fetchLines()
    expect(first?.channelPaymentId).toBe(emulator.order(numberOf('p', 1))?.payment?.transactionId)
    expect(first?.at).toBe('2026-03-14T00:00:00+08:00')
  })

  test('says the same by its fund bill', async () => {
    const funds = await fetchLines('fund')
    expect(funds.map(({ kind, amountMinor, stateText }) => [kind, amountMinor, stateText])).toEqual(
      [
        ['payment', 10_000n, '交易 收入'],
        ['fee', 60n, '扣除交易手续费 支出'],
        ['refund', 3000n, '退款 支出'],
        ['fee', 18n, '退还交易手续费 收入'],
        ['payment', 1n, '交易 收入'],
      ],
    )
  })

  test('RC-02: of a day without business there is none', async () => {
    const { outcome } = await fetchBill('transaction', '2026-03-12')
    expect(outcome).toEqual({ kind: 'empty', code: 'NO_STATEMENT_EXIST' })
    emulator.setKnobs({ billEmpty: true })
    expect((await fetchBill()).outcome.kind).toBe('empty')
  })

  test('RC-01, F109: is not there before ten, nor while it is late', async () => {
    setClock('2026-03-15T09:59:59+08:00')
    expect((await fetchBill()).outcome.kind).toBe('not_ready')
    setClock(NEXT_DAY)
    emulator.setKnobs({ billLate: 2 })
    const kinds = []
    for (let asked = 0; asked < 3; asked += 1) kinds.push((await fetchBill()).outcome.kind)
    expect(kinds).toEqual(['not_ready', 'not_ready', 'fetched'])
  })

  test.each(['billTruncated', 'billCorrupt', 'billBomb'] as const)(
    'F111, F112, F115: %s is asked for again',
    async (knob) => {
      emulator.setKnobs({ [knob]: 1 })
      const { outcome, raw } = await fetchBill()
      expect(outcome.kind).toBe('unknown')
      await brokenBy(readFile(raw))
      expect((await fetchLines()).map(shown)).toEqual(THE_DAY)
    },
  )

  test('F110: a link that expired is asked for again', async () => {
    emulator.setKnobs({ billLinkExpired: 1 })
    expect((await fetchBill()).outcome.kind).toBe('fetched')
    emulator.setKnobs({ billLinkExpired: 2 })
    expect((await fetchBill()).outcome.kind).toBe('unknown')
  })

  test('F117: is the same file each time, and another one when it is issued again', async () => {
    const first = await fetchBill()
    expect(Buffer.from((await fetchBill()).raw).equals(first.raw)).toBe(true)
    emulator.setKnobs({ billReissued: 1 })
    const again = await fetchBill()
    expect(Buffer.from(again.raw).equals(first.raw)).toBe(false)
    expect((await readFile(again.raw)).map(shown)).toEqual(THE_DAY.toReversed())
    emulator.setKnobs({ billReissued: 1 })
    await fetchBill()
  })

  test('RC-09, RC-11: each plant changes exactly its line, and the bill stays sound', async () => {
    emulator.setKnobs({
      billReissued: 1,
      billMissingLine: numberOf('p', 2),
      billDuplicateLine: numberOf('r', 1),
      billWrongAmount: { [numberOf('p', 1)]: 1 },
      billExtraLine: { TILL1: 700 },
    })
    const lines = await fetchLines()
    emulator.resetKnobs()
    emulator.setKnobs({ billReissued: 1 })
    await fetchBill()
    expect(lines.map(shown).toReversed()).toEqual([
      ['payment', numberOf('p', 1), 10_001n, '0.60000'],
      ['refund', numberOf('r', 1), 3000n, '-0.18000'],
      ['refund', numberOf('r', 1), 3000n, '-0.18000'],
      ['payment', 'TILL1', 700n, '0.04000'],
    ])
  })
})

test('F114: 50,000 lines come from the emulator’s disk and are read in small batches', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'wechat-bill-'))
  try {
    const order = { directory, mchid, appid, date, lines: 50_000 }
    const bill = await generateBill(order)
    expect(bill).toMatchObject({ lines: 50_000, payments: 50_000, refunds: 1000 })
    emulator.putBill({ mchid, date, path: bill.path, sha1: bill.sha1 })
    const { outcome, raw } = await fetchBill()
    expect(outcome.kind).toBe('fetched')
    expect(Buffer.from(raw).equals(await Bun.file(bill.path).bytes())).toBe(true)
    const file = { path: bill.path, bytes: raw.length, businessDate: date }
    let lines = 0
    for await (const batch of partOf(built).read(file, 'transaction')) {
      expect(batch.length).toBeLessThan(10_000)
      lines += batch.length
    }
    expect(lines).toBe(50_000)
    expect((await generateBill(order)).sha1).toBe(bill.sha1)
    expect(Object.values(bill.planted).map(({ length }) => length)).toEqual(Array(8).fill(50))
  } finally {
    await rm(directory, { recursive: true })
  }
})
