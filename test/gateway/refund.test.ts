import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { confirmPayment } from '#db/payment/confirm-payment'
import { jobsOf, openSender } from '#db/job'
import { parsePaymentId } from '#domain/id'
import type { PaymentId } from '#domain/id'
import type { PgBoss } from 'pg-boss'
import { APPID, MCHID, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let boss: PgBoss

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createShop(platform)
  boss = await openSender(database.url, () => undefined)
}, TIMEOUT_MS)

afterAll(async () => {
  await boss.stop({ graceful: false })
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function buyPaid(): Promise<PaymentId> {
  const id = parsePaymentId((await shop.buy()).id)
  if (id === undefined) throw new Error('the id is of our form')
  const facts = {
    kind: 'payment',
    paymentNumber: id,
    identity: { mchid: MCHID, appid: APPID },
    vendorState: 'success',
    vendorStateText: 'SUCCESS',
    channelPaymentId: `4200${id}`,
    amountMinor: 1999n,
    currency: 'CNY',
  } as const
  const deps = { jobs: jobsOf(boss), compensationSeconds: 3600, now: () => new Date() }
  await platform.db
    .transaction()
    .execute((trx) =>
      confirmPayment(
        trx,
        deps,
        platform.merchantId,
        [{ facts, channelAccountId: platform.accountId }],
        'query',
      ),
    )
  return id
}

const reservedOf = async (id: PaymentId): Promise<bigint> => {
  const row = await platform.db
    .selectFrom('payment')
    .select('refund_reserved')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return row.refund_reserved
}

/** The body as text, so that a number is written as nobody's JSON library would write it. */
const post = (id: string, body: string, key = crypto.randomUUID()): Promise<Response> =>
  fetch(`${platform.gateway.url}/v1/payments/${id}/refunds`, {
    method: 'POST',
    headers: { ...shop.headers, 'idempotency-key': key },
    body,
  })

describe('RF-02 the edge refuses', () => {
  test.each([
    '{"amount":0}',
    '{"amount":-1}',
    '{"amount":0.5}',
    '{"amount":1.001}',
    '{"amount":"100"}',
    '{"amount":1e400}',
    '{"amount":9007199254740993}',
    '{"amount":null}',
    '{}',
    '{"amount":100,"currency":"USD"}',
    '[]',
    'amount=100',
  ])('%s: 4xx, and nothing is reserved', async (body) => {
    const id = await buyPaid()
    const response = await post(id, body)
    expect([400, 422]).toContain(response.status)
    expect(await reservedOf(id)).toBe(0n)
  })

  test('and takes the same amount written in another way', async () => {
    const id = await buyPaid()
    expect((await post(id, '{"amount":100.0}')).status).toBe(202)
    expect((await post(id, '{"amount":1e2}')).status).toBe(202)
    expect(await reservedOf(id)).toBe(200n)
  })
})

describe('RF-01 at the edge', () => {
  test('20 parallel requests for 60 %: one is accepted, 19 are told what is left', async () => {
    const id = await buyPaid()
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(id, '{"amount":1200}')))
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
    expect(statuses).toEqual([202, ...Array.from({ length: 19 }, () => 409)])
    expect(await reservedOf(id)).toBe(1200n)
  })
})

describe('a key', () => {
  test('gets the same refund again', async () => {
    const id = await buyPaid()
    const key = crypto.randomUUID()
    const one = await (await post(id, '{"amount":100}', key)).json()
    const two = await (await post(id, '{"amount":100}', key)).json()
    expect(Object(two).id).toBe(Object(one).id)
    expect(await reservedOf(id)).toBe(100n)
  })

  test('F106 whose answer was lost belongs to its amount: another one is 422, and nothing more is reserved', async () => {
    const id = await buyPaid()
    const key = crypto.randomUUID()
    await post(id, '{"amount":100}', key)
    // As after a failure between the commit and the kept answer: the key itself is free again.
    await platform.db.deleteFrom('idempotency_key').where('key', '=', key).execute()
    const changed = await post(id, '{"amount":200}', key)
    expect(changed.status).toBe(422)
    expect(await reservedOf(id)).toBe(100n)
  })
})
