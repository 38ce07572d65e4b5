import { describe, expect, test } from 'bun:test'
import { deflateSync } from 'node:zlib'
import { brokenBy } from '../bill-file.ts'
import { paymentId } from '../support.ts'
import {
  LINES,
  archive,
  archiveOf,
  bytesOf,
  content,
  detailName,
  dispute,
  disputeName,
  packed,
  packedDetail,
  payment,
  readFile,
  readRecords,
  refund,
  summaryName,
  withBytes,
} from './bill-support.ts'
import type { ArchiveFile } from './bill-support.ts'

const second = (record: string) => [payment(), record]

/** What is not sound, with the line and the column that a person is told. */
const BROKEN: readonly (readonly [
  name: string,
  records: readonly string[],
  line: number,
  column: string,
  reason: string,
])[] = [
  ['a page', ['<html>'], 1, '', 'at least 508 bytes, found 6'],
  ['an empty line', second(''), 2, '', 'found 0'],
  ['a record that is cut', second(refund().slice(0, 507)), 2, '', 'found 507'],
  ['two records without a line end', [payment() + refund()], 1, '', 'at most 1000 bytes'],
  // F113, RC-14: what a reader of characters would make of a Chinese name.
  ['one byte too many', second(withByte(100)), 2, 'queryId', 'no blank behind it'],
  ['one byte too few', second(withoutByte(100)), 2, 'queryId', 'no blank behind it'],
  ['a byte that begins no character', second(named('\xffA')), 2, 'subMerAbbr', 'GBK'],
  ['half a character in the middle', second(named('\xb2 ')), 2, 'subMerAbbr', 'GBK'],
  ['UTF-8', second(named('\xe6\xb5\x8b')), 2, 'subMerAbbr', 'GBK'],
  ['no amount', second(payment({ amount: '' })), 2, 'txnAmt', 'expected digits'],
  ['a negative amount', second(payment({ amount: '-00000012800' })), 2, 'txnAmt', 'digits'],
  ['a fraction', second(payment({ amount: '0000000128.0' })), 2, 'txnAmt', 'digits'],
  ['blanks before an amount', second(payment({ amount: '       12800' })), 2, 'txnAmt', 'digits'],
  ['a fee without its sign', second(payment({ fee: '0000000000077' })), 2, 'fee', 'C or D'],
  ['a fee that is nobody’s', second(payment({ fee: ' 000000000077' })), 2, 'fee', 'C or D'],
  ['another sign', second(payment({ fee: '-000000000077' })), 2, 'fee', 'C or D'],
  ['no fee', second(payment({ fee: '' })), 2, 'fee', 'C or D'],
  [
    'another merchant',
    second(payment({ merId: '777290058110049' })),
    2,
    'merId',
    '777290058110048',
  ],
  ['no merchant', second(payment({ merId: '' })), 2, 'merId', 'expected merchant'],
  ['no time', second(payment({ time: '' })), 2, 'traceTime', 'expected a time'],
  ['a day that there is not', second(payment({ time: '0230101530' })), 2, 'traceTime', 'a time'],
  ['29 February of another year', second(payment({ time: '0229101530' })), 2, 'traceTime', 'time'],
  ['an hour that there is not', second(payment({ time: '0314241530' })), 2, 'traceTime', 'time'],
  ['no number of the vendor', second(payment({ queryId: '' })), 2, 'queryId', '20 or 21'],
  ['a short number in its place', second(swapped('T20260314101530001')), 2, 'queryId', '20 or 21'],
  ['our own number in its place', second(swapped(paymentId)), 2, 'queryId', 'changed places'],
]

function named(name: string): string {
  return payment({ name })
}

function withByte(at: number): string {
  return `${refund().slice(0, at)}x${refund().slice(at)}`
}

function withoutByte(at: number): string {
  return refund().slice(0, at) + refund().slice(at + 1)
}

/** RC-14: the two numbers of one payment have changed places. */
function swapped(number: string): string {
  return payment({ queryId: number.slice(0, 21), orderId: '782603141015300001238' })
}

describe('a bill is refused whole', () => {
  test.each(BROKEN)('RC-14, F113: %s', async (_name, records, line, column, reason) => {
    const broken = await brokenBy(readRecords(records))
    expect(broken.message).toContain(reason)
    expect([broken.line, broken.column]).toEqual([line, column])
  })

  test('RC-14: half a character is refused at the end of every other column', async () => {
    // Column 6 is full, and its last byte is the first half of a character.
    const broken = await brokenBy(
      readRecords([withBytes(payment(), 47, '6'.repeat(18) + '\xb2\x41')]),
    )
    expect(broken.column).toBe('accNo')
  })

  test('a dispute whose amount is none', async () => {
    const disputes = { name: disputeName, bytes: bytesOf([dispute(), dispute('x'.repeat(12))]) }
    const broken = await brokenBy(readFile(packedDetail([payment()], [disputes])))
    expect([broken.line, broken.column]).toEqual([3, 'txnAmt'])
  })

  test.each([
    ['another sum of payments', 'S22 127.99 S30 30.00'],
    ['another sum of refunds', 'S22 128.00 S30 30.01'],
    ['figures that only hold the sum', '1128.00 30.000 130.00'],
    ['nothing', ''],
  ])('unionpay checklist 42: a summary of %s', async (_name, text) => {
    const summary = { name: summaryName, bytes: Buffer.from(text) }
    const broken = await brokenBy(readFile(packedDetail([payment(), refund()], [summary])))
    expect(broken.message).toMatch(/^lines of txnType 0[14] add up to \d+ fen, not in the summary$/)
  })

  test('a summary in another charset', async () => {
    const summary = { name: summaryName, bytes: Buffer.from([0xb2, 0x20]) }
    const broken = await brokenBy(readFile(packedDetail([payment()], [summary])))
    expect(broken.message).toBe('the summary is not in GBK')
  })

  test('a summary without an end', async () => {
    const summary = { name: summaryName, bytes: Buffer.alloc(300 * 1024, '128.00 ') }
    const broken = await brokenBy(readFile(packedDetail([payment()], [summary])))
    expect(broken.message).toBe('the summary is too long')
  })
})

