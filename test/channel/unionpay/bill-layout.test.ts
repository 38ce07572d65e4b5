import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { BillLine } from '#channel/bill'
import { Cells } from '#channel/unionpay/bill-cell'
import { detailLayout } from '#channel/unionpay/wire-bill'
import {
  LINES,
  PAYMENT_LINE,
  REFUND_LINE,
  archive,
  bytesOf,
  content,
  detailName,
  dispute,
  disputeName,
  fixture,
  packed,
  packedDetail,
  payment,
  readFile,
  readRecords,
  refund,
  summaryName,
  withBytes,
} from './bill-support.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const sample = [payment(), refund()]

describe('the sample of the dossier, whose figures are invented', () => {
  test('unionpay checklist 39: the content inflates to an archive, and that to the listed file', async () => {
    expect(archive).toHaveLength(fixture.archiveBytes)
    expect(sha256(archive)).toBe(fixture.archiveSha256)
    // Joined by hand from the table of columns, and so the same bytes as the dossier's.
    expect(bytesOf(sample)).toHaveLength(fixture.detailBytes)
    expect(sha256(bytesOf(sample))).toBe(fixture.detailSha256)
    expect(await readFile(content)).toEqual([...LINES])
  })

  test('is also read when a person has unpacked the archive', async () => {
    expect(await readFile(archive)).toEqual([...LINES])
  })

  test('unionpay checklist 40: RC-14, records are cut by bytes, so a Chinese name moves nothing', () => {
    const values = sample.map((one, index) => {
      const cells = new Cells(detailLayout, Buffer.from(one, 'latin1'), index + 1)
      return Object.fromEntries(
        [...detailLayout.spans.keys()].map((column) => [column, cells.text(column)]),
      )
    })
    expect(values[0]).toMatchObject({
      transactionCode: 'S56',
      traceNo: '000123',
      traceTime: '0314101530',
      txnAmt: '000000012800',
      queryId: '782603141015300001238',
      orderId: 'T20260314101530001',
      fee: 'D000000000077',
      settleAmt: 'C000000012723',
      txnType: '01',
      txnSubType: '01',
      bizType: '000201',
      origTraceNo: '',
      origQryId: '',
      origOrderId: '',
      merId: '777290058110048',
      subMerAbbr: '测试门店',
      netAmt: 'C000000012723',
      termId: '01080209',
      merReserved: 'store=7',
      medium: '7',
    })
    expect(values[1]).toMatchObject({
      transactionCode: 'Z04',
      origTraceNo: '000123',
      origTraceTime: '0314101530',
      fee: '000000000000',
      settleAmt: 'D000000003000',
      txnType: '04',
      origQryId: '782603141015300001238',
      subMerAbbr: '测试门店',
      netAmt: 'D000000003000',
      merReserved: '',
      origOrderId: 'T20260314101530001',
    })
  })

  test('each column begins and ends at the byte that the dossier lists', () => {
    const listed = [...detailLayout.spans.values()].map(({ from, to }) => `${from + 1}-${to}`)
    expect(listed).toEqual(COLUMNS)
    expect(detailLayout.bytesMin).toBe(508)
  })

  test('unionpay checklist 42: RC-10, the sums are those of the dossier', async () => {
    const lines = await readFile(content)
    const sumOf = (kind: string): bigint =>
      lines.filter((line) => line.kind === kind).reduce((sum, line) => sum + line.amountMinor, 0n)
    expect([lines.length, sumOf('payment'), sumOf('refund')]).toEqual([2, 12_800n, 3000n])
    expect(lines.map(({ fee }) => fee)).toEqual(['0.77', '0.00'])
    const net = sample.map((one, index) =>
      new Cells(detailLayout, Buffer.from(one, 'latin1'), index).signedFen('netAmt'),
    )
    expect(net).toEqual([12_723n, -3000n])
    expect(net.reduce((sum, one) => sum + one, 0n)).toBe(9723n)
  })
})

