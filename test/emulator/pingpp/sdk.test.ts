import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import http from 'node:http'
import newPingpp from 'pingpp'
import { z } from 'zod'

import type { TestMerchant } from './merchant.ts'
import { APP, chargeBody, startTestMerchant } from './merchant.ts'

// Ping++'s own client as the merchant: it was written against the real service.
let merchant: TestMerchant

// The client sends its body when the socket connects, which one that is used again never does.
const sharedAgent = http.globalAgent

beforeAll(async () => {
  http.globalAgent = new http.Agent({ keepAlive: false })
  merchant = await startTestMerchant()
})

afterEach(() => {
  merchant.emulator.resetKnobs()
})

afterAll(async () => {
  http.globalAgent = sharedAgent
  await merchant.stop()
})

function newClient(privateKeyPem = merchant.keys.merchant.privateKeyPem) {
  const client = newPingpp(merchant.keys.merchant.liveKey)
  const { hostname, port } = new URL(merchant.emulator.url)
  client.setHost(hostname, port, 'http')
  client.setPrivateKey(privateKeyPem)
  return client
}

const withId = z.object({ id: z.string() })
const idOf = (value: unknown): string => withId.parse(value).id

/** What the client throws is its own class of error with the fields of the answer. */
const failureOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    return { answered: await promise }
  } catch (error) {
    return error
  }
}

describe('the official client', () => {
  test('creates, retrieves and lists', async () => {
    const client = newClient()
    const made = await client.charges.create(chargeBody('CLIENT01'))
    expect(made).toMatchObject({ credential: { alipay_qr: expect.any(String) } })
    const id = idOf(made)
    expect(await client.charges.retrieve(id)).toMatchObject({ id, paid: false })
    const query = { app: { id: APP }, created: { gte: 1, lt: 9_999_999_999 }, limit: 100 }
    expect(await client.charges.list(query)).toMatchObject({ has_more: false, data: [{ id }] })
  })

  test('refunds, lists refunds and retrieves events', async () => {
    const client = newClient()
    const id = idOf(await client.charges.create(chargeBody('CLIENT02')))
    const paid = merchant.emulator.pay('CLIENT02')
    if (paid.kind !== 'paid') throw new Error(`expected paid, got ${paid.reason}`)
    const refund = await client.charges.createRefund(id, { amount: 800, description: '退货' })
    expect(refund).toMatchObject({ status: 'pending', amount: 800 })
    await merchant.emulator.idle()
    const done = await client.charges.retrieveRefund(id, idOf(refund))
    expect(done).toMatchObject({ status: 'succeeded' })
    expect(await client.charges.listRefunds(id)).toMatchObject({ data: [done] })
    const event = await client.events.retrieve(paid.eventId)
    expect(event).toMatchObject({ type: 'charge.succeeded' })
  })

  test('reverses', async () => {
    const client = newClient()
    const extra = { scan_code: '284833945818637841', terminal_id: '1' }
    const body = { ...chargeBody('CLIENT03'), channel: 'isv_scan', extra }
    const id = idOf(await client.charges.create(body))
    expect(await client.charges.reverse(id)).toMatchObject({ reversed: true })
  })

  test('reads the errors', async () => {
    const client = newClient()
    expect(await failureOf(client.charges.retrieve('ch_nothing'))).toMatchObject({
      type: 'PingppInvalidRequest',
      param: 'id',
    })
    await client.charges.create(chargeBody('CLIENT04'))
    const used = await failureOf(client.charges.create(chargeBody('CLIENT04')))
    expect(used).toMatchObject({ code: 'charge_order_no_used' })
    merchant.emulator.setKnobs({ status401: 1 })
    const denied = await failureOf(client.charges.retrieve('ch_nothing'))
    expect(denied).toMatchObject({ type: 'PingppAuthenticationError' })
    merchant.emulator.setKnobs({ status403: 1 })
    const busy = await failureOf(client.charges.retrieve('ch_nothing'))
    expect(busy).toMatchObject({ type: 'PingppRateLimitError' })
  })

  test('is refused with the key of somebody else', async () => {
    const { vendor } = merchant.keys
    const failure = await failureOf(
      newClient(vendor.privateKeyPem).charges.create(chargeBody('CLIENT05')),
    )
    expect(failure).toMatchObject({ message: '提供了无效的签名' })
    expect(merchant.emulator.order('CLIENT05')).toBeUndefined()
  })

  test('repeats a 502 by itself, and meets its own number after a commit', async () => {
    const client = newClient()
    merchant.emulator.setKnobs({ status502: 1 })
    expect(await client.charges.create(chargeBody('CLIENT06'))).toHaveProperty('id')
    merchant.emulator.setKnobs({ badGatewayAfterCommit: 1 })
    const repeated = await failureOf(client.charges.create(chargeBody('CLIENT07')))
    expect(repeated).toMatchObject({ code: 'charge_order_no_used' })
  })
})
