import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { BillLine } from '#channel/bill'
import {
  MARK,
  PAYMENTS,
  REFUNDS,
  byLine,
  kindOf,
  readFile,
  readLines,
  row,
  sampleOf,
  textOf,
  valuesOf,
  withCell,
} from './bill-support.ts'

const NAMES = ['ALL', 'SUCCESS', 'REFUND', 'FUND'] as const
const all = sampleOf('ALL').lines
const numbered = (lines: readonly BillLine[]) =>
  lines.map((line, index) => ({ ...line, line: index + 2 }))

describe('the samples of the dossier, whose figures are invented', () => {
  test.each(NAMES)('wechatpay checklist 68: %s hashes to the listed value', (name) => {
    const { lines, bytes, sha1 } = sampleOf(name)
    const text = Buffer.from(textOf(lines))
    expect(text.length).toBe(bytes)
    expect(createHash('sha1').update(text).digest('hex')).toBe(sha1)
  })

  test('wechatpay checklist 70: ALL, 27 columns, gives every row and total (RC-10)', async () => {
    expect((all[0] ?? '').split(',')).toHaveLength(27)
    expect(await readLines(all)).toEqual(byLine([...PAYMENTS, ...REFUNDS]))
  })

  test('wechatpay checklist 70: SUCCESS, 20 columns, gives the payments', async () => {
    const { lines } = sampleOf('SUCCESS')
    expect((lines[0] ?? '').split(',')).toHaveLength(20)
    expect(await readLines(lines)).toEqual(numbered(PAYMENTS))
  })

  test('wechatpay checklist 70: REFUND, 29 columns, gives the refunds', async () => {
    const { lines } = sampleOf('REFUND')
    expect((lines[0] ?? '').split(',')).toHaveLength(29)
    expect(await readLines(lines)).toEqual(numbered(REFUNDS))
  })

  test('wechatpay checklist 70: the fund bill, 11 columns, gives every movement', async () => {
    const { lines } = sampleOf('FUND')
    expect((lines[0] ?? '').split(',')).toHaveLength(11)
    const rows = await readLines(lines, { kind: 'fund' })
    expect(
      rows.map(({ kind, amountMinor, fee, stateText }) => [kind, amountMinor, fee, stateText]),
    ).toEqual([
      ['payment', 10_000n, '', '交易 收入'],
      ['fee', 60n, '0.60', '扣除交易手续费 支出'],
      ['refund', 3000n, '', '退款 支出'],
      ['fee', 18n, '-0.18', '退还交易手续费 收入'],
    ])
    expect(rows[0]).toMatchObject({
      channelPaymentId: '4200002603202603141234567890',
      channelRefundId: '',
      at: '2026-03-14T09:15:03+08:00',
    })
    expect(rows[3]).toMatchObject({
      channelPaymentId: '',
      channelRefundId: '50300002602026031412345678901',
    })
  })
})

describe('a movement of the fund bill that is no payment', () => {
  const { lines } = sampleOf('FUND')
  /** The sample's second one, which took money, under these names. */
  const named = async (name: string, type: string) => {
    const changed = withCell(withCell(lines, 1, '业务名称', name), 1, '业务类型', type)
    return (await readLines(changed, { kind: 'fund' }))[1]
  }

  test.each(['充值/提现', '充值', '提现', '企业付款', '代金券', '分账'])(
    'of the name %s is the shop’s own',
    async (name) => {
      const type = '一个新类型'
      expect(await named(name, type)).toMatchObject({ kind: 'own', fee: '', amountMinor: 60n })
    },
  )

  test.each([
    ['一个新名称', '一个新类型'],
    ['退款', '退款关闭'],
    ['一个新名称', '提现'],
  ])('of the name %s and the type %s is for a person', async (name, type) => {
    expect(await named(name, type)).toMatchObject({ kind: 'other', stateText: `${type} 支出` })
  })

  test('is for a person where the bill has no names', async () => {
    const [header = '', ...rest] = lines
    const renamed = [header.replace('业务名称', '名称'), ...rest]
    const read = await readLines(withCell(renamed, 1, '业务类型', '提现'), { kind: 'fund' })
    expect(read.map(({ kind }) => kind)).toEqual(['payment', 'other', 'refund', 'fee'])
  })
})

