import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { request as httpRequest } from 'node:http'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { waitFor } from '../support/wait.ts'
import { createGenuine } from './genuine.ts'
import type { Sendable } from './genuine.ts'
import { startLoggedGateway } from './logged.ts'
import type { LoggedGateway } from './logged.ts'

// What must not get in, sent to a real gateway. What each refusal is about is in test/channel/.

const TIMEOUT_MS = 30_000
const NOW = new Date('2026-03-14T01:15:02Z')
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000)

let database: TestDatabase
let platform: Platform
let gateway: LoggedGateway
let vendor: ReturnType<typeof createGenuine>

beforeAll(async () => {
  database = await cloneDatabase()
  const clock = { now: () => NOW }
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false, clock })
  gateway = await startLoggedGateway({ databaseUrl: database.url, clock })
  vendor = createGenuine(platform)
}, TIMEOUT_MS)

afterAll(async () => {
  await gateway.stop()
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const genuine = (number: string, age = 0) => vendor.genuine({ number, now: ago(age) })
const send = (callback: Sendable) => vendor.send(callback, platform.accountId, gateway.url)

const storedNumbers = async (): Promise<number> =>
  (await platform.db.selectFrom('notification').select('id').execute()).length

describe('a callback that is old', () => {
  test.each([
    [299, 200],
    [-299, 200],
    [300, 401],
    [301, 401],
    [-301, 401],
  ])('CB-16 a signature %i seconds old is answered %i', async (age, status) => {
    const number = `age-${age}`
    expect((await send(genuine(number, age))).status).toBe(status)
    expect((await vendor.rowsFor(number)).length).toBe(status === 200 ? 1 : 0)
  })

  test('CB-16 says how far the clocks are apart, to whoever reads the log', async () => {
    await send(genuine('skewed', 301))
    const line = gateway.warned().findLast(({ reason }) => reason === 'stale')
    expect(line?.['explanation']).toContain('found 301 s')
  })
})

describe('what does not count', () => {
  test.each([
    { host: 'localhost' },
    { host: '127.0.0.1' },
    { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '10.0.0.1' },
    { 'x-forwarded-host': 'localhost', forwarded: 'for=127.0.0.1;host=localhost' },
    { 'x-forwarded-proto': 'https', via: '1.1 localhost' },
  ])('CB-12 from a private address, %p opens no way in', async (tempting) => {
    // The test itself comes from 127.0.0.1, the most private address there is.
    const { headers, body } = genuine('tempting')
    const forged = body.replace('"id":"', '"id":"x')
    expect(await post({ ...headers, ...tempting }, forged)).toBe(401)
    expect(await vendor.rowsFor('tempting')).toEqual([])
    const number = `let-in-${Object.keys(tempting).join()}`
    const real = genuine(number)
    expect(await post({ ...real.headers, ...tempting }, real.body)).toBe(200)
  })
})

/** Node's client sends the Host that it is told to. */
function post(headers: Readonly<Record<string, string>>, body: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const url = `${gateway.url}/callback/${platform.accountId}`
  const sent = httpRequest(url, { method: 'POST', headers }, (response) => {
    response.resume()
    resolve(response.statusCode ?? 0)
  })
  sent.on('error', reject)
  sent.end(body)
  return promise
}

describe('odd callbacks', () => {
  const HEADERS = [
    'Wechatpay-Serial',
    'Wechatpay-Nonce',
    'Wechatpay-Timestamp',
    'Wechatpay-Signature',
  ] as const
  const headerText = fc
    .string({ unit: 'grapheme-ascii', maxLength: 200 })
    .map((text) => text.trim())

  test('CB-13 CB-14 fuzzed headers: a 4xx, nothing stored, the process alive', async () => {
    const before = await storedNumbers()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...HEADERS), headerText, async (name, text) => {
        const { headers, body } = genuine('fuzz')
        fc.pre(text !== headers[name])
        const response = await send({ headers: { ...headers, [name]: text }, body })
        expect(response.status).toBe(401)
      }),
      { numRuns: 120 },
    )
    for (const name of HEADERS) {
      const headers = new Headers(genuine('fuzz').headers)
      headers.delete(name)
      expect((await send({ headers, body: genuine('fuzz').body })).status).toBe(401)
    }
    expect(await storedNumbers()).toBe(before)
    expect((await send(genuine('after-headers'))).status).toBe(200)
  })

  test('CB-14 fuzzed nonce, tag, base64 and text of a signed envelope: never a 5xx, process alive', async () => {
    const field = fc.constantFrom('nonce', 'ciphertext', 'associated_data')
    await fc.assert(
      fc.asyncProperty(
        field,
        fc.string({ unit: 'grapheme', maxLength: 60 }),
        async (name, text) => {
          const reshape = (body: string): string =>
            body.replace(
              new RegExp(`("${name}":)"[^"]*"`),
              (_, key: string) => key + JSON.stringify(text),
            )
          const response = await send(vendor.genuine({ number: 'sealed', now: NOW, reshape }))
          // Not opened by any key: refused. Not even readable: genuine, kept for a person, acknowledged.
          expect([200, 401]).toContain(response.status)
        },
      ),
      { numRuns: 120 },
    )
    expect(await vendor.rowsFor('sealed')).toEqual([])
    expect((await send(genuine('after-envelopes'))).status).toBe(200)
  })

  test.each([
    ['of one character', 'A'],
    ['that is no base64', '!!!!'],
    ['of padding', '===='],
    ['of 2000 characters', 'A'.repeat(2000)],
  ])(
    'CB-13 a malformed signature %s is refused, and the log holds no exception',
    async (_, signature) => {
      const { headers, body } = genuine('malformed')
      const lines = gateway.lines.length
      const response = await send({
        headers: { ...headers, 'Wechatpay-Signature': signature },
        body,
      })
      expect(response.status).toBe(401)
      expect(gateway.lines.slice(lines).map(({ msg }) => msg)).not.toContain('request failed')
      expect(await vendor.rowsFor('malformed')).toEqual([])
    },
  )
})

