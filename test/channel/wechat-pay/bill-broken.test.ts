import { describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { BILL_LIMITS } from '#channel/bill'
import { readText } from '#channel/wechat-pay/bill-read'
import { brokenBy, cutAt } from '../bill-file.ts'
import {
  bytesOf,
  readFile,
  readLines,
  readPieces,
  row,
  sampleOf,
  textOf,
  withCell,
} from './bill-support.ts'

const all = sampleOf('ALL').lines
const fund = sampleOf('FUND').lines
const packed = gzipSync(bytesOf(all))

const cell = (column: string, value: string, index = 0) => withCell(all, index, column, value)
const without = (index: number) => all.toSpliced(index, 1)

/** What is not sound, with the line and the column that a person is told. */
const BROKEN: readonly (readonly [
  name: string,
  lines: readonly string[],
  line: number,
  reason: string,
])[] = [
  ['nothing at all', [], 0, 'ends before its summary'],
  ['a page', ['<html>'], 1, 'column is missing'],
  ['a header alone', all.slice(0, 1), 1, 'ends before its summary'],
  ['no summary (F121)', all.slice(0, 6), 6, 'ends before its summary'],
  ['a summary of names alone', all.slice(0, 7), 7, 'ends before its summary'],
  ['a row behind the summary', [...all, all[1] ?? ''], 9, 'goes on after its summary'],
  ['two summaries', [...all, ...all.slice(6)], 9, 'goes on after its summary'],
  ['a second header', all.toSpliced(3, 0, all[0] ?? ''), 4, 'expected a backtick or the summary'],
  ['an empty line between rows', all.toSpliced(3, 0, ''), 4, 'expected a backtick or the summary'],
  ['a row without backticks', all.with(2, (all[2] ?? '').slice(1)), 3, 'expected a backtick'],
  ['one value less', all.with(2, (all[2] ?? '').replace(',`CNY', '')), 3, 'found 26'],
  ['one value more', all.with(2, `${all[2]},\`x`), 3, 'found 28'],
  ['a line end in a name (RC-06)', cell('商品名称', 'a\nb', 1), 3, 'expected 27 values'],
  ['a column twice', all.with(0, (all[0] ?? '').replace('设备号', '商户号')), 1, 'twice'],
  ['a missing row', without(2), 7, 'add up to 4.00000, the summary says "5.0"'],
  ['a row twice', all.toSpliced(2, 0, all[2] ?? ''), 9, 'add up to 6.00000'],
  ['another amount', cell('订单金额', '100.01'), 8, '订单总金额'],
  ['another settled amount', cell('应结订单金额', '100.01'), 8, '应结订单总金额'],
  ['another refund', cell('申请退款金额', '30.01', 2), 8, '申请退款总金额'],
  ['another refunded amount', cell('退款金额', '30.01', 2), 8, '退款总金额'],
  ['another coupon', cell('充值券退款金额', '0.01', 2), 8, '充值券退款总金额'],
  ['another fee', cell('手续费', '0.60001'), 8, '手续费总金额'],
  [
    'a summary without its count',
    all.with(6, '总交易单,手续费总金额'),
    7,
    'expected a backtick or',
  ],
  [
    'a summary without the fee',
    all.with(6, (all[6] ?? '').replace('手续费', 'x')),
    7,
    '手续费总金额',
  ],
  ['a summary of fewer values', all.with(7, row(['5.0'])), 8, 'expected 7 values, found 1'],
  ['a summary of words', all.with(7, (all[7] ?? '').replace('5.0', 'five')), 8, '"five"'],
  ['no amount', cell('订单金额', ''), 2, 'expected yuan with two decimals, found ""'],
  ['a negative amount', cell('订单金额', '-100.00'), 2, 'found "-100.00"'],
  ['three decimals', cell('订单金额', '100.001'), 2, 'found "100.001"'],
  ['thousands', cell('订单金额', '1 000.00'), 2, 'found "1 000.00"'],
  ['an exponent', cell('订单金额', '1e2'), 2, 'found "1e2"'],
  ['no fee', cell('手续费', ''), 2, '手续费'],
  ['a fee of six decimals', cell('手续费', '0.600000'), 2, '手续费'],
  ['a rate without %', cell('费率', '0.60'), 2, '费率'],
  ['another currency', cell('货币种类', 'USD'), 2, 'expected CNY, found "USD"'],
  ['another merchant', cell('商户号', '1900000110'), 2, 'expected merchant 1900000109'],
  ['no time', cell('交易时间', ''), 2, 'expected a time'],
  ['another form of time', cell('交易时间', '2026/3/14 9:15'), 2, 'expected a time'],
  ['a day that there is not', cell('交易时间', '2026-02-30 09:15:00'), 2, 'expected a time'],
  ['an hour that there is not', cell('交易时间', '2026-03-14 24:00:00'), 2, 'expected a time'],
  ['a refund among payments alone', refundInSuccess(), 2, 'a refund in a bill without'],
  ['a layout without the amount', renamed('订单金额'), 1, '订单金额 or 总金额'],
  ['a layout without the refund number', renamed('商户退款单号'), 1, '商户退款单号'],
  ['a layout without the amount asked for', renamed('申请退款金额'), 1, '申请退款金额'],
  ['a layout without the state', renamed('交易状态'), 1, '交易状态'],
]

function refundInSuccess(): readonly string[] {
  return withCell(sampleOf('SUCCESS').lines, 0, '交易状态', 'REFUND')
}

function renamed(column: string): readonly string[] {
  const names = (all[0] ?? '').split(',').map((name) => (name === column ? 'x' : name))
  return all.with(0, names.join(','))
}

describe('a bill is refused whole', () => {
  test.each(BROKEN)('RC-05, F111, F121: %s', async (_name, lines, line, reason) => {
    const broken = await brokenBy(readLines(lines))
    expect(broken.message).toContain(reason)
    expect(broken.line).toBe(line)
  })

  test.each([
    ['a missing movement', fund.toSpliced(2, 1), '资金流水总笔数'],
    ['another amount in', withCell(fund, 0, '收支金额(元)', '100.01'), '收入金额'],
    ['another amount out', withCell(fund, 1, '收支金额(元)', '0.61'), '支出金额'],
    ['the other direction', withCell(fund, 1, '收支类型', '收入'), '收入笔数'],
    ['no direction', withCell(fund, 1, '收支类型', ''), '收支类型'],
    [
      'a summary without a sum',
      fund.with(5, '资金流水总笔数,收入笔数,收入金额,支出笔数'),
      '支出金额',
    ],
  ])('of funds: %s', async (_name, lines, reason) => {
    const broken = await brokenBy(readLines(lines, { kind: 'fund' }))
    expect(broken.message).toContain(reason)
  })

  test('when it is of another day: a person may upload the wrong file', async () => {
    const broken = await brokenBy(readLines(all, { businessDate: '2026-03-15' }))
    expect(broken.message).toBe('no line is of 2026-03-15')
  })

  test('the message names line and column, and no more of a value than finds it', async () => {
    const broken = await brokenBy(readLines(cell('手续费', '9'.repeat(5000))))
    expect(broken.column).toBe('手续费')
    expect(broken.message).toEndWith('(line 2, 手续费)')
    expect(broken.message.length).toBeLessThan(200)
  })
})

describe('bytes', () => {
  test.each([10, 20, 30, 40, 50, 60, 70, 80, 90])('F111: cut at %p %%', async (percent) => {
    const cut = packed.subarray(0, Math.floor((packed.length * percent) / 100))
    await brokenBy(readFile(cut))
    const plain = bytesOf(all)
    await brokenBy(readFile(plain.subarray(0, Math.floor((plain.length * percent) / 100))))
  })

  test('F111, RC-04: cut by a single byte, or with one too many', async () => {
    expect((await brokenBy(readFile(packed.subarray(0, -1)))).message).toContain('gzip')
    expect((await brokenBy(readFile(Buffer.concat([packed, Buffer.of(7)])))).message).toContain(
      'gzip',
    )
  })

  test('F112, RC-04: any flipped bit of the packed body is found', async () => {
    // Behind the head of ten bytes, whose time and system are nobody's business.
    for (let at = 10; at < packed.length; at += 7) {
      const flipped = Uint8Array.from(packed)
      flipped[at] = (flipped[at] ?? 0) ^ 0x10
      await brokenBy(readFile(flipped))
    }
  })

  test.each([
    ['GBK', Buffer.from([0xd6, 0xd0])],
    ['half a character', Buffer.from([0xe8, 0x8c])],
    ['an overlong form', Buffer.from([0xc0, 0xaf])],
  ])('F113, RC-03: %s is not UTF-8, and the line is named', async (_name, odd) => {
    const text = Buffer.from(textOf(all))
    const at = text.indexOf('Demo mug')
    const broken = Buffer.concat([text.subarray(0, at), odd, text.subarray(at)])
    const error = await brokenBy(readFile(gzipSync(broken)))
    expect(error.message).toBe('expected UTF-8 (line 3)')
  })

  test('F115: a bomb stops early', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, '`'))
    expect((await brokenBy(readFile(bomb))).message).toMatch(/like a bomb|longer than/)
    const lines = gzipSync(textOf([...all.slice(0, 2), ...Array(200_000).fill(all[1] ?? '')]))
    expect((await brokenBy(readFile(lines))).message).toContain('expand like a bomb')
  })

  test('F115: what is packed twice is unpacked once', async () => {
    expect((await brokenBy(readFile(gzipSync(packed)))).message).toBe('expected UTF-8 (line 1)')
  })

  test('a line has a limit, wherever its pieces are cut', async () => {
    const max = BILL_LIMITS.lineBytesMax
    const room = max - Buffer.byteLength(all[1] ?? '') + 'Demo tea set'.length - 1
    expect(await readLines(cell('商品名称', 'x'.repeat(room)))).toHaveLength(5)
    const long = bytesOf(cell('商品名称', 'x'.repeat(room + 1)))
    for (const pieces of [[long], cutAt(long, [max]), cutAt(long, [5, 70_000])]) {
      const error = await brokenBy(readPieces(pieces))
      expect(error.message).toBe(`longer than ${max} bytes (line 2)`)
    }
    const wide = bytesOf(cell('商品名称', '茶'.repeat(Math.ceil(max / 3))))
    expect((await brokenBy(readPieces([wide]))).line).toBe(2)
  })

  test('F115: a line that never ends is not gathered', async () => {
    let pieces = 0
    async function* endless() {
      for (; pieces < 1000; pieces += 1) yield Buffer.alloc(16 * 1024, 'x')
    }
    const owner = { mchid: '1900000109', businessDate: '2026-03-14' }
    const broken = await brokenBy(Array.fromAsync(readText(endless(), 'transaction', owner)))
    expect(broken.message).toContain('longer than')
    expect(pieces * 16 * 1024).toBeLessThanOrEqual(BILL_LIMITS.lineBytesMax)
  })
})