/** WeChat Pay dossier, section 6.7: rebuilt from its description; there is no sample of it. */
const OLD_HEADER =
  '交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,企业红包金额,微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率'
const OLD_SUMMARY = '总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额'
const oldRow = (line: string | undefined): string => row(valuesOf(line ?? '').slice(0, 24))
const old = [
  OLD_HEADER,
  ...all.slice(1, 6).map(oldRow),
  OLD_SUMMARY,
  row(['5.0', '150.99', '40.00', '0.00', '0.67']),
]

test('wechatpay checklist 70: the older layout, 24 columns, gives the same rows', async () => {
  expect(OLD_HEADER.split(',')).toHaveLength(24)
  expect(await readLines(old)).toEqual(byLine([...PAYMENTS, ...REFUNDS]))
})

describe('wechatpay checklist 69: the same rows', () => {
  test.each([
    ['with a mark and CRLF', textOf(all)],
    ['without a mark', textOf(all, '\r\n', '')],
    ['with LF', textOf(all, '\n')],
    ['with LF and no mark', textOf(all, '\n', '')],
    ['without the last line end', textOf(all).trimEnd()],
    ['with empty lines at the end', `${textOf(all)}\r\n\n`],
  ])('RC-03, F113: %s', async (_name, text) => {
    expect(await readFile(gzipSync(text))).toEqual(byLine([...PAYMENTS, ...REFUNDS]))
  })

  test('when a person unpacked the file before the upload', async () => {
    expect(await readFile(Buffer.from(textOf(all)))).toHaveLength(5)
  })

  test('RC-05, F121: in any order of columns, and with columns that nobody knows', async () => {
    const turned = [
      ...all.slice(0, 6).map((line, index) => {
        const values = index === 0 ? line.split(',') : valuesOf(line)
        const more = [...values.toReversed(), index === 0 ? '新的列' : 'x']
        return index === 0 ? more.join(',') : row(more)
      }),
      ...all.slice(6),
    ]
    expect(await readLines(turned)).toEqual(byLine([...PAYMENTS, ...REFUNDS]))
  })

  test('with full-width brackets in the names of the fund bill', async () => {
    const { lines } = sampleOf('FUND')
    const wide = (lines[0] ?? '').replaceAll('(', '（').replaceAll(')', '）')
    expect(wide).not.toBe(lines[0] ?? '')
    const read = await readLines(lines.with(0, wide), { kind: 'fund' })
    expect(read).toEqual(await readLines(lines, { kind: 'fund' }))
  })

  test.each([
    ['an escaped comma', 'Demo mug\\ blue'],
    ['a comma', 'mug, blue'],
    ['quotes', '"mug" \'blue\''],
    ['a second backtick', '`mug`'],
    ['an escaped line', 'mug\\nblue'],
    ['characters outside the plane', '茶具🍵'],
    ['a formula (F122)', "=cmd|' /C calc'!A0"],
    ['a name of the summary', '总交易单数'],
    ['a BOM', `${MARK}mug`],
  ])('RC-06, F113: whatever stands in a product name: %s', async (_name, text) => {
    const lines = withCell(all, 0, '商品名称', text)
    expect(await readLines(lines)).toEqual(byLine([...PAYMENTS, ...REFUNDS]))
  })

  test('exactly one backtick is taken away', async () => {
    const [first] = await readLines(withCell(all, 0, '商户订单号', '`ODD'))
    expect(first?.paymentNumber).toBe('`ODD')
  })
})

test('RC-08: the summary is no row, and each kind of bill knows only its own', async () => {
  const read = await readLines(all)
  expect(read.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6])
  for (const name of NAMES) {
    const other = kindOf(name) === 'fund' ? 'transaction' : 'fund'
    await expect(readLines(sampleOf(name).lines, { kind: other })).rejects.toThrow(
      'column is missing',
    )
  }
})

test('a bill of no rows is sound', async () => {
  const zeros = row(['0.0', '0.0', '0.0', '0.0', '0.0', '0.0', '0.0'])
  expect(await readLines([all[0] ?? '', all[6] ?? '', zeros])).toEqual([])
})