/** UnionPay dossier, section 5.3, columns 1 to 41. */
const COLUMNS =
  '1-3 5-15 17-27 29-34 36-45 47-65 67-78 80-83 85-86 88-108 110-111 113-144 146-147 149-154 156-165 167-179 181-193 195-198 200-214 216-217 219-220 222-227 229-230 232-235 237-268 270-270 272-292 294-308 310-310 312-326 328-359 361-373 375-387 389-396 398-429 431-443 445-457 459-470 472-473 475-475 477-508'.split(
    ' ',
  )

describe('unionpay checklist 41: the tail is cut in several ways', () => {
  const detail = (one: string) => one.slice(0, 508)
  test.each([
    ['607 bytes', 607, sample],
    [
      '608 bytes, of which 67 are reserved',
      608,
      sample.map((one) => `${one.slice(0, 509)}C000000012723 07 1 123456789012 ${' '.repeat(67)}`),
    ],
    ['no tail at all', 508, sample.map(detail)],
    ['a blank for a tail', 509, sample.map((one) => `${detail(one)} `)],
    ['a longer tail', 807, sample.map((one) => one + ' '.repeat(200))],
  ])('%s', async (_name, bytes, records) => {
    expect(records.map(({ length }) => length)).toEqual([bytes, bytes])
    expect(await readRecords(records)).toEqual([...LINES])
  })

  test('with LF, and without the last line end', async () => {
    for (const bytes of [
      bytesOf(sample, '\n'),
      bytesOf(sample).subarray(0, -2),
      bytesOf(sample).subarray(0, -1),
      bytesOf(sample, '\n').subarray(0, -1),
    ]) {
      expect(await readFile(packed([{ name: detailName, bytes }]))).toEqual([...LINES])
    }
  })
})

describe('what a record is', () => {
  const first = async (one: string): Promise<BillLine | undefined> => (await readRecords([one]))[0]

  test.each([
    ['01', 'payment'],
    ['04', 'refund'],
    ['31', 'refund'],
    ['99', 'refund'],
    ['02', 'other'],
    ['03', 'other'],
    ['', 'other'],
    ['ZZ', 'other'],
  ] as const)('txnType %p is %p', async (txnType, kind) => {
    const record = refund({ types: [txnType, '00'] })
    expect(await first(record)).toMatchObject({ kind, stateText: txnType, amountMinor: 3000n })
  })

  test.each(['S56', 'S22', 'Z99', '   ', '?-!'])(
    'unionpay checklist 42: the code %p of the first column decides nothing',
    async (code) => {
      const [paid, back] = await readRecords([payment({ code }), refund({ code })])
      expect([paid?.kind, back?.kind]).toEqual(['payment', 'refund'])
    },
  )

  test('a void names its payment as a refund does', async () => {
    const voided = await first(refund({ types: ['31', '00'] }))
    expect(voided).toEqual({ ...REFUND_LINE, line: 1, stateText: '31' })
  })

  test('a refund of an old layout without the order number has the vendor’s number of the payment', async () => {
    const old = withBytes(refund(), 477, ' '.repeat(32))
    expect(await first(old)).toMatchObject({
      paymentNumber: '',
      channelPaymentId: '782603141015300001238',
      refundNumber: 'R20260314153000001',
    })
  })

  test.each([
    ['D000000000077', '0.77'],
    ['C000000000010', '-0.10'],
    [' 000000000000', '0.00'],
    ['D000000000000', '0.00'],
    ['D000012345678', '123456.78'],
  ])('RC-19: the fee %p is %p', async (fee, yuan) => {
    expect((await first(payment({ fee })))?.fee).toBe(yuan)
  })

  test('an amount of twelve digits is exact', async () => {
    const line = await first(payment({ amount: '999999999999' }))
    expect(line?.amountMinor).toBe(999_999_999_999n)
  })

  test('F113, RC-14: second bytes that look like ASCII are no end of anything', async () => {
    // 乕乗乚亅: 0x5b, 0x5c, 0x5d and 0x7c behind 0x81.
    const name = '\x81\x5b\x81\x5c\x81\x5d\x81\x7c'
    expect(await readRecords([payment({ name }), refund({ name })])).toEqual([...LINES])
  })

  test('the merchant’s own text may end in half a character: the vendor takes 32 bytes of it', async () => {
    const reserved = `${'x'.repeat(31)}\xb2`
    expect(await first(payment({ reserved }))).toEqual(PAYMENT_LINE)
  })

  test('RC-11: a record that comes twice is two lines', async () => {
    const lines = await readRecords([payment(), payment()])
    expect(lines.map(({ line, paymentNumber }) => [line, paymentNumber])).toEqual([
      [1, 'T20260314101530001'],
      [2, 'T20260314101530001'],
    ])
  })
})

