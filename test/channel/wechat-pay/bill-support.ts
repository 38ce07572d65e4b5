import { gzipSync } from 'node:zlib'
import type { BillKind, BillLine, BillPart } from '#channel/bill'
import { readText } from '#channel/wechat-pay/bill-read'
import { assert } from '#domain/assert'
import fixture from '../../fixture/wechat-pay/bill.json'
import { readRaw } from '../bill-file.ts'
import type { Built } from '../support.ts'
import { buildChannel, mchid } from './support.ts'

export const businessDate = '2026-03-14'
export const MARK = '\uFEFF'

export interface Sample {
  readonly name: string
  readonly bytes: number
  readonly sha1: string
  readonly lines: readonly string[]
}

export type SampleName = 'ALL' | 'SUCCESS' | 'REFUND' | 'FUND'

/** Invented by the dossier in the vendor's layout (section 6.10): none of these bytes is the vendor's own. */
export function sampleOf(name: SampleName): Sample {
  const sample = fixture.samples.find((one) => one.name === name)
  assert(sample !== undefined, `the fixture has ${name}`)
  return sample
}

export const kindOf = (name: SampleName): BillKind => (name === 'FUND' ? 'fund' : 'transaction')

/** Section 6.6: a mark, and CRLF after every line. */
export const textOf = (lines: readonly string[], lineEnd = '\r\n', mark = MARK): string =>
  mark + lines.map((line) => line + lineEnd).join('')

export const bytesOf = (lines: readonly string[]): Uint8Array => Buffer.from(textOf(lines))

/** A row, a summary: each value after a backtick. */
export const row = (values: readonly string[]): string => `\`${values.join(',`')}`
export const valuesOf = (line: string): string[] => line.slice(1).split(',`')

/** A sample with one cell changed: of the row with this index, in the column of this name. */
export function withCell(
  lines: readonly string[],
  index: number,
  column: string,
  value: string,
): readonly string[] {
  const at = (lines[0] ?? '').split(',').indexOf(column)
  assert(at >= 0, `there is a column ${column}`)
  return lines.with(index + 1, row(valuesOf(lines[index + 1] ?? '').with(at, value)))
}

export function partOf({ channel }: Pick<Built, 'channel'> = buildChannel()): BillPart {
  assert(channel.bill !== undefined, 'the channel has bills')
  return channel.bill
}

export interface Reading {
  readonly kind?: BillKind
  readonly businessDate?: string
}

/** Reads raw bytes as the worker does. */
export const readFile = (raw: Uint8Array, how: Reading = {}): Promise<readonly BillLine[]> =>
  readRaw(partOf(), raw, { businessDate, ...how })

export const readLines = (
  lines: readonly string[],
  how: Reading = {},
): Promise<readonly BillLine[]> => readFile(gzipSync(bytesOf(lines)), how)

/** Reads text that comes in these pieces. */
export async function readPieces(
  pieces: readonly Uint8Array[],
  kind: BillKind = 'transaction',
): Promise<readonly BillLine[]> {
  async function* source() {
    yield* pieces
  }
  return (await Array.fromAsync(readText(source(), kind, { mchid, businessDate }))).flat()
}

const payment = (line: number, day: string, at: string, fen: bigint, fee: string): BillLine => ({
  line,
  kind: 'payment',
  paymentNumber: `DEMO2026031400000${day.slice(-1)}`,
  channelPaymentId: `420000260320260314123456789${Number(day.slice(-1)) - 1}`,
  refundNumber: '',
  channelRefundId: '',
  amountMinor: fen,
  fee,
  rate: '0.006',
  stateText: 'SUCCESS',
  at: `${businessDate}T${at}+08:00`,
})

/** The five rows of the dossier's sample, in the order of the file. */
export const PAYMENTS: readonly BillLine[] = [
  payment(2, '1', '09:15:02', 10_000n, '0.60000'),
  payment(3, '2', '11:20:45', 5000n, '0.30000'),
  payment(6, '3', '20:05:30', 99n, '0.01000'),
]
export const REFUNDS: readonly BillLine[] = [
  {
    line: 4,
    kind: 'refund',
    paymentNumber: 'DEMO20260314000001',
    channelPaymentId: '4200002603202603141234567890',
    refundNumber: 'DEMOR20260314000001',
    channelRefundId: '50300002602026031412345678901',
    amountMinor: 3000n,
    fee: '-0.18000',
    rate: '0.006',
    stateText: 'REFUND',
    at: `${businessDate}T14:00:00+08:00`,
  },
  {
    line: 5,
    kind: 'refund',
    paymentNumber: 'DEMO20260313000009',
    channelPaymentId: '4200002603202603131234567899',
    refundNumber: 'DEMOR20260314000002',
    channelRefundId: '50300002602026031412345678902',
    amountMinor: 1000n,
    fee: '-0.06000',
    rate: '0.006',
    stateText: 'REFUND',
    at: `${businessDate}T16:30:12+08:00`,
  },
]
export const byLine = (lines: readonly BillLine[]) => lines.toSorted((a, b) => a.line - b.line)
