import { describe, expect, test } from 'bun:test'
import { crc32 } from 'node:zlib'
import { BILL_LIMITS } from '#channel/bill'
import { ARCHIVE_TRICKS, archiveOf } from '../../emulator/alipay/bill-archive.ts'
import type { ArchiveTrick } from '../../emulator/alipay/bill-archive.ts'
import { writeZip } from '../../emulator/core/zip.ts'
import { brokenBy, cutAt } from '../bill-file.ts'
import {
  MOVEMENTS,
  ROWS,
  accountZip,
  bytesOf,
  encode,
  entryOf,
  linesOf,
  nameOf,
  read,
  readPieces,
  renamed,
  textOf,
  transactionZip,
  withCell,
} from './bill-support.ts'

const detail = linesOf('trade')
const account = linesOf('account')
const summary = linesOf('trade summary')
const accountSummary = linesOf('account summary')

const cell = (column: string, value: string, index = 0) => withCell(detail, index, column, value)
const inLine = (lines: readonly string[], at: number, from: string, to: string) =>
  lines.with(at, (lines[at] ?? '').replace(from, to))

type Broken = readonly [name: string, lines: readonly string[], line: number, reason: string]

/** What is not sound, with the line that a person is told. */
const DETAILS: readonly Broken[] = [
  ['nothing at all', [], 0, 'ends before its columns'],
  ['a page', ['<html>'], 1, 'expected #支付宝业务明细查询 or its summary, found "<html>"'],
  ['the account bill', account, 1, 'found "#支付宝账务明细查询"'],
  ['no account', detail.toSpliced(1, 1), 4, 'the line is missing (line 4, 账号)'],
  ['no period', detail.toSpliced(2, 1), 4, 'the line is missing (line 4, 起始日期)'],
  [
    'another merchant',
    inLine(detail, 1, '2088000000000001', '2088000000000009'),
    2,
    'expected merchant',
  ],
  ['another day', inLine(detail, 2, '01月30日', '01月29日'), 3, '2026年01月29日'],
  ['two days', inLine(detail, 2, '01月31日', '02月01日'), 3, 'to 2026年02月01日'],
  ['a column twice', inLine(detail, 4, '门店名称', '门店编号'), 5, 'there twice'],
  ['one value less', inLine(detail, 5, ',0.00', ''), 6, 'found 24'],
  ['one value more', detail.with(5, `${detail[5]},x`), 6, 'found 26'],
  ['a row behind the end', [...detail, detail[5] ?? ''], 13, 'behind the end'],
  ['an empty line between rows', detail.toSpliced(6, 0, ''), 8, 'behind the end'],
  ['a comment between rows', detail.toSpliced(6, 0, '#'), 8, 'behind the end'],
  [
    'no total of payments (F121)',
    detail.toSpliced(9, 1),
    11,
    'before its total (line 11, 交易合计)',
  ],
  ['no total of refunds (F121)', detail.toSpliced(10, 1), 11, '退款合计'],
  ['a total twice', detail.toSpliced(10, 0, detail[9] ?? ''), 11, 'comes twice'],
  ['a total without its amount', inLine(detail, 9, '商家实收共0.80元', ''), 10, '交易合计'],
  ['a missing row', detail.toSpliced(6, 1), 9, 'the lines are 1 rows of 0.50 and 0.00'],
  ['a row twice', detail.toSpliced(6, 0, detail[6] ?? ''), 11, '3 rows of 1.10'],
  ['a missing refund', detail.toSpliced(7, 1), 10, '0 rows of 0.00 and 0.00'],
  ['another receipt', cell('商家实收（元）', '0.51'), 10, '2 rows of 0.81'],
  ['another discount', cell('商家优惠（元）', '0.01'), 10, '0.80 and 0.01'],
  ['another refund', cell('商家实收（元）', '-0.21', 2), 11, '1 rows of -0.21'],
  ['no amount', cell('订单金额（元）', ''), 6, 'expected yuan with two decimals, found ""'],
  ['three decimals', cell('订单金额（元）', '0.501'), 6, 'found "0.501"'],
  ['an exponent', cell('订单金额（元）', '5e1'), 6, 'found "5e1"'],
  ['a full-width digit', cell('订单金额（元）', '０.50'), 6, 'found "０.50"'],
  ['a negative payment', cell('订单金额（元）', '-0.50'), 6, 'sign of the amount'],
  ['a positive refund', cell('订单金额（元）', '0.20', 2), 8, 'sign of the amount'],
  ['no fee', cell('服务费（元）', ''), 6, '服务费'],
  ['no time', cell('完成时间', ''), 6, 'expected a time'],
  ['a day that there is not', cell('完成时间', '2026-02-29 10:00:00'), 6, 'expected a time'],
  ['another form of time', cell('完成时间', '2026/1/30 10:00'), 6, 'expected a time'],
]

