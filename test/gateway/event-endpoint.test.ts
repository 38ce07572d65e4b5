import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createCaller } from './event-caller.ts'
import type { Caller } from './event-caller.ts'

const TIMEOUT_MS = 30_000
const LOCAL = '127.0.0.1:9'

let database: TestDatabase
let platform: Platform
let shop: Caller
let other: Caller

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({
    databaseUrl: database.url,
    hasWorker: false,
    localHosts: [LOCAL],
  })
  shop = createCaller(platform.gateway.url, platform.apiKey)
  const second = await addMerchant(platform.db, 'Another shop')
  const key = await createApiKey(platform.db, second, 'test')
  other = createCaller(platform.gateway.url, key.reveal())
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const PATH = '/v1/event_endpoints'
const add = (url: string, caller = shop) => caller.call('POST', PATH, { url })

async function addOne(url: string, caller = shop) {
  const { status, body } = await add(url, caller)
  expect(status).toBe(201)
  return { id: String(body['id']), secret: String(body['secret']) }
}

describe('an endpoint', () => {
  test('shows its secret when it is made, and never again', async () => {
    const made = await addOne('https://shop.example/events?tenant=1')
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const list = await shop.call('GET', PATH)
    const [shown] = list.data
    expect(shown).toEqual({
      id: made.id,
      object: 'event_endpoint',
      url: 'https://shop.example/events?tenant=1',
      failures: 0,
      paused_until: null,
      created_at: expect.any(String),
    })
    expect(list.text).not.toContain('whsec_')
    expect(list.text).not.toContain(made.secret.slice(6))
    const rows = await platform.db.selectFrom('event_endpoint').selectAll().execute()
    expect(rows.some(({ sealed }) => sealed.includes(made.secret.slice(6)))).toBe(false)
    await shop.call('DELETE', `${PATH}/${made.id}`)
  })

  test('gets a new secret, also shown once; the old one signs beside it for a day', async () => {
    const made = await addOne('https://shop.example/rotate')
    const { status, body } = await shop.call('POST', `${PATH}/${made.id}/secret`)
    expect(status).toBe(201)
    expect(body['secret']).toMatch(/^whsec_/)
    expect(body['secret']).not.toBe(made.secret)
    const hours = (Date.parse(String(body['previous_secret_until'])) - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(23.9)
    expect(hours).toBeLessThanOrEqual(24)
    expect((await shop.call('GET', PATH)).text).not.toContain('whsec_')
    await shop.call('DELETE', `${PATH}/${made.id}`)
  })

  test('is deleted once', async () => {
    const { id } = await addOne('https://shop.example/gone')
    expect((await shop.call('DELETE', `${PATH}/${id}`)).status).toBe(204)
    expect((await shop.call('GET', PATH)).data).toEqual([])
    const again = await shop.call('DELETE', `${PATH}/${id}`)
    expect([again.status, again.body['code']]).toEqual([404, 'endpoint_not_found'])
    const rotated = await shop.call('POST', `${PATH}/${id}/secret`)
    expect(rotated.status).toBe(404)
  })

  test('of another merchant is not there: 404, and not in the list', async () => {
    const { id } = await addOne('https://shop.example/mine')
    expect((await other.call('GET', PATH)).data).toEqual([])
    expect((await other.call('DELETE', `${PATH}/${id}`)).status).toBe(404)
    expect((await other.call('POST', `${PATH}/${id}/secret`)).status).toBe(404)
    expect((await shop.call('GET', PATH)).data.length).toBe(1)
    await shop.call('DELETE', `${PATH}/${id}`)
  })

  test.each(['x', 'w123', `e${'0'.repeat(25)}`, '..%2f..'])('%p is no id: 404', async (id) => {
    expect((await shop.call('DELETE', `${PATH}/${id}`)).status).toBe(404)
  })

  test('needs a key', async () => {
    const stranger = createCaller(platform.gateway.url, 'sk_test_nobody_knows_this')
    expect((await stranger.call('GET', PATH)).status).toBe(401)
    expect((await add('https://shop.example/', stranger)).status).toBe(401)
  })
})

describe('DN-07 an address that is refused when it is given', () => {
  test.each([
    'http://shop.example/',
    'https://user:pass@shop.example/',
    'https://shop.example:8443/',
    'https://localhost/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://10.1.2.3/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::1]/',
    'https://[fd00::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://metadata.google.internal/',
    'https://redis/',
    'ftp://shop.example/',
    'http://127.0.0.1:5432/',
  ])('%s', async (url) => {
    const { status, body } = await add(url)
    expect([status, body['code']]).toEqual([422, 'url_refused'])
    expect((await shop.call('GET', PATH)).data).toEqual([])
  })

  test.each([
    { url: 'shop.example' },
    { url: 7 },
    {},
    { url: `https://a.example/${'x'.repeat(512)}` },
  ])('no address at all: %p', async (body) => {
    expect((await shop.call('POST', PATH, body)).body['code']).toBe('body_invalid')
  })

  test("the operator's own local host is allowed", async () => {
    const { id } = await addOne(`http://${LOCAL}/events`)
    await shop.call('DELETE', `${PATH}/${id}`)
  })
})

describe('a merchant has at most ten', () => {
  test('also when all are added at once; a place is free again after a delete', async () => {
    const answers = await Promise.all(
      Array.from({ length: 14 }, (_, index) => add(`https://shop.example/${index}`)),
    )
    const statuses = answers.map(({ status }) => status).toSorted((one, next) => one - next)
    expect(statuses).toEqual([
      ...Array.from({ length: 10 }, () => 201),
      ...Array.from({ length: 4 }, () => 409),
    ])
    expect(answers.find(({ status }) => status === 409)?.body['code']).toBe('too_many_endpoints')
    const list = (await shop.call('GET', PATH)).data
    expect(list.length).toBe(10)
    await shop.call('DELETE', `${PATH}/${String(list[0]?.['id'])}`)
    await addOne('https://shop.example/again')
    expect((await add('https://shop.example/more')).status).toBe(409)
    expect((await add('https://other.example/', other)).status).toBe(201)
  })
})