describe('the vendor’s own probes', () => {
  test('CB-15 are refused as invalid, counted separately, and wake nobody', async () => {
    const account = platform.accountId
    const warnings = gateway.warned().length
    const before = (await vendor.refusalsOf(account))['probe'] ?? 0
    const { headers, body } = genuine('probe')
    const signature = `WECHATPAY/SIGNTEST/${headers['Wechatpay-Signature']?.slice(-336)}`
    for (let probe = 0; probe < 40; probe += 1) {
      const response = await send({
        headers: { ...headers, 'Wechatpay-Signature': signature },
        body,
      })
      expect(response.status).toBe(401)
    }
    expect(gateway.warned().length).toBe(warnings)
    const counted = gateway.lines.filter(({ reason }) => reason === 'probe')
    expect(counted.length).toBe(40)
    await waitFor('the refusals', async () => {
      const kept = (await vendor.refusalsOf(account))['probe'] ?? 0
      return kept > before ? true : undefined
    })
    expect(await vendor.rowsFor('probe')).toEqual([])
    // A forgery is another matter.
    await send({ headers, body: `${body} ` })
    expect(gateway.warned().length).toBe(warnings + 1)
  })
})

describe('oversize and deep bodies', () => {
  const ANSWERED_MS_MAX = 1000

  async function timed(callback: Sendable): Promise<number> {
    const startedAt = performance.now()
    const { status } = await send(callback)
    expect(performance.now() - startedAt).toBeLessThan(ANSWERED_MS_MAX)
    return status
  }

  test('CB-30 XML with an external entity is refused before anything reads it', async () => {
    const body = '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><xml>&y;</xml>'
    expect(await timed({ headers: { 'content-type': 'text/xml' }, body })).toBe(401)
    const { headers } = genuine('xml')
    expect(await timed({ headers, body })).toBe(401)
  })

  test('CB-30 a body without a declared length is counted as it comes', async () => {
    const chunk = new Uint8Array(64 * 1024).fill(32)
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(chunk)
      },
    })
    const response = await fetch(`${gateway.url}/callback/${platform.accountId}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: stream,
    }).catch(() => undefined)
    // The answer, or the end of the connection while we still send; never a place in memory.
    expect(response?.status ?? 413).toBe(413)
  })

  test('CB-30 deep JSON: forged it is refused, genuine it is kept for a person', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const { headers } = genuine('deep')
    expect(await timed({ headers, body: deep })).toBe(401)
    const before = await storedNumbers()
    // Payment rules, section 2, check 8: genuine but unparsable is a row, in place of a refusal.
    const real = vendor.genuine({ number: 'deep', now: NOW, reshape: () => deep })
    expect(await timed(real)).toBe(200)
    expect(await storedNumbers()).toBe(before + 1)
    const rows = await platform.db
      .selectFrom('notification')
      .select('facts')
      .where('event_key', 'like', 'sha:%')
      .execute()
    expect(rows.map((row) => row.facts['kind'])).toContain('unreadable')
  })
})
