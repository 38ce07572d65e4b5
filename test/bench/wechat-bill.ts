import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import {
  BILL_HEADER,
  addRow,
  billHead,
  feeOf,
  noSums,
  rowText,
  summaryText,
} from '../emulator/wechat-pay/bill-text.ts'
import type { BillRow } from '../emulator/wechat-pay/bill-text.ts'

/** What is planted, once in a thousand lines each. */
export const PLANTS = [
  'missing_here',
  'missing_there',
  'amount_differs',
  'state_differs',
  'number_differs',
  'fee_differs',
  'duplicate',
  'foreign',
] as const
export type Plant = (typeof PLANTS)[number]

export interface GeneratedBill {
  /** The bill, packed as the vendor packs it, and the SHA-1 of the bytes before. */
  readonly path: string
  readonly sha1: string
  readonly plainBytes: number
  readonly lines: number
  /**
   * Our rows, as tab-separated text for COPY. Payments: id, vendor's number, fen, `paid` or `closed`, paid at.
   * Refunds: id, payment, vendor's number, fen, sent at.
   */
  readonly paymentsPath: string
  readonly refundsPath: string
  readonly payments: number
  readonly refunds: number
  /** Our number of every payment about which something is to be found, by its kind. */
  readonly planted: Readonly<Record<Plant, readonly string[]>>
}

export interface BillOrder {
  readonly directory: string
  readonly mchid: string
  readonly appid: string
  /** `yyyy-mm-dd` */
  readonly date: string
  readonly lines: number
}

/** Two lines of a hundred are refunds, of payments of the day before. */
const REFUND_EVERY = 50
const PLANT_EVERY = 1000
const DAY_MS = 86_400_000
const CHUNK_CHARACTERS = 256 * 1024

/**
 * Writes a bill of so many lines and as many payments of ours, always the same ones, in constant memory.
 *
 * Every position is a payment or a refund on both sides, unless something is planted there.
 */
export async function generateBill(order: BillOrder): Promise<GeneratedBill> {
  const output = new Output(order.directory)
  const planted = nothingPlanted()
  const sums = noSums()
  const total = { payments: 0, refunds: 0 }
  await output.bill(billHead(BILL_HEADER))
  for (let index = 0; index < order.lines; index += 1) {
    const position = positionOf(order, index)
    if (position.plant !== undefined) planted[position.plant].push(idOf('p', index))
    for (const row of position.rows) {
      addRow(sums, row)
      await output.bill(rowText(row))
    }
    if (position.refund !== '') total.refunds += 1
    total.payments += 1
    await output.payment(position.payment)
    await output.refund(position.refund)
  }
  await output.bill(summaryText(sums))
  const written = await output.end()
  return { ...written, ...total, lines: sums.rows, planted }
}

const nothingPlanted = (): Record<Plant, string[]> => ({
  missing_here: [],
  missing_there: [],
  amount_differs: [],
  state_differs: [],
  number_differs: [],
  fee_differs: [],
  duplicate: [],
  foreign: [],
})

interface Position {
  readonly plant?: Plant
  readonly rows: readonly BillRow[]
  /** A line of our payments; of our refunds, or nothing. */
  readonly payment: string
  readonly refund: string
}

function positionOf(order: BillOrder, index: number): Position {
  const start = Date.parse(`${order.date}T00:00:00+08:00`)
  const at = new Date(start + Math.floor((index * DAY_MS) / order.lines))
  const row = rowOf(order, index, at)
  const yesterday = new Date(at.getTime() - DAY_MS)
  if (index % REFUND_EVERY === REFUND_EVERY - 1) {
    const amount = Math.ceil(row.total / 2)
    const outRefundNo = idOf('r', index)
    const refundId = `503000${serialOf(index, 23)}`
    const refund = { refundId, outRefundNo, amount, status: 'SUCCESS' } as const
    const ours = [outRefundNo, row.outTradeNo, refundId, amount, at.toISOString()]
    return {
      rows: [{ ...row, total: 0, refund }],
      payment: paymentText(row, yesterday),
      refund: `${ours.join('\t')}\n`,
    }
  }
  const plant = PLANTS[(index % PLANT_EVERY) - 1]
  const plain = { rows: [row], payment: paymentText(row, at), refund: '' }
  return plant === undefined ? plain : { ...plain, plant, ...planted(plant, row, index) }
}

