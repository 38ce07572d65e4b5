import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { Webhook } from 'standardwebhooks'
import { isDelivered } from '#db/event/event-result'
import { Secret } from '#domain/secret'
import { systemClock } from '#domain/time'
import { createEventClient, headersOf } from '#worker/event-client'
import { startMerchant } from '../emulator/merchant/server.ts'
import type { Merchant } from '../emulator/merchant/server.ts'
import type { Arrival } from '../emulator/merchant/state.ts'

const MS = 1000

const newSecret = (): string =>
  `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`
const CURRENT = newSecret()
const PREVIOUS = newSecret()

let merchant: Merchant
let number = 0

beforeAll(async () => {
  merchant = await startMerchant()
})

beforeEach(() => {
  merchant.setKnobs({ mode: 'ok' })
  merchant.setSecrets([CURRENT])
})

afterAll(() => merchant.stop())

const BODY = JSON.stringify({
  type: 'payment.paid',
  timestamp: '2026-03-02T04:05:06.789Z',
  data: { subject: '茶具 “套装” 🫖', note: '\u2028 \\u0000 "quoted"', amount: 1999 },
})

function send(secrets: readonly string[] = [CURRENT], timeoutMs = 5000) {
  number += 1
  const client = createEventClient({
    clock: systemClock,
    localHosts: [merchant.host],
    resolve: () => Promise.reject(new Error('nothing is looked up here')),
    fetch: (url, init) => fetch(url, init),
    timeoutMs,
  })
  const id = `event-${number}`
  const keys = secrets.map((text) => new Secret(text))
  return client.send({ url: merchant.url, id, body: BODY, secrets: keys })
}

/** The one that the merchant got for the latest send. */
function latest(): Arrival {
  const arrival = merchant.arrivals().at(-1)
  if (arrival?.id !== `event-${number}`) throw new Error('the latest event did not arrive')
  return arrival
}

const headersAt = (arrival: Arrival) => ({
  'webhook-id': arrival.id,
  'webhook-timestamp': arrival.timestamp,
  'webhook-signature': arrival.headers['webhook-signature'] ?? '',
})

const accepts = (secret: string, body: string, headers: Record<string, string>): boolean => {
  try {
    new Webhook(secret).verify(body, headers)
    return true
  } catch {
    // The package throws for every way in which a message is not genuine.
    return false
  }
}

