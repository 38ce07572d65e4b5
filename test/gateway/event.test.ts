import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { addEndpoint } from '#db/event/event-endpoint'
import { createEvents } from '#db/event/merchant-event'
import type { NewEvent } from '#db/event/merchant-event'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { assert } from '#domain/assert'
import { parseEventId } from '#domain/id'
import type { EndpointId, MerchantId } from '#domain/id'
import { createCaller } from './event-caller.ts'
import type { Caller } from './event-caller.ts'
import { countJobs } from '../support/job.ts'
import { startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let platform: Platform
let shop: Caller
let other: Caller
let otherId: MerchantId
let endpoint: EndpointId

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  shop = createCaller(platform.gateway.url, platform.apiKey)
  otherId = await addMerchant(platform.db, 'Another shop')
  other = createCaller(
    platform.gateway.url,
    (await createApiKey(platform.db, otherId, 'test')).reveal(),
  )
  endpoint = await addOne(platform.merchantId)
  await write(platform.merchantId, 5, 'payment.paid')
  await write(platform.merchantId, 3, 'refund.succeeded')
  await write(otherId, 2, 'payment.paid')
  await waitFor('the events to show', async () =>
    (await other.call('GET', '/v1/events')).data.length === 2 ? true : undefined,
  )
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

async function addOne(merchantId: MerchantId): Promise<EndpointId> {
  const url = 'https://shop.example/events'
  const made = await addEndpoint(platform.db, testSealKey(), merchantId, url)
  assert(made !== undefined, 'a merchant may have one')
  return made.id
}

async function write(merchantId: MerchantId, count: number, type: NewEvent['type']): Promise<void> {
  const events = Array.from({ length: count }, (_, index) => ({
    type,
    subject: `${type} ${index}`,
    data: { number: index },
  }))
  await platform.db
    .transaction()
    .execute((trx) => createEvents(trx, undefined, { merchantId, at: new Date() }, events))
}

const idsOf = (list: readonly Readonly<Record<string, unknown>>[]) =>
  list.map(({ id }) => String(id))

async function firstId(caller = shop): Promise<string> {
  const [id] = idsOf((await caller.call('GET', '/v1/events')).data)
  assert(id !== undefined, 'there is an event')
  return id
}

describe('GET /v1/events', () => {
  test('lists what was told, the oldest first, as it is sent', async () => {
    const { status, data, body } = await shop.call('GET', '/v1/events')
    expect([status, body['object'], body['next_cursor'], data.length]).toEqual([
      200,
      'list',
      null,
      8,
    ])
    expect(idsOf(data)).toEqual(idsOf(data).toSorted())
    const stored = await platform.db
      .selectFrom('merchant_event')
      .select('body')
      .where('merchant_id', '=', platform.merchantId)
      .orderBy('id')
      .execute()
    expect(data.map(({ content }) => JSON.stringify(content))).toEqual(
      stored.map((row) => row.body),
    )
    expect(data[0]).toMatchObject({ object: 'event', subject: 'payment.paid 0' })
  })

  test('finds what was told about a subject, and one event by its id', async () => {
    const path = `/v1/events?subject=${encodeURIComponent('payment.paid 3')}`
    const { data } = await shop.call('GET', path)
    expect(data.map(({ subject }) => subject)).toEqual(['payment.paid 3'])
    const address = `/v1/events/${idsOf(data)[0]}`
    expect((await shop.call('GET', address)).body).toEqual(data[0] ?? {})
    expect((await other.call('GET', address)).status).toBe(404)
    expect((await other.call('GET', path)).data).toEqual([])
    expect((await shop.call('GET', `/v1/events/e${'0'.repeat(25)}`)).status).toBe(404)
  })

  test.each([1, 3, 7, 8, 9])('pages of %i say each event once, in order', async (limit) => {
    const seen: string[] = []
    let cursor: string | undefined = ''
    while (cursor !== undefined) {
      const query: string = cursor === '' ? `limit=${limit}` : `limit=${limit}&cursor=${cursor}`
      const { data, body } = await shop.call('GET', `/v1/events?${query}`)
      expect(data.length).toBeLessThanOrEqual(limit)
      seen.push(...idsOf(data))
      const next: unknown = body['next_cursor']
      cursor = typeof next === 'string' ? next : undefined
    }
    expect(seen).toEqual(idsOf((await shop.call('GET', '/v1/events')).data))
  })

  test('by type, also across pages', async () => {
    const first = await shop.call('GET', '/v1/events?type=refund.succeeded&limit=2')
    const next = await shop.call(
      'GET',
      `/v1/events?type=refund.succeeded&cursor=${String(first.body['next_cursor'])}`,
    )
    const types = [...first.data, ...next.data].map(({ content }) => Object(content).type)
    expect(types).toEqual(['refund.succeeded', 'refund.succeeded', 'refund.succeeded'])
    expect((await shop.call('GET', '/v1/events?type=payment.closed')).data).toEqual([])
  })

  test.each(['type=payment.lost', 'limit=0', 'limit=101', 'limit=x', 'cursor=x', 'cursor=', 'a=b'])(
    'refuses ?%s',
    async (query) => {
      const { status, body } = await shop.call('GET', `/v1/events?${query}`)
      expect([status, body['code']]).toEqual([422, 'query_invalid'])
    },
  )

  test("another merchant sees its own alone, also by the first one's cursor", async () => {
    const mine = idsOf((await shop.call('GET', '/v1/events')).data)
    const { data } = await other.call('GET', `/v1/events?cursor=${mine[0]}`)
    expect(data.length).toBe(2)
    expect(idsOf(data).filter((id) => mine.includes(id))).toEqual([])
  })
})

describe('GET /v1/events/:id/deliveries', () => {
  test('says how the event fared at each address, attempt by attempt', async () => {
    const id = await firstId()
    const { data } = await shop.call('GET', `/v1/events/${id}/deliveries`)
    expect(data).toMatchObject([
      { object: 'delivery', endpoint, state: 'pending', attempts: 0, latest_attempts: [] },
    ])
  })

  test('of an event that no address was there for is empty', async () => {
    expect((await other.call('GET', `/v1/events/${await firstId(other)}/deliveries`)).data).toEqual(
      [],
    )
  })

  test.each(['GET deliveries', 'POST resend'])(
    '404 where there is no such event: %s',
    async (what) => {
      const [method = '', path] = what.split(' ')
      const foreign = await firstId(other)
      for (const id of [foreign, `e${'0'.repeat(25)}`, 'nonsense', `p${'0'.repeat(25)}`]) {
        const { status, body } = await shop.call(method, `/v1/events/${id}/${path}`)
        expect([status, body['code']]).toEqual([404, 'event_not_found'])
      }
      expect(await countJobs(platform.db, 'merchant-event', otherId)).toBe(0)
    },
  )
})

describe('POST /v1/events/:id/resend', () => {
  test.each(['delivered', 'dead'] as const)(
    'a %s one goes again, from the first attempt',
    async (state) => {
      const id = await firstId()
      const parsed = parseEventId(id)
      assert(parsed !== undefined, 'the id is of our form')
      const rows = () =>
        platform.db.selectFrom('event_delivery').selectAll().where('event_id', '=', parsed)
      await platform.db
        .updateTable('event_delivery')
        .set({ state, due_at: null, attempts: 16n })
        .where('endpoint_id', '=', endpoint)
        .where('state', '=', 'pending')
        .execute()
      const answer = await shop.call('POST', `/v1/events/${id}/resend`)
      expect([answer.status, answer.body]).toEqual([
        202,
        { object: 'resend', event: id, deliveries: 1 },
      ])
      const [row] = await rows().execute()
      expect([row?.state, row?.attempts]).toEqual(['pending', 0n])
      expect(row?.due_at).toBeInstanceOf(Date)
      expect(await countJobs(platform.db, 'merchant-event', row?.id ?? '')).toBeGreaterThan(0)
    },
  )

  test('one that waits for its next attempt goes now', async () => {
    const id = await firstId()
    await platform.db
      .updateTable('event_delivery')
      .set({ due_at: new Date(Date.now() + 3_600_000), attempts: 9n })
      .where('state', '=', 'pending')
      .execute()
    expect((await shop.call('POST', `/v1/events/${id}/resend`)).body['deliveries']).toBe(1)
    const { data } = await shop.call('GET', `/v1/events/${id}/deliveries`)
    expect(Date.parse(String(data[0]?.['next_attempt_at']))).toBeLessThanOrEqual(Date.now())
  })

  test('one that is older than the address goes to it, too', async () => {
    const id = await firstId(other)
    await addOne(otherId)
    expect((await other.call('POST', `/v1/events/${id}/resend`)).body['deliveries']).toBe(1)
    expect((await other.call('GET', `/v1/events/${id}/deliveries`)).data.length).toBe(1)
  })
})