/** What differs from a position where all is well. */
function planted(plant: Plant, row: BillRow, index: number): Partial<Position> {
  // Where our row is not in the bill's day, one of the day before keeps the number of rows.
  const yesterday = new Date(row.at.getTime() - DAY_MS)
  const other = paymentText({ ...row, ...numbersOf(index, 'x') }, yesterday)
  switch (plant) {
    case 'missing_here':
      return { payment: other }
    case 'missing_there':
      return { rows: [] }
    case 'amount_differs':
      return { payment: paymentText({ ...row, total: row.total + 1 }, row.at) }
    case 'state_differs':
      return { payment: paymentText(row, row.at, 'closed') }
    case 'number_differs':
      return { payment: paymentText({ ...row, transactionId: other.split('\t')[1] ?? '' }, row.at) }
    case 'fee_differs':
      return { rows: [{ ...row, fee: feeOf(row.total) + 5 }] }
    case 'duplicate':
      return { rows: [row, row] }
    case 'foreign':
      return { rows: [{ ...row, outTradeNo: `TILL${serialOf(index, 12)}` }], payment: other }
  }
}

function rowOf({ appid, mchid }: BillOrder, index: number, at: Date): BillRow {
  return {
    at,
    appid,
    mchid,
    deviceId: '',
    ...numbersOf(index, ''),
    openid: `oUpF8u${base36(index, 'openid', 22)}`,
    tradeType: index % 3 === 0 ? 'NATIVE' : 'JSAPI',
    bankType: index % 2 === 0 ? 'OTHERS' : 'CMB_CREDIT',
    coupon: 0,
    product: index % 5 === 0 ? '茶具一套' : 'Demo tea set',
    attach: '',
    total: 100 + Number(hash(index, 'amount') % 99_900n),
  }
}

const numbersOf = (index: number, mark: string) => ({
  transactionId: `4200${serialOf(index, 14)}${mark === '' ? '0' : '1'}${digits(index, 9)}`,
  outTradeNo: idOf('p', index, mark),
})

const serialOf = (index: number, length: number): string => String(index).padStart(length, '0')

/** Ids like ours: a letter, a rising part, and chance. */
const idOf = (letter: string, index: number, mark = ''): string =>
  `${letter}0mq3${index.toString(36).padStart(8, '0')}${base36(index, `${letter}${mark}`, 13)}`

/** Chance that is always the same. */
const hash = (index: number, name: string): bigint => BigInt(Bun.hash(`${name} ${index}`))

const base36 = (index: number, name: string, length: number): string =>
  (hash(index, name).toString(36) + hash(index, `${name}+`).toString(36))
    .padEnd(length, '0')
    .slice(0, length)

const digits = (index: number, length: number): string =>
  String(hash(index, 'digits')).padStart(length, '0').slice(-length)

const paymentText = (row: BillRow, paidAt: Date, state: 'paid' | 'closed' = 'paid'): string =>
  `${[row.outTradeNo, row.transactionId, row.total, state, paidAt.toISOString()].join('\t')}\n`

type Written = Pick<GeneratedBill, 'path' | 'paymentsPath' | 'refundsPath' | 'sha1' | 'plainBytes'>

/** Three files that grow together. */
class Output {
  readonly #hash = createHash('sha1')
  readonly #gzip = createGzip()
  readonly #raw: Writable
  readonly #bill: Buffered
  readonly #payments: Buffered
  readonly #refunds: Buffered
  readonly #paths: Omit<Written, 'sha1' | 'plainBytes'>
  #plainBytes = 0

  constructor(directory: string) {
    this.#paths = {
      path: join(directory, 'bill.csv.gz'),
      paymentsPath: join(directory, 'payments.tsv'),
      refundsPath: join(directory, 'refunds.tsv'),
    }
    this.#raw = this.#gzip.pipe(createWriteStream(this.#paths.path))
    this.#bill = new Buffered(this.#gzip, (bytes) => {
      this.#hash.update(bytes)
      this.#plainBytes += bytes.length
    })
    this.#payments = new Buffered(createWriteStream(this.#paths.paymentsPath))
    this.#refunds = new Buffered(createWriteStream(this.#paths.refundsPath))
  }

  bill = (text: string): Promise<void> | undefined => this.#bill.add(text)
  payment = (text: string): Promise<void> | undefined => this.#payments.add(text)
  refund = (text: string): Promise<void> | undefined => this.#refunds.add(text)

  async end(): Promise<Written> {
    await Promise.all([this.#bill.end(), this.#payments.end(), this.#refunds.end()])
    await finished(this.#raw)
    return { ...this.#paths, sha1: this.#hash.digest('hex'), plainBytes: this.#plainBytes }
  }
}

/** Gathers small texts, and waits only when the disk does. */
class Buffered {
  readonly #sink: Writable
  readonly #seen: (bytes: Buffer) => void
  #text = ''

  constructor(sink: Writable, seen: (bytes: Buffer) => void = () => undefined) {
    this.#sink = sink
    this.#seen = seen
  }

  add(text: string): Promise<void> | undefined {
    this.#text += text
    return this.#text.length < CHUNK_CHARACTERS ? undefined : this.#flush()
  }

  async end(): Promise<void> {
    await this.#flush()
    this.#sink.end()
  }

  #flush(): Promise<void> {
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    this.#seen(bytes)
    return new Promise((resolve, reject) => {
      this.#sink.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  }
}