describe('alipay checklist 67: a bill is refused whole', () => {
  test.each(DETAILS)(
    'RC-05, F111, F121, alipay checklist 67: %s',
    async (_name, lines, line, reason) => {
      const broken = await brokenBy(read(transactionZip(lines)))
      expect(broken.message).toContain(reason)
      expect(broken.line).toBe(line)
    },
  )

  test.each([
    ['a missing movement', account.toSpliced(6, 1), '收入合计'],
    ['another income', withCell(account, 0, '收入金额（+元）', '0.51'), '收入合计'],
    ['another expense', withCell(account, 2, '支出金额（-元）', '-0.21'), '支出合计'],
    ['an expense without its sign', withCell(account, 2, '支出金额（-元）', '0.20'), 'either'],
    ['both at once', withCell(account, 0, '支出金额（-元）', '-0.10'), 'either'],
    ['neither', withCell(account, 0, '收入金额（+元）', ''), 'either'],
    ['no total of the income', account.toSpliced(10, 1), '收入合计'],
    ['no total of the expenses', account.toSpliced(9, 1), '支出合计'],
  ])('alipay checklist 67: of the account: %s', async (_name, lines, reason) => {
    const broken = await brokenBy(read(accountZip(lines), { kind: 'fund' }))
    expect(broken.message).toContain(reason)
  })

  test('the message names line and column, and no more of a value than finds it', async () => {
    const broken = await brokenBy(read(transactionZip(cell('服务费（元）', '9'.repeat(5000)))))
    expect(broken.column).toBe('服务费(元)')
    expect(broken.message).toEndWith('(line 6, 服务费(元))')
    expect(broken.message.length).toBeLessThan(200)
  })
})

describe('the summary and the lines', () => {
  const last = summary.length - 1
  const both = (from: string, to: string) =>
    inLine(inLine(summary, last, from, to), last - 1, from, to)

  test.each([
    ['one payment more', both(',2,1,', ',3,1,'), 'says 3, the lines are 2: 交易订单总笔数'],
    ['one refund less', both(',2,1,', ',2,0,'), 'says 0, the lines are 1: 退款订单总笔数'],
    ['another amount', both(',0.60,0.60,', ',0.61,0.60,'), 'says 0.61, the lines are 0.60 or 0.80'],
    ['another receipt', both(',0.60,0.60,', ',0.60,0.61,'), '商家实收(元)'],
    [
      'a last row that its rows do not add up to',
      inLine(summary, last, '0.60,0.60', '0.80,0.80'),
      '订单金额(元)',
    ],
    [
      'a net that its rows do not add up to',
      summary.with(last, (summary[last] ?? '').replace(/0\.60$/, '0.59')),
      '实收净额(元)',
    ],
    ['no last row', summary.toSpliced(last, 1), 'ends before its row 合计'],
    ['two last rows', [...summary, summary[last] ?? ''], 'goes on after its last row'],
    ['no number', both(',2,1,', ',zwei,1,'), 'expected a number, found "zwei"'],
    ['a layout without the payments', inLine(summary, 4, '交易订单总笔数', 'x'), '交易订单总笔数'],
    ['another day', inLine(summary, 2, '01月30日', '01月29日'), '起始日期'],
  ])('RC-08, alipay checklist 67: %s is refused', async (_name, lines, reason) => {
    expect((await brokenBy(read(transactionZip(detail, lines)))).message).toContain(reason)
  })

  test('refunds may be taken off or not: the dossier does not know', async () => {
    const gross = both('0.60,0.60', '0.80,0.80')
    expect(await read(transactionZip(detail, gross))).toEqual([...ROWS])
  })

  test.each([
    ['one movement more', accountSummary.map((line) => line.replace(/^(在线支付|合计),2/, '$1,3'))],
    [
      'another amount',
      accountSummary.map((line) => line.replace(/^(在线支付|合计),2,0.80/, '$1,2,0.81')),
    ],
    ['no last row', accountSummary.slice(0, -1)],
  ])('alipay checklist 67: of the account: %s is refused', async (_name, lines) => {
    expect((await brokenBy(read(accountZip(account, lines), { kind: 'fund' }))).message).toContain(
      'the summary',
    )
    expect(await read(accountZip(), { kind: 'fund' })).toEqual([...MOVEMENTS])
  })

  test('an archive has a summary, and one', async () => {
    const without = writeZip([entryOf('trade')])
    expect((await brokenBy(read(without))).message).toBe('expected a summary, found none')
    const entry = entryOf('trade summary')
    const two = writeZip([entryOf('trade'), entry, renamed(entry, '2.csv')])
    expect((await brokenBy(read(two))).message).toContain('a second summary')
  })
})

