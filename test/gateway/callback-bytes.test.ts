import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { parsePaymentId } from '#domain/id'
import type { PaymentId } from '#domain/id'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { createGenuine } from './genuine.ts'
import type { Sendable, Words } from './genuine.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let vendor: ReturnType<typeof createGenuine>

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url })
  shop = createShop(platform)
  vendor = createGenuine(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const genuine = (words: Words) => vendor.genuine(words)
const send = (callback: Sendable, account?: string) => vendor.send(callback, account)
const waitForRows = (number: string, state: string) => vendor.waitForRows(number, state)

function paymentId(text: string): PaymentId {
  const id = parsePaymentId(text)
  if (id === undefined) throw new Error(`${text} is no payment id`)
  return id
}

describe.concurrent('the bytes of a genuine callback', () => {
  test.each<[string, (body: string) => string]>([
    ['as it is', (body) => body],
    ['blanks', (body) => JSON.stringify(JSON.parse(body), undefined, 3)],
    ['key order', (body) => JSON.stringify(reversed(JSON.parse(body)))],
    ['escapes', (body) => body.replace('支付成功', String.raw`\u652f\u4ed8\u6210\u529f`)],
    [
      'escaped slashes',
      (body) => body.replaceAll('encrypt-resource', String.raw`encrypt\u002dresource`),
    ],
    ['a last newline', (body) => `${body}\r\n`],
    ['UTF-8 beyond the BMP', (body) => body.replace('支付成功', '支付成功🍵')],
    ['unknown fields', (body) => body.replace('{', '{"novelty":{"a":[1,2]},')],
  ])('CB-17 %s: the bytes are verified, stored as sent, and pay', async (_, reshape) => {
    const payment = await shop.buy()
    const callback = genuine({ number: payment.id, reshape, extra: { novelty: [1] } })
    expect((await send(callback)).status).toBe(200)
    const rows = await waitForRows(payment.id, 'applied')
    expect(rows[0]?.body.equals(Buffer.from(callback.body))).toBe(true)
    expect((await shop.waitForState(payment.id, 'paid')).order.state).toBe('paid')
  })

  test.each([
    ['a number with NUL', '\u0000', {}, 'unknown_payment'],
    ['a number with half a surrogate pair', '\ud83c', {}, 'unknown_payment'],
    ['an app with NUL', '', { appid: 'wx\u0000' }, 'identity_differs'],
    ['a state with half a surrogate pair', '', { state: 'X\udc00' }, 'unknown_payment'],
  ])('%s is stored and quarantined, and its bytes are kept', async (_, odd, words, reason) => {
    const number = crypto.randomUUID()
    const callback = genuine({ number: `${number}${odd}`, ...words })
    expect((await send(callback)).status).toBe(200)
    const rows = await waitForRows(odd === '' ? number : `${number}\ufffd`, 'quarantined')
    expect(rows.map((row) => row.quarantine_reason)).toEqual([reason])
    expect(rows[0]?.body.equals(Buffer.from(callback.body))).toBe(true)
  })

  test.each([19, 24, 28])(
    'CB-20 a vendor number of %i digits survives JSON and the database',
    async (digits) => {
      const payment = await shop.buy()
      const vendorNumber = `42000026${crypto.getRandomValues(new Uint32Array(8)).join('')}`.slice(
        0,
        digits,
      )
      await send(genuine({ number: payment.id, vendorNumber }))
      await shop.waitForState(payment.id, 'paid')
      const row = await platform.db
        .selectFrom('payment')
        .select('channel_payment_id')
        .where('id', '=', paymentId(payment.id))
        .executeTakeFirstOrThrow()
      expect(row.channel_payment_id).toBe(vendorNumber)
      const notification = await platform.db
        .selectFrom('notification')
        .select('facts')
        .where('payment_number', '=', payment.id)
        .executeTakeFirstOrThrow()
      expect(notification.facts['channelPaymentId']).toBe(vendorNumber)
    },
  )
})

describe('our bytes', () => {
  test('CB-21 the answers are the documented bytes, types and never a redirect', async () => {
    const SUCCESS = '{"code":"SUCCESS","message":"成功"}'
    const FAIL = '{"code":"FAIL","message":"失败"}'
    const unsigned = { headers: { 'content-type': 'application/json' }, body: '{}' }
    const cases = [
      { callback: genuine({ number: 'golden' }), status: 200, body: SUCCESS },
      { callback: genuine({ number: 'golden', state: 'PAYERROR' }), status: 400, body: FAIL },
      { callback: unsigned, status: 401, body: FAIL },
    ]
    for (const { callback, status, body } of cases) {
      const response = await send(callback)
      expect([response.status, response.redirected]).toEqual([status, false])
      expect(response.headers.get('content-type')).toBe('application/json')
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(new TextEncoder().encode(body))
    }
  })
})

/** The same object with its keys the other way round. */
function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [
    key,
    reversed(item),
  ])
  return Object.fromEntries(entries.toReversed())
}
