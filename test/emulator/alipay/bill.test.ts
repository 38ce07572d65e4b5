import { afterEach, beforeEach, expect, test } from 'bun:test'
import { z } from 'zod'

import { callsOf, subCodeOf } from './calls.ts'
import { SELLER_ID, startTestMerchant } from './merchant.ts'
import type { TestMerchant } from './merchant.ts'

const DATE = '2026-03-14'
const METHOD = 'alipay.data.dataservice.bill.downloadurl.query'
const linkSchema = z.object({ code: z.literal('10000'), bill_download_url: z.url() })

let now = new Date()
let merchant: TestMerchant

beforeEach(async () => {
  now = new Date(`${DATE}T09:15:02+08:00`)
  merchant = await startTestMerchant({ clock: () => now })
  const { create, refund } = callsOf(merchant)
  await create('ORDER1', { subject: '茶, "绿"', body: 'cart' })
  merchant.emulator.pay('ORDER1')
  now = new Date(`${DATE}T10:00:00+08:00`)
  await refund('ORDER1', '8.80', 'REFUND1')
  now = new Date('2026-03-15T09:00:00+08:00')
})

afterEach(() => merchant.stop())

const ask = (kind = 'trade', date = DATE) =>
  merchant.call(METHOD, { bill_type: kind, bill_date: date })

async function download(kind = 'trade') {
  const { node, isGenuine } = await ask(kind)
  expect(isGenuine).toBe(true)
  return fetch(linkSchema.parse(node).bill_download_url)
}

const wish = { sellerId: SELLER_ID, date: DATE }
const textsOf = (kind: 'trade' | 'signcustomer'): readonly string[] =>
  merchant.emulator.writeBill(kind, wish).map(({ text }) => text)

test('the trade bill is text as the vendor writes it (dossier 6.3, 6.4)', () => {
  const [detail = '', summary = ''] = textsOf('trade')
  const lines = detail.split('\r\n')
  const [tradeNo = ''] = (lines[5] ?? '').split('\t')
  expect(lines.slice(0, 3)).toEqual([
    '#支付宝业务明细查询',
    `#账号：[${SELLER_ID}0156]`,
    '#起始日期：[2026年03月14日 00:00:00]   终止日期：[2026年03月15日 00:00:00]',
  ])
  expect(lines[4]?.split(',')).toHaveLength(25)
  expect(lines[5]).toBe(
    `${tradeNo}\t,ORDER1\t,交易\t,"茶, ""绿""",2026-03-14 09:15:02,2026-03-14 09:15:02,\t,\t,\t,\t,*三(159****5620)\t,88.80,88.80,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,\t,0.00,0.00,cart`,
  )
  expect(lines[6]).toContain(',-8.80,-8.80,')
  expect(lines[6]).toEndWith(',REFUND1,0.00,0.00,cart')
  expect(lines.slice(8)).toEqual([
    '#交易合计：1笔，商家实收共88.80元，商家优惠共0.00元',
    '#退款合计：1笔，商家实收退款共-8.80元，商家优惠退款共0.00元',
    '#导出时间：[2026年03月15日 05:46:49]',
    '',
  ])
  expect(summary).toContain('\r\n合计\t,\t,1,1,80.00,80.00,0.00,0.00,0.00,0.00,0.00,80.00\r\n')
})

test('the account bill is text as the vendor writes it (dossier 6.5, 6.6)', () => {
  const [detail = '', summary = ''] = textsOf('signcustomer')
  const lines = detail.split('\r\n')
  expect(lines[0]).toBe('#支付宝账务明细查询')
  expect(lines[4]?.split(',')).toHaveLength(12)
  expect(lines[5]).toContain(',88.80,0.00,100088.80,支付宝,在线支付,')
  expect(lines[6]).toContain(',0.00,-8.80,100080.00,支付宝,交易退款,')
  expect(lines.slice(8, 10)).toEqual(['#支出合计：1笔，共-8.80元', '#收入合计：1笔，共88.80元'])
  expect(summary).toEndWith('\r\n合计,1,88.80,1,-8.80,80.00\r\n')
})

test('a bill is an archive in GBK, as Java packs it', async () => {
  const bytes = Buffer.from(await (await download()).arrayBuffer())
  expect(bytes.subarray(0, 4).toString('latin1')).toBe('PK\u0003\u0004')
  // The sizes stand behind the bytes, and no flag speaks of UTF-8.
  expect(bytes.readUInt16LE(6)).toBe(0x08)
  const name = new TextDecoder('gbk').decode(bytes.subarray(30, 30 + bytes.readUInt16LE(26)))
  expect(name).toBe(`${SELLER_ID}0156_20260314_业务明细.csv`)
})

test('a link lives for 30 seconds, and needs no signature', async () => {
  const { node } = await ask()
  const url = linkSchema.parse(node).bill_download_url
  now = new Date(now.getTime() + 29_999)
  expect((await fetch(url)).headers.get('content-type')).toBe('application/octet-stream')
  now = new Date(now.getTime() + 1)
  expect(await (await fetch(url)).text()).toContain('失效')
  expect(await (await fetch(url.replace(/token=\w+/, 'token=x'))).text()).toContain('失效')
})

test.each([
  ['today', '2026-03-15', 'INVAILID_ARGUMENTS'],
  ['this month', '2026-03', 'INVAILID_ARGUMENTS'],
  ['before 2016', '2015-12-31', 'INVAILID_ARGUMENTS'],
  ['no date', 'yesterday', 'INVAILID_ARGUMENTS'],
  ['a day without business', '2026-03-13', 'isp.bill_not_exist'],
])('there is no bill of %s', async (_name, date, code) => {
  expect(await subCodeOf(ask('trade', date))).toBe(code)
})

test('there is no bill before nine, nor of an unknown type', async () => {
  expect(await subCodeOf(ask('settlementMerge'))).toBe('TYPE_NOT_SUPPORTED')
  now = new Date('2026-03-15T08:59:59+08:00')
  expect(await subCodeOf(ask())).toBe('isp.bill_not_exist')
})

test('a month has the rows of all its days', async () => {
  now = new Date('2026-04-03T09:00:00+08:00')
  expect(await subCodeOf(ask('trade', '2026-03'))).toBe('10000')
  const [detail] = merchant.emulator.writeBill('trade', { ...wish, date: '2026-03' })
  const text = detail?.text ?? ''
  expect(text).toContain('[2026年03月01日 00:00:00]   终止日期：[2026年04月01日 00:00:00]')
  expect(text).toContain('#交易合计：1笔')
})

test('the control panel writes a bill', async () => {
  const written = await fetch(`${merchant.emulator.url}/_control/bill`, {
    method: 'POST',
    body: JSON.stringify({ ...wish, kind: 'trade' }),
  })
  expect(await written.json()).toEqual({ members: [...merchant.emulator.writeBill('trade', wish)] })
})
