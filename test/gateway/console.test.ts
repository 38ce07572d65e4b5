import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { countRepairs } from '#db/metrics'
import { addOperator, revokeOperator } from '#db/account/operator'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { createShop } from '../support/shop.ts'
import { sendForgery } from '../emulator/wechat-pay/by-number.ts'
import { insertDay } from './day.ts'
import { startLoggedGateway } from './logged.ts'
import type { LoggedGateway } from './logged.ts'

const TIMEOUT_MS = 40_000

let database: TestDatabase
let platform: Platform
let gateway: LoggedGateway
let token = ''

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({
    databaseUrl: database.url,
    hasWorker: false,
    hasOperations: true,
  })
  gateway = await startLoggedGateway({ databaseUrl: database.url })
  token = (await addOperator(platform.db, 'ann')).reveal()
}, TIMEOUT_MS)

afterAll(async () => {
  await gateway.stop()
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const authorization = (own = token) => ({ authorization: `Bearer ${own}` })

const get = (path: string, headers: Record<string, string> = authorization()): Promise<Response> =>
  fetch(`${gateway.operationsUrl}${path}`, { headers })

const view = z.looseObject({
  id: z.string(),
  version: z.number(),
  state: z.string(),
  subject: z.string(),
})
const page = z.object({ data: z.array(view), next_cursor: z.string().nullable() })

describe('the listener for operators', () => {
  test.each(['/metrics', '/v1/discrepancies', '/v1/nothing'])(
    '%s without a token is 401, with a request id and a line in the log',
    async (path) => {
      const answer = await get(path, {})
      expect(answer.status).toBe(401)
      const requestId = answer.headers.get('request-id')
      expect(requestId).toMatch(/^[0-9a-f-]{36}$/)
      expect(gateway.lines.findLast(({ msg }) => msg === 'answered')).toMatchObject({
        request_id: requestId,
        path,
        status: 401,
      })
    },
  )

  test('takes neither a key of a merchant nor a revoked token', async () => {
    const gone = (await addOperator(platform.db, 'bob')).reveal()
    expect((await get('/metrics', authorization(gone))).status).toBe(200)
    expect(await revokeOperator(platform.db, 'bob', new Date())).toBe(true)
    for (const wrong of [gone, platform.apiKey, 'op_'.padEnd(46, 'x')]) {
      expect((await get('/metrics', authorization(wrong))).status).toBe(401)
    }
  })

  test('writes who asked for what into the log, and never the token', async () => {
    const answer = await get('/v1/discrepancies')
    expect(gateway.lines.at(-1)).toMatchObject({
      request_id: answer.headers.get('request-id'),
      operator: 'ann',
      method: 'GET',
      path: '/v1/discrepancies',
      status: 200,
    })
    expect(JSON.stringify(gateway.lines)).not.toContain(token)
  })

  test('says that it lives without a token', async () => {
    expect((await get('/healthz', {})).status).toBe(200)
  })
})

describe('a discrepancy', () => {
  let days = 0

  const discrepancy = async (subject: string): Promise<string> => {
    days += 1
    const date = `2026-04-${String(days).padStart(2, '0')}`
    const { found } = await insertDay(platform.db, platform.merchantId, date, [{ subject }])
    return found[0] ?? ''
  }

  const resolve = (id: string, version: string | undefined, body: unknown): Promise<Response> =>
    fetch(`${gateway.operationsUrl}/v1/discrepancies/${id}/resolve`, {
      method: 'POST',
      headers: { ...authorization(), ...(version === undefined ? {} : { 'if-match': version }) },
      body: JSON.stringify(body),
    })

  const decision = { decision: 'write_off', reason: 'one fen, agreed by phone' }

  test('is read with the version that a decision must name', async () => {
    const id = await discrepancy('read')
    const answer = await get(`/v1/discrepancies/${id}`)
    expect(answer.headers.get('etag')).toBe('"1"')
    expect(await answer.json()).toMatchObject({
      id,
      version: 1,
      state: 'open',
      merchant: platform.merchantId,
    })
    const decided = await resolve(id, answer.headers.get('etag') ?? '', decision)
    expect(decided.headers.get('etag')).toBe('"2"')
    expect(await decided.json()).toMatchObject({
      state: 'resolved',
      decided_by: 'ann',
      version: 2,
    })
  })

  test('decided by somebody else meanwhile is 412, and nothing changes', async () => {
    const id = await discrepancy('stale')
    expect((await resolve(id, '"1"', { ...decision, decision: 'keep_open' })).status).toBe(200)
    const late = await resolve(id, '"1"', decision)
    expect({ status: late.status, body: await late.json() }).toMatchObject({
      status: 412,
      body: { code: 'version_differs' },
    })
    expect(await (await get(`/v1/discrepancies/${id}`)).json()).toMatchObject({ state: 'open' })
  })

  test('is not decided without the version, and not found under another id', async () => {
    const id = await discrepancy('blind')
    expect((await resolve(id, undefined, decision)).status).toBe(428)
    expect((await resolve(`f${'0'.repeat(25)}`, '"1"', decision)).status).toBe(404)
    expect((await get(`/v1/discrepancies/f${'0'.repeat(25)}`)).status).toBe(404)
    expect((await get('/v1/discrepancies/x')).status).toBe(404)
  })

  test.each(['', '  ', 'two\nlines', 'x'.repeat(501), 'a\u0000b'])(
    'is not decided for the reason %j',
    async (reason) => {
      const id = await discrepancy('why')
      const answer = await resolve(id, '"1"', { ...decision, reason })
      expect(answer.status).toBe(422)
      expect(await answer.json()).toMatchObject({ code: 'body_invalid' })
    },
  )

  test('is listed page by page, by state, kind and merchant', async () => {
    const { merchantId } = platform
    await insertDay(platform.db, merchantId, '2026-05-01', [
      { subject: 'one', kind: 'fee_differs' },
      { subject: 'two', kind: 'fee_differs' },
      { subject: 'three', kind: 'fee_differs', state: 'held' },
    ])
    const wanted = `kind=fee_differs&merchant=${merchantId}`
    const first = page.parse(await (await get(`/v1/discrepancies?${wanted}&limit=2`)).json())
    expect(first.data.map(({ subject }) => subject)).toEqual(['one', 'two'])
    const next = `/v1/discrepancies?${wanted}&limit=2&cursor=${first.next_cursor}`
    expect(page.parse(await (await get(next)).json())).toMatchObject({
      data: [{ subject: 'three' }],
      next_cursor: null,
    })
    const held = await get(`/v1/discrepancies?state=held&${wanted}`)
    expect(page.parse(await held.json()).data.map(({ subject }) => subject)).toEqual(['three'])
    const nobody = await get(`/v1/discrepancies?merchant=m${'0'.repeat(25)}`)
    expect(page.parse(await nobody.json()).data).toEqual([])
    expect((await get('/v1/discrepancies?limit=101')).status).toBe(422)
  })
})

describe('the figures', () => {
  const figures = async (url = gateway.operationsUrl): Promise<readonly string[]> => {
    const answer = await fetch(`${url}/metrics`, { headers: authorization() })
    expect(answer.status).toBe(200)
    return (await answer.text()).split('\n')
  }

  test('show what the machine has mended, of all days together', async () => {
    const [day, before] = [new Date('2026-03-02T12:00:00Z'), new Date('2026-03-01T12:00:00Z')]
    await countRepairs(platform.db, { grant_created: 2, nothing: 0 }, before)
    await countRepairs(platform.db, { grant_created: 1, grant_sent: 4 }, day)
    const lines = await figures()
    expect(lines).toContain('pingzhang_repairs_total{kind="grant_created"} 3')
    expect(lines).toContain('pingzhang_repairs_total{kind="grant_sent"} 4')
    expect(lines.join()).not.toContain('nothing')
  })

  test('CB-15 count a probe of the vendor apart from what was rejected', async () => {
    const { id } = await createShop(platform).buy()
    await sendForgery(platform.emulator, 'tampered', id)
    await sendForgery(platform.emulator, 'full_probe', id)
    await sendForgery(platform.emulator, 'full_probe', id)
    const lines = await figures(platform.gateway.operationsUrl)
    const counted = 'pingzhang_callbacks_total{channel="wechat_pay",outcome='
    expect(lines).toContain(`${counted}"rejected"} 1`)
    expect(lines).toContain(`${counted}"probe"} 2`)
  })
})
