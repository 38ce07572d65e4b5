import { describe, expect, test } from 'bun:test'
import { parseRate } from '#channel/wechat-pay/wire-bill'
import { PAYMENTS, REFUNDS, byLine, readLines, row, sampleOf, withCell } from './bill-support.ts'

const all = sampleOf('ALL').lines

describe('money', () => {
  test('wechatpay checklist 71: negative fees of five decimals, and counts such as 45.0, are exact', async () => {
    const row45 = all[1] ?? ''
    const lines = [
      all[0] ?? '',
      ...Array.from({ length: 43 }, () => row45),
      ...withCell(
        withCell([all[0] ?? '', row45], 0, '手续费', '0.00001'),
        0,
        '费率',
        '39.00%',
      ).slice(1),
      ...withCell([all[0] ?? '', all[3] ?? ''], 0, '手续费', '-0.27001').slice(1),
      all[6] ?? '',
      row(['45.0', '4400.00', '30.00', '0.0', '25.53', '4400.00', '30.00']),
    ]
    const read = await readLines(lines)
    expect(read).toHaveLength(45)
    expect(read[43]).toMatchObject({ fee: '0.00001', rate: '0.39' })
    expect(read[44]).toMatchObject({ fee: '-0.27001', rate: '0.006' })
  })

  test('wechatpay checklist 71: the largest amount loses nothing', async () => {
    const lines = [
      ...withCell(
        withCell(all.slice(0, 2), 0, '订单金额', '90071992547409.93'),
        0,
        '应结订单金额',
        '0.01',
      ),
      all[6] ?? '',
      row(['1.0', '0.01', '0.00', '0.00', '0.60', '90071992547409.93', '0.00']),
    ]
    const [read] = await readLines(lines)
    expect(read?.amountMinor).toBe(9_007_199_254_740_993n)
  })

  test('wechatpay checklist 72: the order amount and the amount asked for, not what coupons leave', async () => {
    const changed = withCell(withCell(all, 0, '应结订单金额', '90.00'), 2, '退款金额', '27.00')
    const lines = changed.with(
      7,
      row(['5.0', '140.99', '37.00', '0.00', '0.67', '150.99', '40.00']),
    )
    const read = await readLines(lines)
    expect(read[0]?.amountMinor).toBe(10_000n)
    expect(read[2]?.amountMinor).toBe(3000n)
    // The fee is of what coupons leave; lines without a coupon say nothing more.
    expect(read.map(({ feeBaseMinor }) => feeBaseMinor)).toEqual([
      9000n,
      undefined,
      2700n,
      undefined,
      undefined,
    ])
  })

  test.each(['SUCCESS', 'PROCESSING', 'FAIL', 'CHANGE', 'NEW'])(
    'wechatpay checklist 72, 73: the state %s of a refund changes nothing',
    async (state) => {
      const read = await readLines(withCell(all, 2, '退款状态', state))
      expect(read).toEqual(byLine([...PAYMENTS, ...REFUNDS]))
    },
  )

  test('wechatpay checklist 73: the type FACE is as good as any', async () => {
    expect(await readLines(withCell(all, 0, '交易类型', 'FACE'))).toHaveLength(5)
  })

  test.each(['REVOKED', 'A_NEW_STATE'])('a row in state %s is for a person', async (state) => {
    const read = await readLines(withCell(all, 0, '交易状态', state))
    expect(read[0]).toMatchObject({ kind: 'other', stateText: state, amountMinor: 10_000n })
  })

  test('RC-11: a row that comes twice is there twice', async () => {
    const lines = [...all.slice(0, 2), all[1] ?? '', ...all.slice(2)]
    const sums = ['6.0', '250.99', '40.00', '0.00', '1.27', '250.99', '40.00']
    const read = await readLines(lines.with(8, row(sums)))
    expect(read).toHaveLength(6)
    expect({ ...read[1], line: 2 }).toEqual({ ...PAYMENTS[0], line: 2 })
  })

  test('RC-16: rows of another app of the same merchant are ours', async () => {
    expect(await readLines(withCell(all, 0, '公众账号ID', 'wx0000000000000001'))).toHaveLength(5)
  })

  test.each([
    ['0.60%', '0.006'],
    ['39.00%', '0.39'],
    ['0.38%', '0.0038'],
    ['100%', '1'],
    ['0.00%', '0'],
    ['10%', '0.1'],
    ['0.0001%', '0.000001'],
    ['', ''],
    ['0.6', undefined],
    ['-0.60%', undefined],
    ['0.00001%', undefined],
    ['%', undefined],
  ])('the rate %p is %p', (text, rate) => {
    expect(parseRate(text)).toBe(rate)
  })
})
