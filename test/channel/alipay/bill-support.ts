import iconv from 'iconv-lite'
import type { BillKind, BillLine, BillPart } from '#channel/bill'
import { readText } from '#channel/alipay/bill-read'
import { assert } from '#domain/assert'
import { writeZip } from '../../emulator/core/zip.ts'
import type { ZipEntry } from '../../emulator/core/zip.ts'
import fixture from '../../fixture/alipay/bill.json'
import { readRaw } from '../bill-file.ts'
import type { Built } from '../support.ts'
import { buildChannel, sellerId } from './support.ts'

export const businessDate = '2026-01-30'

export type Table = 'trade' | 'trade summary' | 'account' | 'account summary'

const NAMES: Readonly<Record<Table, string>> = {
  trade: '业务明细.csv',
  'trade summary': '业务明细(汇总).csv',
  account: '账务明细.csv',
  'account summary': '账务明细(汇总).csv',
}

/** The lines of the dossier's sample (section 6.7); what of it is the vendor's own, the fixture says. */
export function linesOf(table: Table): readonly string[] {
  const found = fixture.members.find(({ name }) => name.endsWith(`_${NAMES[table]}`))
  assert(found !== undefined, `the fixture has ${table}`)
  return found.lines
}

export const nameOf = (table: Table): string => `${sellerId}0156_20260130_${NAMES[table]}`

export const textOf = (lines: readonly string[], lineEnd = '\r\n'): string =>
  lines.map((line) => line + lineEnd).join('')

export const encode = (text: string, charset = 'gb18030'): Uint8Array =>
  iconv.encode(text, charset, { addBOM: charset === 'utf-8' })

export const bytesOf = (lines: readonly string[]): Uint8Array => encode(textOf(lines))

/** A member as the vendor writes it: its name in GBK, without the flag of UTF-8. */
export const entryOf = (table: Table, lines: readonly string[] = linesOf(table)): ZipEntry => ({
  name: encode(nameOf(table)),
  content: bytesOf(lines),
})

/** The same member under a name of its own, where an archive has two of a kind. */
export const renamed = (entry: ZipEntry, name: string): ZipEntry => ({
  ...entry,
  name: encode(name),
})

/** A trade bill's archive with these tables in place of the sample's. */
export const transactionZip = (
  detail: readonly string[] = linesOf('trade'),
  summary: readonly string[] = linesOf('trade summary'),
): Uint8Array => writeZip([entryOf('trade', detail), entryOf('trade summary', summary)])

export const accountZip = (
  detail: readonly string[] = linesOf('account'),
  summary: readonly string[] = linesOf('account summary'),
): Uint8Array => writeZip([entryOf('account', detail), entryOf('account summary', summary)])

export function partOf({ channel }: Pick<Built, 'channel'> = buildChannel()): BillPart {
  assert(channel.bill !== undefined, 'the channel has bills')
  return channel.bill
}

/** Reads raw bytes as the worker does. */
export const read = (
  raw: Uint8Array,
  how: { readonly kind?: BillKind; readonly businessDate?: string } = {},
): Promise<readonly BillLine[]> => readRaw(partOf(), raw, { businessDate, ...how })

/** Reads a detail's text that comes in these pieces. */
export async function readPieces(
  pieces: readonly Uint8Array[],
  kind: BillKind = 'transaction',
): Promise<readonly BillLine[]> {
  async function* source() {
    yield* pieces
  }
  return (await Array.fromAsync(readText(source(), kind, { sellerId, businessDate }))).flat()
}

/** A detail with one value changed: of the row with this index, in the column of this name. */
export function withCell(
  lines: readonly string[],
  index: number,
  column: string,
  value: string,
): readonly string[] {
  const header = lines.findIndex((line) => line.includes('商户订单号,'))
  const at = (lines[header] ?? '').split(',').indexOf(column)
  assert(at >= 0, `there is a column ${column}`)
  const row = header + 1 + index
  return lines.with(row, (lines[row] ?? '').split(',').with(at, value).join(','))
}

const line = (number: number, said: Partial<BillLine>): BillLine => ({
  line: number,
  kind: 'payment',
  paymentNumber: 'T20260130_01',
  channelPaymentId: '2026013022001400000000000001',
  refundNumber: '',
  channelRefundId: '',
  amountMinor: 50n,
  fee: '',
  rate: '',
  stateText: '',
  at: `${businessDate}T10:00:07+08:00`,
  ...said,
})

const SECOND = {
  paymentNumber: 'T20260130_02',
  channelPaymentId: '2026013022001400000000000002',
  amountMinor: 30n,
  at: `${businessDate}T11:00:05+08:00`,
} as const
const REFUNDED = { kind: 'refund', amountMinor: 20n, at: `${businessDate}T15:30:00+08:00` } as const

/** The rows of the dossier's sample. */
export const ROWS: readonly BillLine[] = [
  line(6, { stateText: '交易', fee: '0.00' }),
  line(7, { ...SECOND, stateText: '交易', fee: '0.00' }),
  line(8, { ...REFUNDED, stateText: '退款', fee: '0.00', refundNumber: 'RF20260130_01' }),
]
export const MOVEMENTS: readonly BillLine[] = [
  line(6, { stateText: '在线支付 收入' }),
  line(7, { ...SECOND, stateText: '在线支付 收入' }),
  line(8, { ...REFUNDED, stateText: '交易退款 支出' }),
]