describe('RC-14: the year is of the name of the file', () => {
  const at = async (date: string, time: string) => {
    const name = `INN${date.slice(2).replaceAll('-', '')}88ZM_${fixture.merId}`
    const bytes = bytesOf([payment({ time })])
    return (await readFile(packed([{ name, bytes }]), date))[0]?.at
  }

  test.each([
    ['2026-12-31', '1230230000', '2026-12-30T23:00:00+08:00'],
    ['2026-12-31', '1231225959', '2026-12-31T22:59:59+08:00'],
    ['2027-01-01', '1231230000', '2026-12-31T23:00:00+08:00'],
    ['2027-01-01', '0101225959', '2027-01-01T22:59:59+08:00'],
    // What settles later, and what the vendor dates ahead.
    ['2026-12-31', '0101000001', '2027-01-01T00:00:01+08:00'],
    ['2028-03-01', '0229120000', '2028-02-29T12:00:00+08:00'],
  ])('the file of %s has %s at %s', async (date, time, moment) => {
    expect(await at(date, time)).toBe(moment)
  })
})

describe('the archive', () => {
  test('RC-07: every detail file is read, and lines count on', async () => {
    const second = detailName.replace('88ZM', '01ZM')
    const raw = packed([
      { name: detailName, bytes: bytesOf([payment()]) },
      { name: second, bytes: bytesOf([refund()]) },
    ])
    expect(await readFile(raw)).toEqual([...LINES])
  })

  test('RC-08: disputes and the summary are no payments, and disputes are for a person', async () => {
    const lines = await readFile(
      packedDetail(sample, [
        { name: disputeName, bytes: bytesOf([dispute()]) },
        { name: summaryName, bytes: Buffer.from('01 1 128.00\r\n04 1 30.00\r\n') },
        { name: 'README', bytes: Buffer.from('anything') },
      ]),
    )
    expect(lines.slice(0, 2)).toEqual([...LINES])
    expect(lines.slice(2)).toEqual([
      {
        line: 3,
        kind: 'other',
        paymentNumber: '',
        channelPaymentId: '',
        refundNumber: '',
        channelRefundId: '',
        amountMinor: 500n,
        fee: '',
        rate: '',
        stateText: 'ZME E74',
        at: '2026-03-14T09:30:00+08:00',
      },
    ])
  })

  test.each([
    ['with thousands', payment({ amount: '000123456789' }), 'S22 1 1,234,567.89'],
    ['with thousands by blanks', payment({ amount: '000123456789' }), 'S22 1 1 234 567.89 0.77'],
    ['without them', payment({ amount: '000123456789' }), 'S22 1 1234567.89'],
    ['of less than a yuan', payment({ amount: '000000000005' }), 'S22 1 0.05'],
  ])('unionpay checklist 42: the summary says the sums, %s', async (_name, one, text) => {
    const summary = { name: summaryName, bytes: Buffer.from(text) }
    expect(await readFile(packedDetail([one], [summary]))).toHaveLength(1)
  })

  test('RC-02: an empty detail file is a day without business', async () => {
    expect(await readFile(packedDetail([]))).toEqual([])
  })
})