describe('DN-06 P10 the signature', () => {
  test('bytes signed = bytes sent: the standardwebhooks package accepts what arrived', async () => {
    expect((await send()).status).toBe(204)
    const arrival = latest()
    expect(arrival.body).toBe(BODY)
    expect(arrival.headers['content-length']).toBe(String(Buffer.byteLength(BODY)))
    expect(accepts(CURRENT, arrival.body, headersAt(arrival))).toBe(true)
    expect(new Webhook(CURRENT).verify(arrival.body, headersAt(arrival))).toEqual(JSON.parse(BODY))
    expect(arrival.judgement).toBe('genuine')
  })

  test('any byte of body, id or time changed is not genuine, nor is another secret', async () => {
    await send()
    const arrival = latest()
    const headers = headersAt(arrival)
    expect(accepts(CURRENT, arrival.body.replace('1999', '1998'), headers)).toBe(false)
    expect(accepts(CURRENT, `${arrival.body} `, headers)).toBe(false)
    expect(accepts(CURRENT, arrival.body, { ...headers, 'webhook-id': 'event-x' })).toBe(false)
    const later = String(Number(arrival.timestamp) + 1)
    expect(accepts(CURRENT, arrival.body, { ...headers, 'webhook-timestamp': later })).toBe(false)
    expect(accepts(PREVIOUS, arrival.body, headers)).toBe(false)
  })

  test('while a secret is replaced both are accepted, the current one first', async () => {
    await send([CURRENT, PREVIOUS])
    const arrival = latest()
    const headers = headersAt(arrival)
    expect(accepts(CURRENT, arrival.body, headers)).toBe(true)
    expect(accepts(PREVIOUS, arrival.body, headers)).toBe(true)
    const [first, second, ...more] = headers['webhook-signature'].split(' ')
    const at = new Date(Number(arrival.timestamp) * MS)
    expect(first).toBe(new Webhook(CURRENT).sign(arrival.id, at, BODY))
    expect(second).toBe(new Webhook(PREVIOUS).sign(arrival.id, at, BODY))
    expect(more).toEqual([])
    const amidGarbage = `v1,bm9uc2Vuc2U= v2,x ${second} v1, ,`
    expect(accepts(PREVIOUS, arrival.body, { ...headers, 'webhook-signature': amidGarbage })).toBe(
      true,
    )
  })

  test('is the published one for the published example', () => {
    // The example of the Standard Webhooks repository and of Svix, "Verifying webhooks manually".
    const secrets = [new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')]
    const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', secrets }
    const headers = headersOf(message, new Date(1_614_265_330 * MS))
    expect(headers['webhook-timestamp']).toBe('1614265330')
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  test('no secret is in what is sent or told', async () => {
    const result = await send([CURRENT, PREVIOUS])
    const text = JSON.stringify([latest().headers, latest().body, result])
    expect(text).not.toContain(CURRENT.slice(6))
    expect(text).not.toContain(PREVIOUS.slice(6))
  })
})

describe('DN-01 only a status of 200 to 299 acknowledges', () => {
  test.each([200, 201, 202, 204, 299])('%i is delivered', async (status) => {
    merchant.setKnobs({ mode: 'status', status })
    expect(isDelivered(await send())).toBe(true)
  })

  test.each([300, 302, 304, 400, 401, 404, 409, 410, 429, 500, 502, 503, 504, 599])(
    '%i is not',
    async (status) => {
      merchant.setKnobs({ mode: 'status', status })
      const result = await send()
      expect([result.status, isDelivered(result)]).toEqual([status, false])
    },
  )

  test.each(['success', 'unsuccessful', 'ok', '{"code":"SUCCESS"}'])(
    'a body changes nothing: 500 and "%s" is not, 200 and "fail" is',
    async (text) => {
      let status = 500
      const server = Bun.serve({
        hostname: '127.0.0.1',
        port: 0,
        fetch: () => new Response(status === 500 ? text : 'fail', { status }),
      })
      const client = createEventClient({
        clock: systemClock,
        localHosts: [server.url.host],
        resolve: () => Promise.resolve([]),
        fetch: (url, init) => fetch(url, init),
      })
      const message = { url: server.url.href, id: 'e', body: '{}', secrets: [new Secret(CURRENT)] }
      expect(isDelivered(await client.send(message))).toBe(false)
      status = 200
      expect(isDelivered(await client.send(message))).toBe(true)
      await server.stop(true)
    },
  )

  test('a cut connection, and no answer in time, are not', async () => {
    merchant.setKnobs({ mode: 'close' })
    const cut = await send()
    expect([cut.status, isDelivered(cut)]).toEqual([undefined, false])
    expect(cut.error).toBe('ECONNRESET')
    merchant.setKnobs({ mode: 'hang' })
    const late = await send([CURRENT], 100)
    expect([late.status, late.error, isDelivered(late)]).toEqual([undefined, 'TimeoutError', false])
  })

  test('nobody at the address is not', async () => {
    const gone = await startMerchant()
    await gone.stop()
    const client = createEventClient({
      clock: systemClock,
      localHosts: [gone.host],
      resolve: () => Promise.resolve([]),
      fetch: (url, init) => fetch(url, init),
    })
    const message = { url: gone.url, id: 'e', body: '{}', secrets: [new Secret(CURRENT)] }
    const result = await client.send(message)
    expect(result).toMatchObject({ status: undefined, error: 'ECONNREFUSED' })
  })

  test('a body without an end is not read, and holds nobody', async () => {
    merchant.setKnobs({ mode: 'endless' })
    const result = await send([CURRENT], 4000)
    expect([result.status, isDelivered(result)]).toEqual([200, true])
  })

  test('every call has a connection of its own: none is shared under another name', async () => {
    const before = merchant.connections()
    await send()
    await send()
    expect(merchant.connections() - before).toBe(2)
    expect(latest().headers['connection']).not.toBe('keep-alive')
  })
})
