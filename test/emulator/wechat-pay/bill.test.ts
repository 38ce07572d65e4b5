import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'

import { MCHID, isVendorSigned, startTestMerchant } from './merchant.ts'
import type { TestMerchant } from './merchant.ts'

const DATE = '2026-03-14'
const ASK = `/v3/bill/tradebill?bill_date=${DATE}&bill_type=ALL&tar_type=GZIP`
const linkSchema = z.object({ hash_value: z.string(), download_url: z.url() })

let now = new Date()
let merchant: TestMerchant

beforeEach(async () => {
  now = new Date(`${DATE}T09:15:02+08:00`)
  merchant = await startTestMerchant({ clock: () => now })
  await merchant.prepay('ORDER0000000001', {
    description: 'mug, "blue"\n=1+1',
    attach: 'cart=42,43',
  })
  merchant.emulator.pay('ORDER0000000001')
  now = new Date('2026-03-15T10:00:00+08:00')
})

afterEach(() => merchant.stop())

async function ask(target = ASK) {
  const { status, json, headers, text } = await merchant.call('GET', target)
  expect([status, isVendorSigned(merchant.keys, headers, text)]).toEqual([200, true])
  const { hash_value: sha1, download_url: url } = linkSchema.parse(json)
  return { sha1, target: url.slice(merchant.emulator.url.length), url }
}

test('a bill is text as the vendor writes it, and its hash is of the bytes before packing', async () => {
  const { sha1, target } = await ask()
  expect(target).toMatch(/^\/v3\/billdownload\/file\?token=\w+&tartype=gzip$/)
  const answer = await merchant.call('GET', target)
  expect(answer.status).toBe(200)
  const text = merchant.emulator.writeBill('trade', { mchid: MCHID, date: DATE })
  expect(createHash('sha1').update(text).digest('hex')).toBe(sha1)
  expect(text).toStartWith('\uFEFF交易时间,')
  const [, row = '', summary, sums, end] = text.split('\r\n')
  expect(row.slice(1).split(',`')).toHaveLength(27)
  expect(row).toContain(',`mug\\  "blue"\\n=1+1,`cart=42\\ 43,`0.60000,`0.60%,`100.00,`0.00,`')
  expect(summary).toStartWith('总交易单数,')
  expect([sums, end]).toEqual(['`1.0,`100.00,`0.00,`0.00,`0.60,`100.00,`0.00', ''])
})

test('a file is gzip and has no signature (dossier 6.5)', async () => {
  const { target, sha1 } = await ask()
  const answer = await merchant.call('GET', target)
  expect(answer.headers.get('content-type')).toBe('application/x-gzip')
  expect([...answer.headers.keys()].filter((name) => /wechatpay|request-id/.test(name))).toEqual([])
  const plain = gunzipSync(answer.bytes)
  expect(createHash('sha1').update(plain).digest('hex')).toBe(sha1)
})

test('a link lives for 30 seconds, and is nobody’s without a signature', async () => {
  const { target, url } = await ask()
  expect((await fetch(url)).status).toBe(401)
  now = new Date(now.getTime() + 29_999)
  expect((await merchant.call('GET', target)).status).toBe(200)
  now = new Date(now.getTime() + 1)
  const late = await merchant.call('GET', target)
  expect([late.status, late.json]).toMatchObject([400, { code: 'INVALID_REQUEST' }])
})

test.each([
  ['today', '2026-03-15', 'PARAM_ERROR'],
  ['long ago', '2025-03-14', 'PARAM_ERROR'],
  ['no date', 'yesterday', 'PARAM_ERROR'],
  ['a day without business', '2026-03-13', 'NO_STATEMENT_EXIST'],
])('there is no bill of %s', async (_name, date, code) => {
  const answer = await merchant.call('GET', ASK.replace(DATE, date))
  expect([answer.status, answer.json]).toMatchObject([400, { code }])
})

test('a bill is being made until ten', async () => {
  now = new Date('2026-03-15T09:59:59+08:00')
  expect((await merchant.call('GET', ASK)).json).toMatchObject({ code: 'STATEMENT_CREATING' })
})

test('what we never ask for is refused', async () => {
  for (const target of [ASK.replace('ALL', 'SUCCESS'), ASK.replace('&tar_type=GZIP', '')]) {
    expect((await merchant.call('GET', target)).json).toMatchObject({ code: 'PARAM_ERROR' })
  }
})

test('the control panel writes a bill, and takes one from disk', async () => {
  const post = (name: string, body: unknown) =>
    fetch(`${merchant.emulator.url}/_control/${name}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
  const wish = { mchid: MCHID, date: DATE }
  const written = await post('bill', { ...wish, kind: 'fund' })
  expect(await written.json()).toEqual({ text: merchant.emulator.writeBill('fund', wish) })
  const sha1 = '0'.repeat(40)
  await post('bill-file', { ...wish, path: import.meta.path, sha1 })
  expect((await ask()).sha1).toBe(sha1)
})
