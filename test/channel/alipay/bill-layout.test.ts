import { describe, expect, test } from 'bun:test'
import fixture from '../../fixture/alipay/bill.json'
import { writeZip } from '../../emulator/core/zip.ts'
import type { ZipEntry } from '../../emulator/core/zip.ts'
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
const header = (detail[4] ?? '').split(',')

const summaryEntry = entryOf('trade summary')
const withDetail = (detail: ZipEntry): Uint8Array => writeZip([detail, summaryEntry])

describe('the sample of the dossier, whose figures are invented', () => {
  test('alipay checklist 66: gives 2 payments of 0.80 and 1 refund of 0.20, and its totals agree', async () => {
    expect(header).toHaveLength(25)
    const lines = await read(transactionZip())
    expect(lines).toEqual([...ROWS])
    const sum = (kind: string): bigint =>
      lines.filter((line) => line.kind === kind).reduce((all, line) => all + line.amountMinor, 0n)
    expect([sum('payment'), sum('refund')]).toEqual([80n, 20n])
  })

  test('is in GBK what the vendor’s own files begin with', () => {
    const hex = (text: string): string => Buffer.from(encode(text)).toString('hex')
    expect(hex(detail[0] ?? '')).toBe(fixture.bytes.tradeTitle)
    expect(hex(account[0] ?? '')).toBe(fixture.bytes.accountTitle)
    expect(hex(header[12] ?? '')).toBe(fixture.bytes.receiptHeader)
  })

  test('of the account has 12 columns and gives every movement', async () => {
    expect((account[4] ?? '').split(',')).toHaveLength(12)
    expect(await read(accountZip(), { kind: 'fund' })).toEqual([...MOVEMENTS])
  })
})

describe('a movement of the account bill that is no payment', () => {
  test.each([
    ['提现', 'own'],
    ['转账', 'own'],
    ['交易退款', 'refund'],
    ['一个新类型', 'other'],
  ] as const)('of the type %s is %s', async (type, kind) => {
    const rows = await read(accountZip(withCell(account, 2, '业务类型', type)), { kind: 'fund' })
    expect(rows[2]).toMatchObject({ kind, stateText: `${type} 支出`, amountMinor: 20n })
  })
})

describe('alipay checklist 63: members are chosen by their first line', () => {
  test.each([
    ['in the other order', writeZip([summaryEntry, entryOf('trade')])],
    [
      'under each other’s names',
      writeZip([
        { ...entryOf('trade'), name: encode(nameOf('trade summary')) },
        { ...summaryEntry, name: encode(nameOf('trade')) },
      ]),
    ],
    [
      'under names that are no text in any charset',
      writeZip([
        { ...entryOf('trade'), name: Buffer.from([0xff, 0x80, 0x2e]) },
        { ...summaryEntry, name: Buffer.from([0xff]) },
      ]),
    ],
    [
      'under names in UTF-8, with its flag',
      writeZip([utf8Named('trade'), utf8Named('trade summary')]),
    ],
    [
      'under a name whose bytes hold a backslash and whose text does not',
      withDetail({ ...entryOf('trade'), name: encode('昞.csv') }),
    ],
  ])('alipay checklist 63: %s', async (_name, raw) => {
    expect(await read(raw)).toEqual([...ROWS])
  })

  test('RC-08: the summary is no detail, whatever it is called', async () => {
    const alone = writeZip([{ ...summaryEntry, name: encode(nameOf('trade')) }])
    expect((await brokenBy(read(alone))).message).toBe('expected the detail, found none')
    expect((await brokenBy(read(bytesOf(summary)))).message).toBe('expected the detail, found none')
  })

  test('RC-07: every detail of an archive is read, and the summary is of all', async () => {
    const more = detail.map((line) => line.replaceAll('T20260130', 'T20260131'))
    const last = summary.length - 1
    const doubled = (line: string | undefined): string =>
      (line ?? '').replace('2,1,0.60,0.60', '4,2,1.20,1.20').replace(/0\.60$/, '1.20')
    const both = summary
      .with(last, doubled(summary[last]))
      .with(last - 1, doubled(summary[last - 1]))
    const second = renamed(entryOf('trade', more), '2.csv')
    const raw = writeZip([entryOf('trade'), second, entryOf('trade summary', both)])
    const lines = await read(raw)
    expect(lines).toHaveLength(6)
    expect(new Set(lines.map(({ line }) => line)).size).toBe(6)
    const half = writeZip([entryOf('trade'), entryOf('trade summary', both)])
    expect((await brokenBy(read(half))).message).toContain('the summary says 4, the lines are 2')
  })
})

function utf8Named(table: 'trade' | 'trade summary'): ZipEntry {
  return { ...entryOf(table), name: Buffer.from(nameOf(table)), flags: 0x800 }
}

