import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { newMerchantId, newOrderId, newPointsGrantId } from '#domain/id'
import type { GrantRow } from '#db/points/points'
import { systemClock } from '#domain/time'
import { createPointsClient } from '#worker/points-client'
import { makeTlsPair } from '../emulator/merchant/certificate.ts'
import { findBreaches } from '../emulator/points/contract.ts'
import { startPointsService } from '../emulator/points/server.ts'
import type { PointsService } from '../emulator/points/server.ts'

let service: PointsService
let key = ''

beforeAll(() => {
  service = startPointsService({ databasePath: ':memory:' })
})

beforeEach(() => {
  key = `grant-${crypto.randomUUID()}`
  service.setKnobs({ mode: 'ok' })
})

afterAll(() => service.stop())

const grantOf = (changes: Partial<GrantRow> = {}): GrantRow => ({
  merchant_id: newMerchantId(),
  id: newPointsGrantId(),
  order_id: newOrderId(),
  refund_id: null,
  kind: 'grant',
  state: 'sent',
  user_id: 'user-1',
  points: 19n,
  idempotency_key: key,
  due_at: null,
  created_at: new Date(),
  ...changes,
})

const clientOf = (baseUrl: string, timeoutMs = 2000) =>
  createPointsClient({ baseUrl, clock: systemClock, timeoutMs })

const send = (baseUrl = service.url, timeoutMs = 2000, changes: Partial<GrantRow> = {}) =>
  clientOf(baseUrl, timeoutMs).send(grantOf(changes), new AbortController().signal)

/** How often points moved under the key of this test. */
const applied = (): readonly number[] =>
  service.effects().flatMap((effect) => (effect.key === key ? [effect.applied_count] : []))

async function askOne(answer: (request: Request) => Response, changes: Partial<GrantRow> = {}) {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })
  try {
    return await send(`http://127.0.0.1:${server.port}`, 2000, changes)
  } finally {
    await server.stop(true)
  }
}

/** A server that says these bytes to whoever comes, and hangs up. */
async function askRaw(text: string) {
  const listener = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket) {
        socket.write(text)
        socket.end()
      },
    },
  })
  try {
    return await send(`http://127.0.0.1:${listener.port}`)
  } finally {
    listener.stop(true)
  }
}

const stored = (values: object) => () => Response.json(values)

describe('an answer of the points system', () => {
  test('with the values that we asked for is done', async () => {
    expect((await askOne(stored({ user_id: 'user-1', points: 19 }))).kind).toBe('done')
  })

  test.each([
    { user_id: 'user-2', points: 19 },
    { user_id: 'user-1', points: 18 },
    { user_id: 'user-1', points: '19' },
  ])('F99 with other values is refused: %p', async (values) => {
    expect((await askOne(stored(values))).kind).toBe('refused')
  })

  test.each(['wrong_amount', 'wrong_user'] as const)('F99 %s is refused', async (mode) => {
    service.setKnobs({ mode })
    expect((await send()).kind).toBe('refused')
  })

  test.each([
    '<html>welcome</html>',
    '',
    '[]',
    '{}',
    'null',
    '"granted"',
    '{"user_id":"user-1","points":19',
    '{"code":"INTERNAL","message":"try later"}',
    '{"success":true,"data":{"user_id":"user-1","points":19}}',
  ])('F101 that is not the stored grant is unknown, never success: %p', async (text) => {
    expect((await askOne(() => new Response(text))).kind).toBe('unknown')
  })

  test.each([201, 204, 301, 302, 307, 400, 403, 404, 422, 429, 500, 502, 503])(
    'F101 with status %i is unknown',
    async (status) => {
      const headers = { location: 'http://127.0.0.1:9/elsewhere' }
      expect((await askOne(() => new Response(null, { status, headers }))).kind).toBe('unknown')
    },
  )

  test.each(['html', 'redirect', 'error_200', 'error_500', 'down'] as const)(
    'F101 %s is unknown, and nothing moved',
    async (mode) => {
      service.setKnobs({ mode })
      expect((await send()).kind).toBe('unknown')
      expect(applied()).toEqual([])
    },
  )

  test('F101 without an end is unknown, and not kept', async () => {
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    })
    expect((await askOne(() => new Response(endless))).kind).toBe('unknown')
  })

  test('422 is a balance that is short, for a take-back alone', async () => {
    const short = () => new Response('{}', { status: 422 })
    expect((await askOne(short, { kind: 'revoke' })).kind).toBe('short')
    expect((await askOne(short)).kind).toBe('unknown')
  })
})

