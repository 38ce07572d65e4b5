import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startLoggedGateway } from '../gateway/logged.ts'
import type { LoggedGateway } from '../gateway/logged.ts'
import { addWechatPay, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { waitFor } from '../support/wait.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
let wire: ReturnType<typeof startSlowWire>
let gateway: LoggedGateway
let accountId = ''

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url })
  wire = startSlowWire(platform.emulator.url)
  const { db, merchantId, keys } = platform
  accountId = await addWechatPay(db, merchantId, keys, wire.url, 'Behind a slow wire')
  gateway = await startLoggedGateway({
    databaseUrl: database.url,
    localHosts: [new URL(wire.url).host],
  })
}, TIMEOUT_MS)

afterAll(async () => {
  await gateway.stop()
  await wire.stop()
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

/** Brings everything to the vendor at once, and holds its answers back until they are let go. */
function startSlowWire(vendorUrl: string) {
  const released = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const { method, headers } = request
      const body = method === 'GET' ? undefined : await request.arrayBuffer()
      const response = await fetch(`${vendorUrl}${pathname}${search}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      })
      const bytes = await response.arrayBuffer()
      answered.resolve()
      await released.promise
      return new Response(bytes, { status: response.status, headers: response.headers })
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    answered: answered.promise,
    release: () => released.resolve(),
    stop: () => server.stop(true),
  }
}

test(
  'CB-05 a callback while the create call is open: paid once, and its late answer does not downgrade',
  async () => {
    platform.emulator.setKnobs({ callbackBeforeAnswer: true })
    const shop = createShop({ gateway, apiKey: platform.apiKey })
    const purchase = { ...shop.bodyOf({ userId: 'user-early' }), channel_account: accountId }
    const creating = shop.post(purchase, crypto.randomUUID())
    await wire.answered
    platform.emulator.resetKnobs()
    const { id } = await waitFor('the order to be paid, its points granted', () =>
      platform.db
        .selectFrom('payment as p')
        .innerJoin('customer_order as o', 'o.id', 'p.order_id')
        .innerJoin('points_grant as g', 'g.order_id', 'o.id')
        .select('p.id')
        .where('p.state', '=', 'paid')
        .where('o.order_number', '=', purchase.order_number)
        .where('g.state', '=', 'granted')
        .executeTakeFirst(),
    )
    wire.release()
    const response = await creating
    expect(response.status).toBeLessThan(300)
    const view = await shop.read(id)
    expect([view.state, view.disposition, view.order.state]).toEqual(['paid', 'counted', 'paid'])
    const moves = await platform.db
      .selectFrom('state_change')
      .select(['from_state', 'to_state'])
      .where('subject_id', '=', id)
      .orderBy('at')
      .execute()
    // It was never pending: the callback came first, and the answer of the create call changed nothing.
    expect(moves.map((move) => [move.from_state, move.to_state])).toEqual([
      [null, 'created'],
      ['created', 'paid'],
    ])
    const effects = platform.points.effects().filter((effect) => effect.user_id === 'user-early')
    expect(effects.map((effect) => effect.applied_count)).toEqual([1])
  },
  TIMEOUT_MS,
)
