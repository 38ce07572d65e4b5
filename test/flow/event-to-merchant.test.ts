import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Webhook } from 'standardwebhooks'
import { deliveriesFor } from '../emulator/wechat-pay/by-number.ts'
import { startMerchant } from '../emulator/merchant/server.ts'
import type { Merchant } from '../emulator/merchant/server.ts'
import type { Arrival } from '../emulator/merchant/state.ts'
import { createCaller } from '../gateway/event-caller.ts'
import type { Caller } from '../gateway/event-caller.ts'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
let merchant: Merchant
let hanging: Merchant
let caller: Caller
let secret = ''
let shop: ReturnType<typeof createShop>

beforeAll(async () => {
  database = await cloneDatabase()
  merchant = await startMerchant()
  hanging = await startMerchant()
  platform = await startPlatform({
    databaseUrl: database.url,
    localHosts: [merchant.host, hanging.host],
  })
  shop = createShop(platform)
  caller = createCaller(platform.gateway.url, platform.apiKey)
  secret = await listenAt(merchant)
  hanging.setKnobs({ mode: 'hang' })
  await listenAt(hanging)
}, TIMEOUT_MS)

afterAll(async () => {
  await hanging.stop()
  await platform.stop()
  await merchant.stop()
  await database.drop()
}, TIMEOUT_MS)

async function listenAt(system: Merchant): Promise<string> {
  const { status, body } = await caller.call('POST', '/v1/event_endpoints', { url: system.url })
  expect(status).toBe(201)
  const made = String(body['secret'])
  system.setSecrets([made])
  return made
}

interface Told {
  readonly type: string
  readonly data: {
    readonly sequence: number
    readonly payment: { readonly id: string; readonly state: string; readonly refunded: number }
    readonly order: { readonly state: string }
  }
}

const toldOf = (arrival: Arrival): Told => JSON.parse(arrival.body)

/** What has arrived about a payment, without what was sent again. */
const aboutOf = (id: string, system = merchant) =>
  system.accepted().filter(({ body }) => body.includes(id))

const waitForTypes = (id: string, types: readonly string[]) =>
  waitFor(
    `${types.join(', ')} of ${id}`,
    () => {
      const found = aboutOf(id)
      return types.every((type) => found.some((item) => item.type === type)) ? found : undefined
    },
    30_000,
  )

async function pay(id: string): Promise<void> {
  const outcome = platform.emulator.pay(id)
  if (outcome.kind !== 'paid') throw new Error('the emulator refused the buyer')
  await outcome.done
}

describe('from a payment to the merchant, while another address hangs (DN-05)', () => {
  test(
    'CB-04 fifty identical callbacks at once: one merchant event',
    async () => {
      platform.emulator.setKnobs({ duplicate: 50, duplicateOrder: 'parallel' })
      const payment = await shop.buy({ amount: 500 })
      await pay(payment.id)
      platform.emulator.resetKnobs()
      expect(deliveriesFor(platform.emulator, payment.id).length).toBe(50)
      const [arrival] = await waitForTypes(payment.id, ['payment.paid'])
      if (arrival === undefined) throw new Error('it has arrived')
      const rows = await platform.db
        .selectFrom('merchant_event')
        .select(['type', 'sequence', 'body'])
        .where('subject', '=', payment.id)
        .execute()
      expect(rows.map(({ type, sequence }) => [type, Number(sequence)])).toEqual([
        ['payment.paid', 1],
      ])
      expect(aboutOf(payment.id).length).toBe(1)
      // DN-06: the bytes of the row are the bytes on the wire, and the merchant's own library takes them.
      expect(arrival.body).toBe(rows[0]?.body ?? '')
      const headers = {
        'webhook-id': arrival.id,
        'webhook-timestamp': arrival.timestamp,
        'webhook-signature': arrival.headers['webhook-signature'] ?? '',
      }
      expect(new Webhook(secret).verify(arrival.body, headers)).toEqual(JSON.parse(arrival.body))
    },
    TIMEOUT_MS,
  )

  test(
    'CB-06 paid, refunded, closed: each event says what the API says of the committed row',
    async () => {
      const payment = await shop.buy({ amount: 1000 })
      await pay(payment.id)
      await waitForTypes(payment.id, ['payment.paid'])
      await shop.refund(payment.id, 400)
      const [paid, refunded] = await waitForTypes(payment.id, ['payment.paid', 'refund.succeeded'])
      if (paid === undefined || refunded === undefined) throw new Error('both have arrived')
      expect(toldOf(paid).data).toMatchObject({
        sequence: 1,
        payment: { id: payment.id, state: 'paid', refunded: 0 },
        order: { state: 'paid' },
      })
      expect(toldOf(refunded).data).toMatchObject({
        sequence: 2,
        payment: { id: payment.id, state: 'paid', refunded: 400 },
        order: { state: 'partly_refunded' },
      })
      const unpaid = await shop.buy({ amount: 700 })
      await fetch(`${platform.gateway.url}/v1/payments/${unpaid.id}/close`, {
        method: 'POST',
        headers: { ...shop.headers, 'idempotency-key': crypto.randomUUID() },
      })
      const [closed, ...more] = await waitForTypes(unpaid.id, ['payment.closed'])
      expect(more).toEqual([])
      expect(closed && toldOf(closed).data.payment.state).toBe('closed')
      expect((await shop.read(unpaid.id)).state).toBe('closed')
    },
    TIMEOUT_MS,
  )

  test('DN-05 the address that hangs has held up nobody: not one of its calls has ended', () => {
    expect(merchant.accepted().length).toBeGreaterThanOrEqual(4)
    expect(hanging.arrivals().length).toBeGreaterThan(0)
    expect(hanging.arrivals().length).toBeLessThanOrEqual(4)
    expect(hanging.accepted()).toEqual([])
  })

  test('every event that was pushed can be pulled, with the same content', async () => {
    const pushed = merchant.accepted()
    const pulled = await waitFor('the pull side', async () => {
      const { data } = await caller.call('GET', '/v1/events')
      const ids = new Set(data.map(({ id }) => String(id)))
      return pushed.every(({ id }) => ids.has(id)) ? data : undefined
    })
    for (const { id, body } of pushed) {
      const event = pulled.find((item) => item['id'] === id)
      expect(event?.['content']).toEqual(JSON.parse(body))
    }
  })
})
