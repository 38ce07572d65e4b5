import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { setAccountFlags } from '#db/account'
import { signCallback } from '../emulator/wechat-pay/callback.ts'
import { APPID, MCHID, addWechatPay, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url })
  shop = createShop(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

interface Words {
  readonly number: string
  readonly state?: string
  readonly amount?: number
  readonly currency?: string
  readonly mchid?: string
  readonly appid?: string
  readonly extra?: Record<string, unknown>
  readonly id?: string
  readonly vendorNumber?: string
}

/** A genuine callback of the vendor, saying these words. */
function genuine(words: Words) {
  const plaintext = JSON.stringify({
    mchid: words.mchid ?? MCHID,
    appid: words.appid ?? APPID,
    out_trade_no: words.number,
    transaction_id:
      words.vendorNumber ?? `4200${Date.now()}${Math.trunc(performance.now() * 1000)}`,
    trade_type: 'NATIVE',
    trade_state: words.state ?? 'SUCCESS',
    trade_state_desc: '支付成功',
    bank_type: 'OTHERS',
    success_time: '2026-03-14T09:15:02.120+08:00',
    amount: {
      total: words.amount ?? 1999,
      payer_total: words.amount ?? 1999,
      currency: words.currency ?? 'CNY',
    },
    ...words.extra,
  })
  return signCallback({
    keys: platform.keys.vendor,
    apiV3Key: platform.keys.merchant.apiV3Key,
    plaintext,
    eventType: 'TRANSACTION.SUCCESS',
    id: words.id ?? crypto.randomUUID(),
    now: new Date(),
    serialMode: 'public',
  })
}

const send = (
  callback: {
    readonly headers: Record<string, string> | Headers
    readonly body: string | Uint8Array<ArrayBuffer>
  },
  account: string = platform.accountId,
): Promise<Response> =>
  fetch(`${platform.gateway.url}/callback/${account}`, {
    method: 'POST',
    headers: callback.headers,
    body: callback.body,
  })

const rowsFor = (number: string) =>
  platform.db
    .selectFrom('notification')
    .select(['id', 'state', 'quarantine_reason', 'event_key', 'body'])
    .where('payment_number', '=', number)
    .execute()

const waitForRows = (number: string, state: string) =>
  waitFor(`notification of ${number} ${state}`, async () => {
    const rows = await rowsFor(number)
    return rows.length > 0 && rows.every((row) => row.state === state) ? rows : undefined
  })

const codeOf = async (response: Response): Promise<unknown> => {
  const body: unknown = await response.json()
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined
}

describe('bad input gets a clear error and stores nothing', () => {
  test('an unknown account is 404', async () => {
    const response = await send(genuine({ number: 'x' }), `a${'0'.repeat(25)}`)
    expect(response.status).toBe(404)
    expect(await codeOf(response)).toBe('account_not_found')
  })

  test('a retired account is 404; one that only stopped accepting still hears', async () => {
    const { db, merchantId, keys, emulator } = platform
    const id = await addWechatPay(db, merchantId, keys, emulator.url, 'Old till')
    await setAccountFlags(db, merchantId, id, { accepting: false, retired: false })
    expect((await send(genuine({ number: 'old' }), id)).status).toBe(200)
    await setAccountFlags(db, merchantId, id, { accepting: false, retired: true })
    const status = await waitFor('the retired account', async () => {
      const response = await send(genuine({ number: 'older' }), id)
      return response.status === 404 ? response.status : undefined
    })
    expect(status).toBe(404)
  })

  test('another method is 405 with Allow', async () => {
    const response = await fetch(`${platform.gateway.url}/callback/${platform.accountId}`)
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST')
  })

  test('another content type is refused as not verified', async () => {
    const callback = genuine({ number: 'type' })
    const headers = new Headers(callback.headers)
    headers.set('content-type', 'text/xml')
    const response = await send({ headers, body: callback.body })
    expect(response.status).toBe(401)
    expect(await rowsFor('type')).toEqual([])
  })

  test('CB-30 a body of 257 KiB is 413', async () => {
    const response = await send({
      headers: { 'content-type': 'application/json' },
      body: 'x'.repeat(257 * 1024),
    })
    expect(response.status).toBe(413)
    expect(await codeOf(response)).toBe('body_too_large')
  })

  test('a body that ends early is never acknowledged and stores nothing', async () => {
    const { hostname, port } = new URL(platform.gateway.url)
    const { promise, resolve } = Promise.withResolvers<string>()
    const socket = connect(Number(port), hostname, () => {
      socket.end(
        `POST /callback/${platform.accountId} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"id":`,
      )
    })
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('close', () => resolve(answer))
    socket.on('error', () => resolve(answer))
    expect(await promise).not.toContain(' 200 ')
  })
})

describe('genuine callbacks that say something wrong', () => {
  test('CB-07 another currency is quarantined with a case and never paid', async () => {
    const payment = await shop.buy()
    expect((await send(genuine({ number: payment.id, currency: 'USD' }))).status).toBe(200)
    const rows = await waitForRows(payment.id, 'quarantined')
    expect(rows.map((row) => row.quarantine_reason)).toEqual(['currency_differs'])
    expect((await shop.read(payment.id)).state).toBe('pending')
  })

  test('CB-09 the right signature with another app is quarantined', async () => {
    const payment = await shop.buy()
    await send(genuine({ number: payment.id, appid: 'wx0000000000000000' }))
    const rows = await waitForRows(payment.id, 'quarantined')
    expect(rows.map((row) => row.quarantine_reason)).toEqual(['identity_differs'])
    expect((await shop.read(payment.id)).state).toBe('pending')
  })

  test("CB-09 CB-10 another account's genuine callback for our payment is refused", async () => {
    const { db, merchantId, keys, emulator } = platform
    const other = await addWechatPay(db, merchantId, keys, emulator.url, 'Second till')
    await setAccountFlags(db, merchantId, other, { accepting: false, retired: false })
    const payment = await shop.buy()
    expect((await send(genuine({ number: payment.id }), other)).status).toBe(200)
    const rows = await waitForRows(payment.id, 'quarantined')
    expect(rows.map((row) => row.quarantine_reason)).toEqual(['other_account'])
    expect((await shop.read(payment.id)).state).toBe('pending')
  })

  test('an unknown order is stored, acknowledged and a case', async () => {
    const number = `p${'z'.repeat(25)}`
    expect((await send(genuine({ number }))).status).toBe(200)
    const rows = await waitForRows(number, 'quarantined')
    expect(rows.map((row) => row.quarantine_reason)).toEqual(['unknown_payment'])
  })

  test('unknown fields are kept byte for byte and change nothing (CB-17)', async () => {
    const payment = await shop.buy()
    const callback = genuine({ number: payment.id, extra: { novelty: { a: [1, 2] } } })
    expect((await send(callback)).status).toBe(200)
    const rows = await waitForRows(payment.id, 'applied')
    expect(rows[0]?.body.equals(Buffer.from(callback.body))).toBe(true)
    expect((await shop.waitForState(payment.id, 'paid')).order.state).toBe('paid')
  })

  test('an unknown state is stored, acknowledged and asked about, never a move', async () => {
    const payment = await shop.buy()
    expect((await send(genuine({ number: payment.id, state: 'SOMETHING_NEW' }))).status).toBe(200)
    await waitForRows(payment.id, 'applied')
    await waitFor('the query', () => {
      const asked = platform.emulator
        .requests()
        .some((request) => request.target.includes(payment.id) && request.method === 'GET')
      return asked ? true : undefined
    })
    expect((await shop.read(payment.id)).state).toBe('pending')
  })

  test('the same event with other facts is kept beside the first one as a conflict', async () => {
    const payment = await shop.buy()
    const id = crypto.randomUUID()
    const vendorNumber = '4200000000000000000000000777'
    await send(genuine({ number: payment.id, id, vendorNumber }))
    await shop.waitForState(payment.id, 'paid')
    expect((await send(genuine({ number: payment.id, id, vendorNumber, amount: 1 }))).status).toBe(
      200,
    )
    const rows = await rowsFor(payment.id)
    expect(rows.map((row) => row.state).toSorted()).toEqual(['applied', 'quarantined'])
  })

  test('a number with NUL in it is stored and quarantined, and its bytes are kept', async () => {
    const number = `nul-${crypto.randomUUID()}`
    expect((await send(genuine({ number: `${number}\u0000` }))).status).toBe(200)
    const rows = await waitForRows(`${number}\ufffd`, 'quarantined')
    expect(rows.map((row) => row.quarantine_reason)).toEqual(['unknown_payment'])
  })

  test('CB-20 a vendor number of 28 digits survives JSON and the database', async () => {
    const payment = await shop.buy()
    const vendorNumber = '4200002603202603149876543210'
    await send(genuine({ number: payment.id, vendorNumber }))
    await shop.waitForState(payment.id, 'paid')
    const row = await platform.db
      .selectFrom('payment')
      .select(['id', 'channel_payment_id'])
      .where('channel_payment_id', '=', vendorNumber)
      .executeTakeFirstOrThrow()
    expect(String(row.id)).toBe(payment.id)
  })

  test('CB-21 the answers are the documented bytes', async () => {
    const stored = await send(genuine({ number: 'golden' }))
    expect(await stored.text()).toBe('{"code":"SUCCESS","message":"成功"}')
    const refused = await send({ headers: { 'content-type': 'application/json' }, body: '{}' })
    expect(refused.status).toBe(401)
    expect(await refused.text()).toBe('{"code":"FAIL","message":"失败"}')
  })
})

describe('a lock that is held', () => {
  test(
    'CB-01 with the order row held for five seconds the callback is answered at once and ends paid',
    async () => {
      const payment = await shop.buy()
      const held = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const holder = platform.db.transaction().execute(async (trx) => {
        await trx
          .selectFrom('customer_order')
          .select('id')
          .where('order_number', '=', payment.order.order_number)
          .forUpdate()
          .execute()
        held.resolve()
        await release.promise
      })
      await held.promise
      const startedAt = performance.now()
      expect((await send(genuine({ number: payment.id }))).status).toBe(200)
      expect(performance.now() - startedAt).toBeLessThan(3000)
      expect((await shop.read(payment.id)).state).toBe('pending')
      const timer = setTimeout(release.resolve, 5000)
      await holder
      clearTimeout(timer)
      expect((await shop.waitForState(payment.id, 'paid', 20_000)).order.state).toBe('paid')
    },
    TIMEOUT_MS,
  )
})
