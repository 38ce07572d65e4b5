import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { z } from 'zod'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 60_000
setDefaultTimeout(TIMEOUT_MS)
const OPEN_ID = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
const CLIENT_IP = '203.0.113.7'
const PHONE = '13812345678'

const timeline = z.object({
  object: z.literal('list'),
  has_more: z.literal(false),
  data: z.array(
    z.object({
      at: z.iso.datetime(),
      kind: z.string(),
      subject: z.string().nullable(),
      content: z.looseObject({
        from: z.string().nullish(),
        to: z.string().optional(),
        state: z.string().optional(),
      }),
    }),
  ),
})

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let stranger = ''
let payment = ''
let refund = ''

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url })
  shop = createShop(platform)
  const other = await addMerchant(platform.db, 'Another shop')
  stranger = (await createApiKey(platform.db, other, 'test')).reveal()
  await live()
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

/** A payment whose callback is lost, that is found by a close, and is refunded in part. */
async function live(): Promise<void> {
  payment = (await shop.buy({ method: 'jsapi', userId: 'u-story' })).id
  // So that no planned query is faster than the close.
  await platform.db.updateTable('payment').set({ next_query_at: null }).execute()
  platform.emulator.setKnobs({ dropCallbacks: true, dropForever: true })
  const paid = platform.emulator.pay(payment)
  if (paid.kind === 'paid') await paid.done
  platform.emulator.resetKnobs()
  const back = `openid=${OPEN_ID}&phone=${PHONE}&result=paid`
  await fetch(`${platform.gateway.url}/return/${platform.accountId}/${payment}?${back}`)
  const closed = await fetch(`${platform.gateway.url}/v1/payments/${payment}/close`, {
    method: 'POST',
    headers: { ...shop.headers, 'idempotency-key': crypto.randomUUID() },
  })
  expect(closed.status).toBe(409)
  await shop.waitForState(payment, 'paid')
  await waitFor('points', () => (platform.points.balance('u-story') > 0 ? true : undefined))
  await platform.emulator.resend(payment)
  await waitForStory('the callback', (kinds) => kinds.includes('callback applied'))
  refund = (await shop.refund(payment, 999)).id
  await waitFor('the refund', async () =>
    (await shop.readRefund(refund)).points_taken_back === 10 ? true : undefined,
  )
  await waitForStory(
    'the notice of the refund',
    (kinds) => kinds.filter((kind) => kind === 'callback applied').length === 2,
  )
}

const read = (id: string, key = platform.apiKey): Promise<Response> =>
  fetch(`${platform.gateway.url}/v1/payments/${id}/timeline`, {
    headers: { authorization: `Bearer ${key}` },
  })

/** Each entry as a few words. */
async function story(): Promise<string[]> {
  const { data } = timeline.parse(await (await read(payment)).json())
  return data.map(({ kind, subject, content }) => {
    if (kind === 'state') {
      const table = (subject ?? '').split(' ')[0]
      return `${table} ${content.from ?? 'none'} > ${content.to}`
    }
    return kind === 'callback' ? `callback ${content.state}` : kind
  })
}

const waitForStory = (what: string, isMet: (kinds: readonly string[]) => boolean) =>
  waitFor(what, async () => (isMet(await story()) ? true : undefined), TIMEOUT_MS)

/** Fails unless the words stand in the story in this order, whatever is between them. */
function expectInOrder(told: readonly string[], words: readonly string[]): void {
  let from = 0
  for (const word of words) {
    const at = told.indexOf(word, from)
    expect(at < 0 ? `no "${word}" after "${told.slice(0, from).join('", "')}"` : word).toBe(word)
    from = at + 1
  }
}

describe('the timeline of a payment', () => {
  test('tells its whole story in order: what was said, what came, what moved', async () => {
    const told = await story()
    expectInOrder(told, [
      'payment none > created',
      'create',
      'payment created > pending',
      'return',
      'close',
      'query',
      'payment pending > paid',
      'callback applied',
      'refund none > requested',
      'refund requested > sent',
      'callback applied',
    ])
    // The notice of a refund may overtake the answer that it follows; both come after the request.
    expectInOrder(told, ['refund requested > sent', 'refund'])
    expectInOrder(told, [
      'customer_order none > unpaid',
      'customer_order unpaid > paid',
      'points_grant none > pending',
      'points_grant pending > sent',
      'points_grant sent > granted',
      'refund none > requested',
      'customer_order paid > partly_refunded',
      'points_grant none > pending',
      'points_grant pending > sent',
      'points_grant sent > taken',
    ])
    expect(told).toContain('refund accepted > succeeded')
  })

  test('its moments never go backwards', async () => {
    const { data } = timeline.parse(await (await read(payment)).json())
    const moments = data.map(({ at }) => at)
    expect(moments).toEqual(moments.toSorted())
  })

  test('names the request, the answer and the witness, and the refund where it is about one', async () => {
    const { data } = timeline.parse(await (await read(payment)).json())
    const created = data.find(({ kind }) => kind === 'create')
    expect(created?.content).toMatchObject({ method: 'POST', status: 200 })
    expect(JSON.stringify(created?.content['requestBody'])).toContain(payment)
    const paid = data.find(
      ({ subject, content }) => subject === `payment ${payment}` && content.to === 'paid',
    )
    expect(paid?.content).toEqual({ from: 'pending', to: 'paid', witness: 'query' })
    expect(data.find(({ kind }) => kind === 'refund')?.subject).toBe(refund)
    const callbacks = data.filter(({ kind }) => kind === 'callback')
    expect(callbacks.map(({ content }) => Object(content['facts'])['kind'])).toEqual([
      'payment',
      'refund',
    ])
  })

  test('holds no key, no signature, nothing sealed and nothing about who paid', async () => {
    const text = await (await read(payment)).text()
    expect(text.length).toBeGreaterThan(2000)
    const { merchant, vendor } = platform.keys
    const pems = [merchant.privateKeyPem, vendor.publicKeyPem, vendor.certificatePem]
    const sealed = await platform.db.selectFrom('channel_key').select('sealed').execute()
    const notifications = await platform.db
      .selectFrom('notification')
      .select(['headers', 'body'])
      .execute()
    const signatures = notifications.flatMap(({ headers, body }) => [
      headers['wechatpay-signature'] ?? 'none',
      // What was sealed with the APIv3 key.
      /"ciphertext":"([^"]+)"/.exec(body.toString())?.[1] ?? 'none',
    ])
    expect(signatures.length).toBe(4)
    expect(signatures).not.toContain('none')
    const secrets = [
      ...pems.flatMap((pem) => pem.split('\n').filter((line) => line.length > 40)),
      ...sealed.flatMap((row) => [row.sealed.toString('hex'), row.sealed.toString('base64')]),
      ...signatures,
      merchant.apiV3Key,
      platform.apiKey,
      'WECHATPAY2-SHA256-RSA2048',
      'PRIVATE KEY',
      '5a'.repeat(32),
      OPEN_ID,
      CLIENT_IP,
      PHONE,
    ]
    expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
  })

  test('is not found for another merchant, and refused without a key', async () => {
    expect((await read(payment, stranger)).status).toBe(404)
    expect(await (await read(payment, stranger)).text()).not.toContain(payment)
    expect((await read(payment, 'sk_test_wrong')).status).toBe(401)
    expect((await read('x')).status).toBe(404)
  })
})