const TRICK_REASONS: Readonly<Record<ArchiveTrick, string>> = {
  parent_path: 'a member has a path',
  absolute_path: 'a member has a path',
  backslash_path: 'a member has a path',
  drive_path: 'a member has a path',
  symbolic_link: 'a member is a link',
  encrypted: 'a member is encrypted',
  overlapping: 'members overlap',
  many_members: `expected at most ${BILL_LIMITS.entriesMax} members`,
  wrong_crc: 'a member has another CRC-32 than its entry',
}

describe('the archive', () => {
  const members = [
    { name: nameOf('trade'), text: textOf(detail) },
    { name: nameOf('trade summary'), text: textOf(summary) },
  ]

  test.each(ARCHIVE_TRICKS)('F116: %s is refused, for what it is', async (trick) => {
    expect(await read(archiveOf(members))).toEqual([...ROWS])
    const broken = await brokenBy(read(archiveOf(members, trick)))
    expect(broken.message).toBe(`zip: ${TRICK_REASONS[trick]}`)
  })

  test('F112, RC-04: a changed byte of the plain text under an old CRC-32 is refused', async () => {
    const changed = entryOf('trade', cell('商品名称', '测试商品二'))
    const crc = crc32(entryOf('trade').content)
    expect(await read(writeZip([changed, entryOf('trade summary')]))).toEqual([...ROWS])
    const broken = await brokenBy(read(writeZip([{ ...changed, crc }, entryOf('trade summary')])))
    expect(broken.message).toBe('zip: a member has another CRC-32 than its entry')
  })

  test.each([
    ['more bytes behind it', Buffer.concat([transactionZip(), Buffer.from('more')])],
    ['all but one byte', transactionZip().subarray(0, -1)],
    ['no member', writeZip([])],
    ['a folder', writeZip([{ name: encode('账单/'), content: new Uint8Array() }])],
    [
      'a member that nobody knows',
      writeZip([
        entryOf('trade'),
        entryOf('trade summary'),
        { name: encode('x'), content: encode('x') },
      ]),
    ],
    [
      'an archive in an archive (F115)',
      writeZip([{ name: encode('x'), content: transactionZip() }]),
    ],
  ])('F111, F116: %s is refused', async (_name, raw) => {
    await brokenBy(read(raw))
  })

  test('F115: members together have one limit', async () => {
    // Each alone is below all limits.
    const noise = Buffer.alloc(6 * 1024 * 1024, '#\r\n')
    const entry = entryOf('trade')
    const content = Buffer.concat([entry.content, noise])
    const large = { ...entry, content }
    const bomb = writeZip([large, renamed(large, '2.csv'), entryOf('trade summary')])
    expect(bomb.length * BILL_LIMITS.ratioMax).toBeLessThan(2 * content.length)
    expect((await brokenBy(read(bomb))).message).toContain('expand like a bomb')
  })
})

test('a line has a limit, wherever its pieces are cut', async () => {
  const max = BILL_LIMITS.lineBytesMax
  const long = bytesOf(cell('商品名称', 'x'.repeat(max)))
  for (const pieces of [[long], cutAt(long, [max]), cutAt(long, [5, 70_000])]) {
    expect((await brokenBy(readPieces(pieces))).message).toBe(`longer than ${max} bytes (line 6)`)
  }
})
