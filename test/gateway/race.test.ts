import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createRegistry } from '#channel/registry'
import { strategies } from '#channel/strategies'
import { addKeys, setAccountFlags } from '#db/account/account'
import type { ChannelAccountId } from '#domain/id'
import { Secret } from '#domain/secret'
import { systemClock } from '#domain/time'
import { createAccountCache } from '#gateway/account-cache'
import { signCallback } from '../emulator/wechat-pay/callback.ts'
import { makeWechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import type { WechatPayKeys } from '../emulator/wechat-pay/keys.ts'
import { addWechatPay, startPlatform, testSealKey } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { createGenuine } from './genuine.ts'
import { startLoggedGateway } from './logged.ts'

// Races of the reliability notes, section 4.8, that end in the gateway.

const TIMEOUT_MS = 30_000
const CACHE_MS = 3000

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

describe('F133 key rotation ∥ verification', () => {
  test('a request uses the keys that it began with, the next one those of the row', async () => {
    const { db, keys } = platform
    const account = await addAnother('Rotated')
    const fresh = await makeWechatPayKeys()
    let nowMs = 0
    const registry = createRegistry(strategies, {
      clock: systemClock,
      fetch,
      localHosts: platform.localHosts,
      newNonce: () => crypto.randomUUID().replaceAll('-', ''),
    })
    const accounts = createAccountCache(db, testSealKey(), registry, () => nowMs)
    const before = await accounts.find(account)
    // The barrier: the request has its account; now the keys are replaced, before a byte is verified.
    await rotate(account, fresh)
    nowMs += CACHE_MS
    const after = await accounts.find(account)
    const read = async (live: typeof before, signer: WechatPayKeys) =>
      (await live?.channel.readCallback({ account, ...signedBy(signer) }))?.kind
    expect(await read(before, keys)).toBe('verified')
    expect(await read(before, fresh)).toBe('rejected')
    expect(await read(after, fresh)).toBe('verified')
    expect(await read(after, keys)).toBe('rejected')
  })

  test.each(['before', 'while'] as const)(
    'verified %s the keys are replaced: one set or the other',
    async (when) => {
      const account = await addAnother(`Rotated ${when}`)
      const fresh = await makeWechatPayKeys()
      const vendor = createGenuine(platform)
      const number = crypto.randomUUID()
      const sending = vendor.send(vendor.genuine({ number }), account)
      if (when === 'before') expect((await sending).status).toBe(200)
      await rotate(account, fresh)
      const { status } = await sending
      const rows = await vendor.rowsFor(number)
      // Acknowledged and stored, or neither: never half of each set.
      expect([status, rows.length]).toEqual(status === 200 ? [200, 1] : [401, 0])
    },
  )

  /** One that takes no orders: those of the other tests are not to choose between two. */
  async function addAnother(name: string): Promise<ChannelAccountId> {
    const { db, merchantId, keys, emulator } = platform
    const id = await addWechatPay(db, merchantId, keys, emulator.url, name)
    await setAccountFlags(db, merchantId, id, { accepting: false, retired: false })
    return id
  }

  /** As an operator does who has lost a key: the new one in, the old ones out, in one commit. */
  async function rotate(account: ChannelAccountId, fresh: WechatPayKeys): Promise<void> {
    await platform.db.transaction().execute(async (trx) => {
      await trx
        .deleteFrom('channel_key')
        .where('channel_account_id', '=', account)
        .where('purpose', '=', 'vendor_public')
        .execute()
      await addKeys(trx, testSealKey(), {
        merchantId: platform.merchantId,
        accountId: account,
        keys: [
          {
            purpose: 'vendor_public',
            serial: fresh.vendor.publicKeyId,
            value: new Secret(fresh.vendor.publicKeyPem),
          },
        ],
      })
    })
  }

  function signedBy({ vendor }: WechatPayKeys) {
    const { headers, body } = signCallback({
      keys: vendor,
      // The key that opens the content is not the one that rotates here.
      apiV3Key: platform.keys.merchant.apiV3Key,
      plaintext: '{}',
      eventType: 'TEST',
      id: crypto.randomUUID(),
      now: new Date(),
      serialMode: 'public',
    })
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
    return { headers: Object.fromEntries(lower), body: new TextEncoder().encode(body) }
  }
})

describe('F134 an order created twice at once', () => {
  const answer = async (response: Response) => {
    const body: unknown = await response.json()
    return { status: response.status, id: Object(body).id, code: Object(body).code }
  }

  test('with one key: one order, one attempt, and the same answer in the end', async () => {
    const body = shop.bodyOf({})
    const key = crypto.randomUUID()
    const clicks = await Promise.all(
      Array.from({ length: 8 }, async () => answer(await shop.post(body, key))),
    )
    const created = clicks.filter(({ status }) => status === 201)
    // The others came while it ran, and are told so; none of them made anything.
    const rest = clicks.filter(({ status }) => status !== 201)
    expect(rest.filter(({ code }) => code !== 'idempotency_key_running')).toEqual([])
    const ids = new Set(created.map(({ id }) => id))
    expect(ids.size).toBe(1)
    expect(await answer(await shop.post(body, key))).toMatchObject({ status: 201, id: [...ids][0] })
    expect(await countOf(body.order_number)).toEqual({ orders: 1, payments: 1, atVendor: 1 })
  })

  test('with two keys: one order, one attempt, and both get it', async () => {
    const body = shop.bodyOf({})
    const clicks = await Promise.all(
      Array.from({ length: 8 }, async () => answer(await shop.post(body, crypto.randomUUID()))),
    )
    const ids = new Set(clicks.map(({ id }) => id))
    expect(ids.size).toBe(1)
    expect(clicks.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(await countOf(body.order_number)).toEqual({ orders: 1, payments: 1, atVendor: 1 })
  })

  async function countOf(orderNumber: string) {
    const orders = await platform.db
      .selectFrom('customer_order')
      .select('id')
      .where('order_number', '=', orderNumber)
      .execute()
    const payments = await platform.db
      .selectFrom('payment')
      .select('id')
      .where(
        'order_id',
        'in',
        orders.map(({ id }) => id),
      )
      .execute()
    const atVendor = payments.filter(({ id }) => platform.emulator.order(id) !== undefined)
    return { orders: orders.length, payments: payments.length, atVendor: atVendor.length }
  }
})

describe('F135 account switched off ∥ callback', () => {
  const switchTo = (accepting: boolean) =>
    setAccountFlags(platform.db, platform.merchantId, platform.accountId, {
      accepting,
      retired: false,
    })

  test.each(['callback first', 'switched off first'])(
    '%s: it is acknowledged and stored, only a new order is refused',
    async (order) => {
      const { id } = await shop.buy()
      const off = () => switchTo(false)
      const vendor = createGenuine(platform)
      // A gateway of its own, because one that knows the account believes what it knows for two seconds.
      const hear = async () => {
        const { url, stop } = await startLoggedGateway({ databaseUrl: database.url })
        const { status } = await vendor.send(vendor.genuine({ number: id }), undefined, url)
        await stop()
        expect(status).toBe(200)
      }
      for (const step of order === 'callback first' ? [hear, off] : [off, hear]) await step()
      expect(await vendor.rowsFor(id)).toHaveLength(1)
      const refused = await shop.post(shop.bodyOf({}), crypto.randomUUID())
      expect(refused.status).toBe(422)
      await switchTo(true)
      expect((await shop.buy()).state).toBe('pending')
    },
  )
})
