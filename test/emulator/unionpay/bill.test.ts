import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import { fromBufferPromise } from 'yauzl'
import fixture from '../../fixture/unionpay/bill.json'
import { detailBytes } from './bill-text.ts'
import type { BillRow } from './bill-text.ts'
import { MER_ID, startTestMerchant } from './merchant.ts'
import type { TestAnswer, TestMerchant } from './merchant.ts'

const DAY = '2026-03-14'
const NEXT_DAY = new Date('2026-03-15T09:00:00+08:00')

let now = new Date()
let merchant: TestMerchant

beforeEach(async () => {
  now = new Date(`${DAY}T10:15:30+08:00`)
  merchant = await startTestMerchant({ clock: () => now })
  merchant.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
})

afterEach(() => merchant.stop())

async function pay(orderId: string, at: string): Promise<string> {
  now = new Date(at)
  await merchant.createApp(orderId)
  const move = merchant.emulator.pay(orderId)
  return move.kind === 'moved' ? move.queryId : ''
}

/** What is in an answer: each file of the archive by its name, as text of GBK. */
async function filesIn({ fields }: TestAnswer): Promise<Readonly<Record<string, string>>> {
  const archive = inflateSync(Buffer.from(fields['fileContent'] ?? '', 'base64'))
  const zip = await fromBufferPromise(archive, { decodeStrings: true })
  const files: Record<string, string> = {}
  for await (const entry of zip.eachEntry()) {
    const pieces = await Array.fromAsync(await zip.openReadStreamPromise(entry))
    files[entry.fileName] = new TextDecoder('gbk').decode(Buffer.concat(pieces))
  }
  return files
}

const SAMPLE = {
  code: 'S56',
  traceNo: '000123',
  traceTime: '0314101530',
  accNo: '621626*********0018',
  amount: 12_800,
  queryId: '782603141015300001238',
  orderId: 'T20260314101530001',
  fee: 77,
  txnType: '01',
  txnSubType: '01',
  bizType: '000201',
  merId: fixture.merId,
  subMerAbbr: '测试门店',
  termId: '01080209',
  reserved: 'store=7',
} satisfies BillRow

test('the detail file is written as the sample of the dossier, byte for byte', () => {
  const refund: BillRow = {
    ...SAMPLE,
    code: 'Z04',
    traceNo: '000456',
    traceTime: '0314153000',
    amount: 3000,
    queryId: '782603141530000004568',
    orderId: 'R20260314153000001',
    fee: 0,
    txnType: '04',
    txnSubType: '00',
    reserved: '',
    origin: SAMPLE,
  }
  const bytes = detailBytes([SAMPLE, refund])
  expect(bytes).toHaveLength(fixture.detailBytes)
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(fixture.detailSha256)
})

test('a file holds what was paid and given back between 23:00 and 23:00', async () => {
  await pay('EVENING01', '2026-03-13T22:59:59+08:00')
  await pay('NIGHT0001', '2026-03-13T23:00:00+08:00')
  const origQryId = await pay('LASTDAY01', '2026-03-14T22:59:59+08:00')
  await merchant.refund('REFUND001', { origQryId, txnAmt: '3000' })
  await pay('NEXTDAY01', '2026-03-14T23:00:00+08:00')
  now = NEXT_DAY
  const answer = await merchant.file('0314')
  expect([answer.status, answer.isGenuine]).toEqual([200, true])
  expect(answer.fields).toMatchObject({ respCode: '00', settleDate: '0314', merId: MER_ID })
  const files = await filesIn(answer)
  const detail = files[`INN26031488ZM_${MER_ID}`] ?? ''
  expect(detail.split('\r\n').map((record) => record.slice(112, 144).trim())).toEqual([
    'NIGHT0001',
    'LASTDAY01',
    'REFUND001',
    '',
  ])
  expect(files[`INN26031488ZME_${MER_ID}`]).toBe('')
  expect(files[`RD201026031401_${MER_ID}`]).toContain('消费 2 200.00 1.20 198.80')
})

test('there is no file before nine, of a day without business, of today', async () => {
  await pay('ORDER0001', `${DAY}T10:15:30+08:00`)
  const codes: (string | undefined)[] = []
  for (const [at, settleDate] of [
    ['2026-03-15T08:59:59+08:00', '0314'],
    ['2026-03-15T09:00:00+08:00', '0314'],
    ['2026-03-15T09:00:00+08:00', '0313'],
    ['2026-03-15T09:00:00+08:00', '0315'],
    ['2026-03-15T09:00:00+08:00', '0230'],
  ] as const) {
    now = new Date(at)
    codes.push((await merchant.file(settleDate)).fields['respCode'])
  }
  expect(codes).toEqual(['98', '00', '98', '98', '10'])
})

test('what the request must not have, and what it must, is looked at', async () => {
  now = NEXT_DAY
  const codeOf = async (changes: Readonly<Record<string, string>>) =>
    (await merchant.file('0314', { changes })).fields['respCode']
  expect(await codeOf({ orderId: 'ORDER0001' })).toBe('10')
  expect(await codeOf({ channelType: '07' })).toBe('10')
  expect(await codeOf({ fileType: '' })).toBe('13')
  expect(await codeOf({ txnSubType: '00' })).toBe('32')
  expect(await codeOf({ bizType: '000201' })).toBe('10')
})

test('the control panel shows the detail of a day', async () => {
  await pay('ORDER0001', `${DAY}T10:15:30+08:00`)
  const response = await fetch(`${merchant.emulator.url}/_control/bill`, {
    method: 'POST',
    body: JSON.stringify({ merId: MER_ID, date: DAY }),
  })
  const detail = Buffer.from(merchant.emulator.writeBill({ merId: MER_ID, date: DAY }))
  expect(detail).toHaveLength(609)
  expect(await response.json()).toEqual({ detail: detail.toString('base64') })
})
