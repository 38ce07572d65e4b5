import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { startMerchant } from '../emulator/merchant/server.ts'
import type { Merchant } from '../emulator/merchant/server.ts'
import { checkAnswer, operationIds } from '../support/contract.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'
import { insertDay } from './day.ts'
import type { InsertedDay } from './day.ts'

// Every operation of the document is called for real; an answer may hold nothing that the document does not.

const TIMEOUT_MS = 60_000

let database: TestDatabase
let platform: Platform
let merchant: Merchant
let shop: ReturnType<typeof createShop>
let day: InsertedDay
/** Statuses that each operation has answered with. */
const answered = new Map<string, Set<number>>()

beforeAll(async () => {
  database = await cloneDatabase()
  merchant = await startMerchant()
  platform = await startPlatform({ databaseUrl: database.url, localHosts: [merchant.host] })
  shop = createShop(platform)
  day = await insertDay(platform.db, platform.merchantId, '2026-03-01', [{ subject: 'a' }])
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await merchant.stop()
  await database.drop()
}, TIMEOUT_MS)

interface Asked {
  readonly body?: unknown
  readonly text?: string
  readonly key?: string
  readonly apiKey?: string
}

const bodySchema = z.record(z.string(), z.unknown())

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly data: readonly Readonly<Record<string, unknown>>[]
}

