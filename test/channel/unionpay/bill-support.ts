import { deflateSync, inflateSync } from 'node:zlib'
import type { BillLine, BillPart } from '#channel/bill'
import { assert } from '#domain/assert'
import { writeZip } from '../../emulator/core/zip.ts'
import type { ZipEntry } from '../../emulator/core/zip.ts'
import fixture from '../../fixture/unionpay/bill.json'
import { readRaw } from '../bill-file.ts'
import type { Built } from '../support.ts'
import { buildChannel, merId } from './support.ts'

export { fixture }
export const { businessDate, detailName } = fixture
export const disputeName = detailName.replace('ZM_', 'ZME_')
export const summaryName = `RD201026031401_${fixture.merId}`

/** The content of the dossier's sample, as it comes out of base64. */
export const content: Uint8Array = Buffer.from(fixture.fileContent, 'base64')
export const archive: Uint8Array = inflateSync(content)

/** The dossier's two records, joined by hand from section 5.3 and 5.4: each value, and how wide its column is. */
const record = (values: readonly (readonly [value: string, bytes: number])[]): string =>
  `${values.map(([value, bytes]) => value.padEnd(bytes)).join(' ')} ${' '.repeat(98)}`

/** 测试门店 in GBK, one character for each byte. */
const NAME = '\xb2\xe2\xca\xd4\xc3\xc5\xb5\xea'

interface Wish {
  readonly code?: string
  readonly trace?: string
  readonly time?: string
  readonly amount?: string
  readonly queryId?: string
  readonly orderId?: string
  readonly fee?: string
  readonly net?: string
  readonly types?: readonly [string, string]
  readonly origin?: readonly [trace: string, time: string, queryId: string, orderId: string]
  readonly merId?: string
  readonly name?: string
  readonly reserved?: string
}

const PAYMENT = {
  code: 'S56',
  trace: '000123',
  time: '0314101530',
  amount: '000000012800',
  queryId: '782603141015300001238',
  orderId: 'T20260314101530001',
  fee: 'D000000000077',
  net: 'C000000012723',
  types: ['01', '01'],
  origin: ['', '', '', ''],
  merId: fixture.merId,
  name: NAME,
  reserved: 'store=7',
} as const satisfies Required<Wish>

const REFUND: Wish = {
  code: 'Z04',
  trace: '000456',
  time: '0314153000',
  amount: '000000003000',
  queryId: '782603141530000004568',
  orderId: 'R20260314153000001',
  fee: ' 000000000000',
  net: 'D000000003000',
  types: ['04', '00'],
  origin: [PAYMENT.trace, PAYMENT.time, PAYMENT.queryId, PAYMENT.orderId],
  reserved: '',
}

/** A record of a payment, one character for each byte, without its end. */
export function payment(changes: Wish = {}): string {
  const row: Required<Wish> = { ...PAYMENT, ...changes }
  const [trace, time, queryId, orderId] = row.origin
  const [txnType, txnSubType] = row.types
  return record([
    [row.code, 3],
    ['88022900', 11],
    ['00049993', 11],
    [row.trace, 6],
    [row.time, 10],
    ['621626*********0018', 19],
    [row.amount, 12],
    ['4899', 4],
    ['07', 2],
    [row.queryId, 21],
    ['01', 2],
    [row.orderId, 32],
    ['01', 2],
    [trace, 6],
    [time, 10],
    [row.fee, 13],
    [row.net, 13],
    ['0001', 4],
    ['', 15],
    [txnType, 2],
    [txnSubType, 2],
    ['000201', 6],
    ['', 2],
    ['', 4],
    ['', 32],
    ['', 1],
    [queryId, 21],
    [row.merId, 15],
    ['', 1],
    ['000000000000000', 15],
    [row.name, 32],
    [' 000000000000', 13],
    [row.net, 13],
    ['01080209', 8],
    [row.reserved, 32],
    [' 000000000000', 13],
    [' 000000000000', 13],
    [' 00000000000', 12],
    ['', 2],
    ['7', 1],
    [orderId, 32],
  ])
}

export const refund = (changes: Wish = {}): string => payment({ ...REFUND, ...changes })

/** A dispute: nine columns as in the detail, the others without names (section 5.3). */
export const dispute = (amount = '000000000500', traceTime = '0314093000'): string =>
  record([
    ['E74', 3],
    ['88022900', 11],
    ['00049993', 11],
    ['000789', 6],
    [traceTime, 10],
    ['621626*********0018', 19],
    [amount, 12],
    ['4899', 4],
    ['07', 2],
    ...[2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2].map((bytes) => ['', bytes] as const),
  ]).slice(0, 203) + ' '.repeat(136)

export const bytesOf = (records: readonly string[], lineEnd = '\r\n'): Uint8Array =>
  Buffer.from(records.map((one) => one + lineEnd).join(''), 'latin1')

/** A record with a value at this column's first byte, counted from 1 as the dossier does. */
export const withBytes = (one: string, first: number, value: string): string =>
  one.slice(0, first - 1) + value + one.slice(first - 1 + value.length)

/** A file of an archive, and what it may claim of itself. */
export type ArchiveFile = Pick<ZipEntry, 'flags' | 'mode' | 'crc' | 'size' | 'isAlias'> & {
  readonly name: string
  readonly bytes: Uint8Array
}

export const archiveOf = (files: readonly ArchiveFile[]): Uint8Array =>
  writeZip(
    files.map(({ name, bytes, ...claims }) => ({
      name: Buffer.from(name),
      content: bytes,
      ...claims,
    })),
  )

/** Two packings around each other, as the vendor has them (section 5.1). */
export const packed = (files: readonly ArchiveFile[]): Uint8Array => deflateSync(archiveOf(files))

export const packedDetail = (
  records: readonly string[],
  more: readonly ArchiveFile[] = [],
): Uint8Array => packed([{ name: detailName, bytes: bytesOf(records) }, ...more])

export function partOf({ channel }: Pick<Built, 'channel'> = buildChannel()): BillPart {
  assert(channel.bill !== undefined, 'the channel has bills')
  return channel.bill
}

/** Reads raw bytes as the worker does: from a file, through the channel. */
export const readFile = (
  raw: Uint8Array,
  date: string = businessDate,
): Promise<readonly BillLine[]> => readRaw(partOf(), raw, { businessDate: date })

export const readRecords = (records: readonly string[]): Promise<readonly BillLine[]> =>
  readFile(packedDetail(records))

assert(merId === fixture.merId, 'the tests and the sample have one merchant')

export const PAYMENT_LINE: BillLine = {
  line: 1,
  kind: 'payment',
  paymentNumber: 'T20260314101530001',
  channelPaymentId: '782603141015300001238',
  refundNumber: '',
  channelRefundId: '',
  amountMinor: 12_800n,
  fee: '0.77',
  rate: '',
  stateText: '01',
  at: '2026-03-14T10:15:30+08:00',
}

export const REFUND_LINE: BillLine = {
  line: 2,
  kind: 'refund',
  paymentNumber: 'T20260314101530001',
  channelPaymentId: '782603141015300001238',
  refundNumber: 'R20260314153000001',
  channelRefundId: '782603141530000004568',
  amountMinor: 3000n,
  fee: '0.00',
  rate: '',
  stateText: '04',
  at: '2026-03-14T15:30:00+08:00',
}

/** The two lines of the dossier's sample. */
export const LINES: readonly BillLine[] = [PAYMENT_LINE, REFUND_LINE]