describe('F97 "duplicate" is a word', () => {
  test('for a key that it does not have: unknown, and granted when it comes to its senses', async () => {
    service.setKnobs({ mode: 'claims_duplicate' })
    expect((await send()).kind).toBe('unknown')
    expect(applied()).toEqual([])
    service.setKnobs({ mode: 'ok' })
    expect((await send()).kind).toBe('done')
    expect(applied()).toEqual([1])
  })

  test('is success after the query shows equal points and user', async () => {
    service.setKnobs({ mode: 'commit_then_409' })
    expect((await send()).kind).toBe('done')
    expect(
      service
        .requests()
        .slice(-2)
        .map(({ method }) => method),
    ).toEqual(['PUT', 'GET'])
    expect(applied()).toEqual([1])
  })

  test.each([{ points: 20n }, { user_id: 'user-2' }])(
    'is refused after the query shows other values: %p',
    async (changes) => {
      await send()
      expect((await send(service.url, 2000, changes)).kind).toBe('refused')
      expect(applied()).toEqual([1])
    },
  )

  test.each([500, 404, 302])('is unknown when the query answers %i', async (status) => {
    const answer = (request: Request) =>
      new Response('{}', { status: request.method === 'PUT' ? 409 : status })
    expect((await askOne(answer)).kind).toBe('unknown')
  })
})

describe('no answer of the points system is unknown', () => {
  test('F93 because it hangs: the call ends in time', async () => {
    service.setKnobs({ mode: 'hang' })
    expect(await send(service.url, 100)).toEqual({ kind: 'unknown', cause: 'TimeoutError' })
    expect(applied()).toEqual([])
  })

  test('F94 because it commits and is silent: a repeat with the same key has one effect', async () => {
    service.setKnobs({ mode: 'commit_then_timeout' })
    expect((await send(service.url, 100)).kind).toBe('unknown')
    service.setKnobs({ mode: 'ok' })
    expect((await send()).kind).toBe('done')
    expect(applied()).toEqual([1])
  })

  test('F95 because it commits and answers 500: the same', async () => {
    service.setKnobs({ mode: 'commit_then_500', times: 1 })
    expect((await send()).kind).toBe('unknown')
    expect((await send()).kind).toBe('done')
    expect(applied()).toEqual([1])
  })

  test('F102 because its name is not found, or nobody listens', async () => {
    expect((await send('http://points.invalid')).kind).toBe('unknown')
    expect((await send('http://127.0.0.1:9')).kind).toBe('unknown')
  })

  test('F102 because nobody vouches for its certificate', async () => {
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      tls: await makeTlsPair('localhost'),
      fetch: stored({ user_id: 'user-1', points: 19 }),
    })
    const outcome = await send(`https://localhost:${server.port}`)
    await server.stop(true)
    expect(outcome).toEqual({ kind: 'unknown', cause: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  })

  test.each([
    '',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"user_id":"user-1","points":19}',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{"user_id":"user-1",',
    'SSH-2.0-OpenSSH_9.9\r\n',
  ])('F102 because it is cut: %p', async (text) => {
    expect((await askRaw(text)).kind).toBe('unknown')
  })

  test('F85 because the worker stops meanwhile', async () => {
    const stopping = new AbortController()
    stopping.abort()
    expect((await clientOf(service.url).send(grantOf(), stopping.signal)).kind).toBe('unknown')
  })
})

describe('F98 the contract of a points system', () => {
  test('is kept by the reference service', async () => {
    expect(await findBreaches(service.url)).toEqual([])
  })

  test('fails loudly for one that ignores the key, and says what it takes', async () => {
    service.setKnobs({ mode: 'ignores_key' })
    const [breach] = await findBreaches(service.url)
    expect(breach).toContain('the key is ignored: 4 requests moved 28 points in place of 7')
    expect(breach).toContain('queried before each retry')
  })
})
