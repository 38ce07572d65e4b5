import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { ChannelAccountId } from '#domain/id'
import { addWechatPay, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { freePort } from '../support/port.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'

const TIMEOUT_MS = 40_000

/** What stands on the way to the vendor, and what it makes of a call. */
type Way = (go: () => Promise<Response>) => Response | Promise<Response>

const refused: Way = () =>
  Response.json({ code: 'PARAM_ERROR', message: '参数错误' }, { status: 400 })

/** The vendor takes the call, and its answer is lost. */
const lost: Way = async (go) => {
  await (await go()).text()
  return new Response('<html>bad gateway</html>', { status: 502 })
}

let database: TestDatabase
let platform: Platform
let shop: ReturnType<typeof createShop>
let proxy: ReturnType<typeof Bun.serve>
let account: ChannelAccountId
let way: Way

beforeAll(async () => {
  database = await cloneDatabase()
  const port = await freePort()
  const localHosts = [`127.0.0.1:${port}`]
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false, localHosts })
  proxy = Bun.serve({
    port,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const { method, headers } = request
      const body = await request.text()
      return way(() => fetch(platform.emulator.url + pathname + search, { method, headers, body }))
    },
  })
  const { db, merchantId, keys } = platform
  account = await addWechatPay(db, merchantId, keys, `http://127.0.0.1:${port}`, 'Behind a proxy')
  shop = createShop(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await proxy.stop(true)
  await database.drop()
}, TIMEOUT_MS)

async function create(orderNumber: string, next: Way) {
  way = next
  const body = { ...shop.bodyOf({ orderNumber }), channel_account: account }
  const response = await shop.post(body, crypto.randomUUID())
  return { status: response.status, body: Object(await response.json()) }
}

const rowOf = (orderNumber: string) =>
  platform.db
    .selectFrom('payment as p')
    .innerJoin('customer_order as o', (join) =>
      join.onRef('o.merchant_id', '=', 'p.merchant_id').onRef('o.id', '=', 'p.order_id'),
    )
    .select(['p.id', 'p.state', 'p.refusal_code'])
    .where('o.order_number', '=', orderNumber)
    .executeTakeFirstOrThrow()

describe('a create that the vendor refuses', () => {
  test('ends the attempt when it is the first call with its number', async () => {
    const { status, body } = await create('first', refused)
    expect([status, body.code]).toEqual([502, 'channel_refused'])
    expect(await rowOf('first')).toMatchObject({ state: 'closed', refusal_code: 'PARAM_ERROR' })
  })

  test('ends nothing when it is a repeat: the first call may have arrived, and can be paid', async () => {
    expect(await create('again', lost)).toMatchObject({ status: 202, body: { state: 'created' } })
    const { id } = await rowOf('again')
    expect(await create('again', refused)).toMatchObject({
      status: 202,
      body: { id, state: 'created', next_action: null },
    })
    expect(await rowOf('again')).toEqual({ id, state: 'created', refusal_code: null })
    // A later repeat is answered after all, and a customer can pay what the vendor has had all the time.
    expect(await create('again', (go) => go())).toMatchObject({ status: 200, body: { id } })
    expect(platform.emulator.pay(id).kind).not.toBe('refused')
  })
})
