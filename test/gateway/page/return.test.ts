import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startPlatform } from '../../support/platform.ts'
import type { Platform } from '../../support/platform.ts'
import { cloneDatabase } from '../../support/postgres.ts'
import type { TestDatabase } from '../../support/postgres.ts'
import { createShop } from '../../support/shop.ts'

const TIMEOUT_MS = 40_000
const NOBODY = `a${'0'.repeat(25)}`

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createShop(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const comeBack = (account: string, query = '', form?: string): Promise<Response> =>
  fetch(`${platform.gateway.url}/return/${account}${query}`, {
    ...(form === undefined
      ? {}
      : {
          method: 'POST',
          body: form,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        }),
  })

const logged = () =>
  platform.db
    .selectFrom('transaction_log')
    .select(['payment_id', 'content', 'merchant_id'])
    .where('kind', '=', 'return')
    .orderBy('id')
    .execute()

test.each(['GET', 'POST'])('%s claiming success is logged and moves nothing', async (method) => {
  const { id } = await shop.buy()
  const claim = `respCode=00&trade_status=TRADE_SUCCESS&out_trade_no=${id}`
  const response =
    method === 'GET'
      ? await comeBack(platform.accountId, `/${id}?${claim}`)
      : await comeBack(platform.accountId, `/${id}`, claim)
  const text = await response.text()
  expect(response.status).toBe(200)
  expect(text).toContain('we are confirming')
  expect(text).toContain(`/pay/${id}"`)
  const entry = (await logged()).at(-1)
  expect(entry?.payment_id === id).toBe(true)
  expect(entry?.merchant_id).toBe(platform.merchantId)
  expect(JSON.stringify(entry?.content)).toContain('TRADE_SUCCESS')
  const view = await shop.read(id)
  expect([view.state, view.order.state, view.disposition]).toEqual(['pending', 'unpaid', null])
  const moves = await platform.db
    .selectFrom('state_change')
    .select('to_state')
    .where('subject_id', '=', id)
    .where('to_state', '=', 'paid')
    .execute()
  expect(moves).toEqual([])
})

test('takes nobody for a payer: who gave up comes back, too', async () => {
  const { id } = await shop.buy()
  const text = await (await comeBack(platform.accountId, `/${id}`)).text()
  expect(text).not.toContain('says paid')
  expect(text).not.toContain('表示已付款')
  expect(text).toContain('If you have paid, we are confirming it')
  expect(text).toContain('If you have not')
})

test('keeps no payer and no signature, however they are written', async () => {
  const form = new URLSearchParams({
    sign: 'abc+secret/==',
    accNo: '6226 0900 0000 0048',
    note: 'call 13812345678 or {"openid":"oSecret"}',
    payment: 'x',
  })
  await comeBack(platform.accountId, '?%70hone=13987654321&amount=5', form.toString())
  const content = JSON.stringify((await logged()).at(-1)?.content)
  expect(content).not.toMatch(/secret|6226|0048|138123|139876|oSecret/)
  expect(content).toContain('amount')
})

test('cuts what is longer than 8 KiB and survives odd characters', async () => {
  const odd = encodeURIComponent('\u0000 \\u0000 \\\\u0000 "\' 支付')
  const response = await comeBack(platform.accountId, `?odd=${odd}&%FF=%`, 'a='.padEnd(50_000, 'b'))
  expect(response.status).toBe(200)
  const content = JSON.stringify((await logged()).at(-1)?.content)
  expect(content.length).toBeLessThan(8 * 1024 + 200)
  expect(content).toContain('支付')
})

test('links no payment of another account and repeats nothing that it was told', async () => {
  const attack = encodeURIComponent('"><script>alert(1)</script>')
  const text = await (await comeBack(platform.accountId, `/${attack}`)).text()
  expect(text).not.toMatch(/<script|alert|href=/)
  const { id } = await shop.buy()
  const before = (await logged()).length
  for (const account of [NOBODY, 'x', attack]) {
    const response = await comeBack(account, `/${id}`)
    expect(response.status).toBe(200)
    expect(await response.text()).not.toContain('href=')
  }
  expect((await logged()).length).toBe(before)
})
