import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { setAccountFlags } from '#db/account/account'
import { parsePaymentId } from '#domain/id'
import type { PaymentId } from '#domain/id'
import { addWechatPay, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'
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
const rowsFor = (number: string) => vendor.rowsFor(number)
const waitForRows = (number: string, state: string) => vendor.waitForRows(number, state)
const casesFor = (subject: string) => vendor.casesFor(subject)

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

/** A mismatch is kept for a person: neither paid, nor forgotten, nor mistaken for an unpaid one. */
async function expectKept(id: string, reason: string, isInDoubt: boolean): Promise<void> {
  const rows = await waitForRows(id, 'quarantined')
  expect(rows.map((row) => row.quarantine_reason)).toEqual([reason])
  expect(await casesFor(id)).toEqual([reason])
  const view = await shop.read(id)
  expect([view.state, view.order.state]).toEqual(['pending', 'unpaid'])
  const { money_in_doubt: found } = await platform.db
    .selectFrom('payment')
    .select('money_in_doubt')
    .where('id', '=', paymentId(id))
    .executeTakeFirstOrThrow()
  expect(found).toBe(isInDoubt)
}

function paymentId(text: string): PaymentId {
  const id = parsePaymentId(text)
  if (id === undefined) throw new Error(`${text} is no payment id`)
  return id
}

describe('genuine callbacks that say something wrong', () => {
  test.each([
    ['1 fen less', { amount: 1998 }, 'amount_differs'],
    ['1 fen more', { amount: 2000 }, 'amount_differs'],
    ['another currency', { currency: 'USD' }, 'currency_differs'],
  ])(
    'CB-07 %s is acknowledged, quarantined with a case, and never paid',
    async (_, words, reason) => {
      const payment = await shop.buy()
      expect((await send(genuine({ number: payment.id, ...words }))).status).toBe(200)
      await expectKept(payment.id, reason, true)
    },
  )

  // Payment rules, section 2, win over the peers' "refused": genuine news that does not fit is stored,
  // acknowledged and becomes a case; what is refused is the move to paid.
  test.each([
    ['another app', { appid: 'wx0000000000000000' }],
    ['another merchant', { mchid: '1900000110' }],
  ])('CB-09 the right signature with %s is quarantined', async (_, words) => {
    const payment = await shop.buy()
    expect((await send(genuine({ number: payment.id, ...words }))).status).toBe(200)
    await expectKept(payment.id, 'identity_differs', true)
  })

  test("CB-09 CB-10 another account's genuine callback for our payment never pays it", async () => {
    const { db, merchantId, keys, emulator } = platform
    const other = await addWechatPay(db, merchantId, keys, emulator.url, 'Second till')
    await setAccountFlags(db, merchantId, other, { accepting: false, retired: false })
    const payment = await shop.buy()
    expect((await send(genuine({ number: payment.id }), other)).status).toBe(200)
    await expectKept(payment.id, 'other_account', false)
    // Its own account's callback still pays it.
    expect((await send(genuine({ number: payment.id }))).status).toBe(200)
    expect((await shop.waitForState(payment.id, 'paid')).order.state).toBe('paid')
  })

  test('an unknown order is stored, acknowledged and a case', async () => {
    const number = `p${'z'.repeat(25)}`
    expect((await send(genuine({ number }))).status).toBe(200)
    const rows = await waitForRows(number, 'quarantined')
    expect(rows.map((row) => row.quarantine_reason)).toEqual(['unknown_payment'])
    expect(await casesFor(number)).toEqual(['unknown_payment'])
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

  test('CB-25 failed and waiting news first: stored apart, and the success after them pays', async () => {
    const payment = await shop.buy()
    const answers: number[] = []
    for (const state of ['PAYERROR', 'NOTPAY', 'USERPAYING']) {
      answers.push((await send(genuine({ number: payment.id, state }))).status)
    }
    // Payment rules, section 1: a verified result other than success is stored and not acknowledged.
    expect(answers.every((status) => status >= 400)).toBe(true)
    expect((await rowsFor(payment.id)).length).toBe(3)
    expect((await shop.read(payment.id)).state).toBe('pending')
    expect((await send(genuine({ number: payment.id }))).status).toBe(200)
    expect((await shop.waitForState(payment.id, 'paid')).disposition).toBe('counted')
    const rows = await waitForRows(payment.id, 'applied')
    expect(new Set(rows.map((row) => row.event_key)).size).toBe(4)
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
      // Answered after the commit: whoever hears success finds the row, while the lock is still held.
      expect((await rowsFor(payment.id)).map((row) => row.state)).toEqual(['received'])
      expect((await shop.read(payment.id)).state).toBe('pending')
      const timer = setTimeout(release.resolve, 5000)
      await holder
      clearTimeout(timer)
      expect((await shop.waitForState(payment.id, 'paid', 20_000)).order.state).toBe('paid')
    },
    TIMEOUT_MS,
  )
})