describe('alipay checklist 64: the same rows', () => {
  const content = (text: Uint8Array): Uint8Array =>
    withDetail({ ...entryOf('trade'), content: text })

  test.each([
    ['in GBK with CRLF', encode(textOf(detail), 'gbk')],
    ['in GB18030 with LF', encode(textOf(detail, '\n'))],
    ['in UTF-8 with a mark', encode(textOf(detail), 'utf-8')],
    ['in UTF-8 with a mark and LF', encode(textOf(detail, '\n'), 'utf-8')],
    ['without the last line end', encode(textOf(detail).trimEnd())],
    ['with empty lines at the end', encode(`${textOf(detail)}\r\n\r\n`)],
    ['with commas behind its comments', encode(textOf(detail.map(padded)))],
    ['without any tab', encode(textOf(detail).replaceAll('\t', ''))],
    ['with tabs and blanks around every value', encode(textOf(detail.map(blanked)))],
    ['with a character of four bytes', encode(textOf(withCell(detail, 0, '商品名称', '🍵𠮷')))],
  ])('RC-03, F113, alipay checklist 64: %s', async (_name, text) => {
    expect(await read(content(text))).toEqual([...ROWS])
  })

  test('F113, RC-03: UTF-8 with a mark is cut anywhere', async () => {
    const text = encode(textOf(detail), 'utf-8')
    for (let place = 1; place < text.length; place += 7) {
      expect(await readPieces(cutAt(text, [place, place + 300]))).toEqual([...ROWS])
    }
    const single = [...text].map((byte) => Uint8Array.of(byte))
    expect(await readPieces(single)).toEqual([...ROWS])
  })

  test('alipay checklist 64: UTF-8 without a mark is not guessed', async () => {
    const broken = await brokenBy(read(content(Buffer.from(textOf(detail)))))
    expect(broken.line).toBe(1)
  })

  test.each([
    ['half a character', Buffer.from([0x81])],
    ['a byte that is none', Buffer.from([0xff])],
  ])('F113: %s is no GB18030, and the line is named', async (_name, odd) => {
    const text = Buffer.from(encode(textOf(detail)))
    const at = text.indexOf(Buffer.from('RF2026'))
    const broken = Buffer.concat([text.subarray(0, at), odd, Buffer.from(','), text.subarray(at)])
    expect((await brokenBy(read(content(broken)))).message).toBe('expected GB18030 (line 8)')
  })

  test('when a person unpacked the detail before the upload', async () => {
    expect(await read(bytesOf(detail))).toEqual([...ROWS])
    expect(await read(bytesOf(account), { kind: 'fund' })).toEqual([...MOVEMENTS])
  })
})

const padded = (line: string): string => (line.startsWith('#') ? `${line},,,\t` : line)
const blanked = (line: string): string =>
  line.startsWith('#')
    ? line
    : line
        .split(',')
        .map((value) => ` \t${value}\t `)
        .join(',')

describe('alipay checklist 65: columns', () => {
  test('RC-05, F121, alipay checklist 65: are found in any order, and unknown ones are ignored', async () => {
    const turned = detail.map((line, index) => {
      if (line.startsWith('#')) return line
      return [...line.split(',').toReversed(), index === 4 ? '商户PID' : '2088'].join(',')
    })
    expect(await read(transactionZip(turned))).toEqual([...ROWS])
  })

  test('RC-05: of the newer account bill are read the same', async () => {
    const more = ['业务基础订单号', '业务订单号', '业务账单来源', '业务描述']
    const newer = account.map((line, index) => {
      if (line.startsWith('#')) return line
      const values = line.split(',')
      return [
        ...values.slice(0, 3),
        ...(index === 4 ? more : more.map(() => 'x')),
        ...values.slice(3),
      ].join(',')
    })
    expect(await read(accountZip(newer), { kind: 'fund' })).toEqual([...MOVEMENTS])
  })

  test('have brackets of either width', async () => {
    const narrow = detail.with(4, header.join(',').replaceAll('（', '(').replaceAll('）', ')'))
    expect(await read(transactionZip(narrow))).toEqual([...ROWS])
  })

  test.each([
    '支付宝交易号',
    '商户订单号',
    '业务类型',
    '完成时间',
    '订单金额（元）',
    '商家实收（元）',
    '商家优惠（元）',
    '退款批次号/请求号',
    '服务费（元）',
  ])('alipay checklist 65: without %s nothing is read', async (name) => {
    const renamed = detail.with(4, header.map((one) => (one === name ? 'x' : one)).join(','))
    const broken = await brokenBy(read(transactionZip(renamed)))
    expect(broken.message).toStartWith('the column is missing')
    expect(broken.line).toBe(5)
  })

  test.each([
    '业务流水号',
    '商户订单号',
    '发生时间',
    '收入金额（+元）',
    '支出金额（-元）',
    '业务类型',
  ])('of the account: without %s nothing is read', async (name) => {
    const renamed = account.with(
      4,
      (account[4] ?? '')
        .split(',')
        .map((one) => (one === name ? 'x' : one))
        .join(','),
    )
    const broken = await brokenBy(read(accountZip(renamed), { kind: 'fund' }))
    expect(broken.message).toStartWith('the column is missing')
  })
})

describe('RC-06, F113: whatever stands in a product name', () => {
  test.each([
    ['a comma in quotes', '"茶, 绿"'],
    ['quotes within quotes', '"茶 ""绿"", 大"'],
    ['quotes without a comma', '茶 "绿"'],
    ['a backtick', '`茶`'],
    ['a formula (F122)', "=cmd|' /C calc'!A0"],
    ['a comment', '#交易合计：9笔'],
    ['a word of the summary', '合计'],
    ['a backslash', '茶\\绿'],
  ])('RC-06: %s', async (_name, text) => {
    expect(await read(transactionZip(withCell(detail, 0, '商品名称', text)))).toEqual([...ROWS])
  })

  test.each([
    ['a bare comma', '茶,绿'],
    ['a quote that never ends, and a comma', '"茶,绿'],
    ['a line end', '茶\n绿'],
  ])('RC-06: %s is refused, not guessed', async (_name, text) => {
    const broken = await brokenBy(read(transactionZip(withCell(detail, 0, '商品名称', text))))
    expect(broken.message).toMatch(/^expected 25 values, found (26|4) \(line 6\)$/)
  })
})