async function ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
  const url = platform.gateway.url + path
  const content = asked.text ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body))
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${asked.apiKey ?? platform.apiKey}`,
      'content-type': 'application/json',
      ...(asked.key === undefined ? {} : { 'idempotency-key': asked.key }),
    },
    ...(content === undefined ? {} : { body: content }),
  })
  const { operation, errors } = await checkAnswer(method, url, response.clone())
  expect({ path, status: response.status, errors }).toMatchObject({ path, errors: [] })
  answered.set(operation, (answered.get(operation) ?? new Set()).add(response.status))
  const isJson = (response.headers.get('content-type') ?? '').includes('json')
  const body = isJson ? bodySchema.parse(await response.json()) : {}
  const data = z.object({ data: z.array(bodySchema) }).safeParse(body)
  return { status: response.status, body, data: data.success ? data.data.data : [] }
}

const newKey = (): string => crypto.randomUUID()

const create = async (change: Readonly<Record<string, unknown>> = {}): Promise<Answer> =>
  ask('POST', '/v1/payments', { key: newKey(), body: { ...shop.bodyOf({}), ...change } })

const first = async (path: string): Promise<Readonly<Record<string, unknown>>> =>
  waitFor(`something at ${path}`, async () => (await ask('GET', path)).data[0], TIMEOUT_MS)

describe('answers are what the document says', () => {
  test(
    'of payments, from the first to the paid one',
    async () => {
      const made = await create()
      expect(made.status).toBe(201)
      expect((await create({ order_number: orderOf(made) })).status).toBe(200)
      const id = String(made.body['id'])
      for (const path of ['qr.svg', 'qr.png', 'timeline']) {
        expect((await ask('GET', `/v1/payments/${id}/${path}`)).status).toBe(200)
      }
      expect((await ask('POST', `/v1/payments/${id}/query`)).status).toBe(202)
      await pay(id)
      expect((await ask('GET', `/v1/payments/${id}`)).body).toMatchObject({ state: 'paid' })
      const refund = await ask('POST', `/v1/payments/${id}/refunds`, {
        key: newKey(),
        body: { amount: 100 },
      })
      expect(refund.status).toBe(202)
      await ask('GET', `/v1/refunds/${String(refund.body['id'])}`)
      expect((await ask('GET', `/v1/payments/${id}/refunds`)).data).toHaveLength(1)
      expect((await ask('GET', '/v1/payments?limit=1')).data).toHaveLength(1)
      expect((await ask('GET', `/v1/refunds?payment=${id}`)).data).toHaveLength(1)
      expect((await ask('GET', `/v1/orders/${orderOf(made)}`)).body).toMatchObject({
        paid_payment: id,
      })
    },
    TIMEOUT_MS,
  )

  test(
    'of closed payments and orders, and of each kind of next action',
    async () => {
      for (const method of ['h5', 'jsapi', 'app']) {
        expect((await create(shop.bodyOf({ method }))).status).toBe(201)
      }
      const one = await create()
      const close = `/v1/payments/${String(one.body['id'])}/close`
      expect((await ask('POST', close, { key: newKey() })).status).toBe(200)
      const two = await create()
      const orderClose = `/v1/orders/${orderOf(two)}/close`
      expect((await ask('POST', orderClose, { key: newKey() })).status).toBe(202)
      await shop.waitForState(String(two.body['id']), 'closed')
      expect((await ask('POST', orderClose, { key: newKey() })).status).toBe(200)
    },
    TIMEOUT_MS,
  )

  test(
    'of events and endpoints',
    async () => {
      const added = await ask('POST', '/v1/event_endpoints', { body: { url: merchant.url } })
      expect(added.status).toBe(201)
      const endpoint = `/v1/event_endpoints/${String(added.body['id'])}`
      expect((await ask('POST', `${endpoint}/secret`)).status).toBe(201)
      const made = await create()
      await pay(String(made.body['id']))
      const event = await first('/v1/events?type=payment.paid')
      const path = `/v1/events/${String(event['id'])}`
      expect((await ask('GET', path)).body).toEqual(event)
      expect((await ask('POST', `${path}/resend`)).body).toMatchObject({ deliveries: 1 })
      await waitFor('an attempt', async () => {
        const [delivery] = (await ask('GET', `${path}/deliveries`)).data
        return delivery?.['state'] === 'delivered' ? delivery : undefined
      })
      expect((await ask('GET', '/v1/event_endpoints')).data).toHaveLength(1)
      expect((await ask('DELETE', endpoint)).status).toBe(204)
    },
    TIMEOUT_MS,
  )

  test(
    'of cases, reconciliations and capabilities',
    async () => {
      platform.emulator.setKnobs({ wrongAmount: -1 })
      const made = await create()
      platform.emulator.pay(String(made.body['id']))
      const found = await first('/v1/cases?kind=amount_differs')
      expect((await ask('GET', `/v1/cases/${String(found['id'])}`)).body).toEqual(found)
      platform.emulator.resetKnobs()
      const run = `/v1/reconciliations/${day.id}`
      for (const path of ['', '/discrepancies', '/discrepancies.csv']) {
        expect((await ask('GET', run + path)).status).toBe(200)
      }
      expect((await ask('GET', '/v1/reconciliations')).data).toHaveLength(1)
      expect((await ask('GET', '/v1/capabilities')).data.length).toBeGreaterThan(3)
    },
    TIMEOUT_MS,
  )

  test('of refusals', async () => {
    const unknown = `p${'0'.repeat(25)}`
    const body = shop.bodyOf({})
    const refusals: readonly (readonly [number, Promise<Answer>])[] = [
      [401, ask('GET', '/v1/payments', { apiKey: 'sk_test_nobody' })],
      [404, ask('GET', `/v1/payments/${unknown}`)],
      [422, ask('GET', '/v1/payments?limit=0')],
      [400, ask('POST', '/v1/payments', { body })],
      [400, ask('POST', '/v1/payments', { key: newKey(), text: '{' })],
      [413, ask('POST', '/v1/payments', { key: newKey(), text: ' '.repeat(300_000) })],
      [422, ask('POST', '/v1/payments', { key: newKey(), body: { ...body, amount: 1.5 } })],
      [422, ask('POST', '/v1/event_endpoints', { body: { url: 'https://10.0.0.1/x' } })],
      [404, ask('DELETE', `/v1/event_endpoints/w${'0'.repeat(25)}`)],
    ]
    for (const [status, answer] of refusals) {
      const { status: found, body: problem } = await answer
      expect({ status: found, told: problem['status'] }).toEqual({ status, told: status })
    }
    const known = await create()
    const other = await create({ order_number: orderOf(known), amount: 5 })
    expect(other.body).toMatchObject({ status: 409, code: 'order_amount_differs' })
  })
})

test('every operation of the document has answered, and with success', () => {
  const silent = operationIds.filter(
    (id) => ![...(answered.get(id) ?? [])].some((status) => status < 300),
  )
  expect(silent).toEqual([])
})

test('an answer that the document does not know is found', async () => {
  const url = `${platform.gateway.url}/v1/capabilities`
  const headers = { 'content-type': 'application/json' }
  const wrong = [
    new Response('{"object":"list","data":[],"more":1}', { headers }),
    new Response('{"object":"list"}', { headers }),
    new Response('{}', { headers, status: 418 }),
    new Response('', { headers: { 'content-type': 'text/html' } }),
  ]
  for (const answer of wrong) {
    const { operation, errors } = await checkAnswer('GET', url, answer)
    expect(operation).toBe('listCapabilities')
    expect(errors).not.toEqual([])
  }
})

const orderOf = ({ body }: Answer): string =>
  z.object({ order: z.object({ order_number: z.string() }) }).parse(body).order.order_number

async function pay(id: string): Promise<void> {
  expect(platform.emulator.pay(id).kind).toBe('paid')
  await shop.waitForState(id, 'paid')
}