const detail: ArchiveFile = { name: detailName, bytes: bytesOf([payment(), refund()]) }
const other = (name: string): ArchiveFile => ({ ...detail, name })

/** F115, F116: what no vendor's archive has. */
const ARCHIVES: readonly (readonly [
  name: string,
  files: readonly ArchiveFile[],
  reason: string,
])[] = [
  ['nothing', [], 'has no detail'],
  ['a summary alone', [{ name: summaryName, bytes: detail.bytes }], 'has no detail'],
  ['a file of another kind alone', [other('INN26031488ZX_777290058110048')], 'has no detail'],
  ['a parent folder', [other(`../../${detailName}`)], 'has a path'],
  ['a folder', [other(`bill/${detailName}`)], 'has a path'],
  ['an absolute path', [other(`/tmp/${detailName}`)], 'has a path'],
  ['a path of another system', [other(`..\\${detailName}`)], 'has a path'],
  ['a drive', [other(`C:${detailName}`)], 'has a path'],
  ['a path beside the detail', [detail, other('../x')], 'has a path'],
  ['a name that ends early', [other(`${detailName}\0.txt`)], 'has a path'],
  ['a link', [{ ...detail, mode: 0o120777 }], 'a link'],
  ['encryption', [{ ...detail, flags: 1 }], 'encrypted'],
  ['two of one name', [detail, detail], 'one name'],
  ['members that overlap', [detail, { ...other('x'), isAlias: true }], 'overlap'],
  ['another CRC', [{ ...detail, crc: 1 }], 'CRC'],
  ['a CRC of a dispute', [detail, { name: disputeName, bytes: bytesOf([]), crc: 1 }], 'CRC'],
  ['a size that is too large', [{ ...detail, size: detail.bytes.length + 1 }], 'zip'],
  ['a size that is too small', [{ ...detail, size: detail.bytes.length - 1 }], 'zip'],
  ['10,000 members', many(10_000), 'at most 16 members'],
  ['17 members', [detail, ...many(16)], 'at most 16 members'],
  ['another merchant', [other('INN26031488ZM_777290058110049')], 'expected merchant'],
  ['another merchant’s disputes', [detail, other('INN26031488ZME_777290058110049')], 'merchant'],
  ['another day', [other('INN26031588ZM_777290058110048')], 'expected the bill of 2026-03-14'],
  ['another year', [other('INN25031488ZM_777290058110048')], 'expected the bill of 2026-03-14'],
]

function many(count: number): readonly ArchiveFile[] {
  const bytes = new Uint8Array()
  return Array.from({ length: count }, (_, index) => ({ name: `x${index}`, bytes }))
}

describe('an archive is refused', () => {
  test.each(ARCHIVES)('F116: %s', async (_name, files, reason) => {
    const broken = await brokenBy(readFile(packed(files)))
    expect(broken.message).toContain(reason)
  })

  test('with sixteen members it is read', async () => {
    expect(await readFile(packed([detail, ...many(15)]))).toEqual([...LINES])
  })

  test('F115: a bomb in zlib, and one in the archive that a person took out', async () => {
    const zeros = new Uint8Array(16 * 1024 * 1024)
    expect((await brokenBy(readFile(deflateSync(zeros)))).message).toStartWith('zlib')
    const bomb = archiveOf([{ ...detail, bytes: zeros }])
    expect((await brokenBy(readFile(bomb))).message).toMatch(/bomb|at most 1000 bytes/)
    const lines = archiveOf([
      { ...detail, bytes: Buffer.alloc(16 * 1024 * 1024, bytesOf([payment()])) },
    ])
    expect((await brokenBy(readFile(lines))).message).toContain('expand like a bomb')
  })

  test('F115: what is packed once more is unpacked no further', async () => {
    expect((await brokenBy(readFile(deflateSync(content)))).message).toStartWith('zip')
  })

  test('what is neither zlib nor an archive', async () => {
    expect((await brokenBy(readFile(Buffer.from('no content')))).message).toBe(
      'expected zlib or zip',
    )
    expect((await brokenBy(readFile(new Uint8Array()))).message).toBe('expected zlib or zip')
    const large = Buffer.concat([content, Buffer.alloc(9 * 1024 * 1024)])
    expect((await brokenBy(readFile(large))).message).toBe('expected at most 8388608 bytes')
  })

  test('F111: bytes behind the content or the archive', async () => {
    expect((await brokenBy(readFile(Buffer.concat([archive, Buffer.of(7)])))).message).toStartWith(
      'zip',
    )
    expect((await brokenBy(readFile(Buffer.concat([content, Buffer.of(7)])))).message).toStartWith(
      'zlib',
    )
  })
})
