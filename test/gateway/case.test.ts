import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { z } from 'zod'
import { openCase } from '#db/case/case'
import { addMerchant, createApiKey } from '#db/account/merchant'
import type { MerchantId } from '#domain/id'
import { startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { createShop } from '../support/shop.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'

const TIMEOUT_MS = 40_000

const page = z.object({
  object: z.literal('list'),
  next_cursor: z.string().nullable(),
  data: z.array(
    z.strictObject({
      id: z.string(),
      object: z.literal('case'),
      kind: z.string(),
      subject: z.string(),
      state: z.enum(['open', 'resolved']),
      evidence: z.looseObject({}),
      opened_at: z.iso.datetime(),
      resolved_at: z.iso.datetime().nullable(),
    }),
  ),
})

let database: TestDatabase
let platform: Platform
let stranger = ''

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  const other = await addMerchant(platform.db, 'Another shop')
  stranger = (await createApiKey(platform.db, other, 'test')).reveal()
  await open(other, 'late_payment', 'theirs')
  for (const number of [1, 2, 3, 4, 5]) {
    await open(platform.merchantId, 'late_payment', `p${number}`)
  }
  await open(platform.merchantId, 'refund_abnormal', 'r1')
  await sql`UPDATE open_case SET state = 'resolved', resolved_at = now() WHERE subject = 'p2'`.execute(
    platform.db,
  )
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const open = (merchantId: MerchantId, kind: string, subject: string): Promise<void> =>
  openCase(platform.db, { merchantId, kind, subject, evidence: { vendor_amount: '1999' } })

const get = (query: string, key = platform.apiKey): Promise<Response> =>
  createShop({ gateway: platform.gateway, apiKey: key }).call(`/v1/cases${query}`, {
    headers: { authorization: `Bearer ${key}` },
  })

const list = async (query: string, key?: string) => page.parse(await (await get(query, key)).json())

const subjects = async (query: string): Promise<string[]> =>
  (await list(query)).data.map(({ subject }) => subject)

describe('GET /v1/cases', () => {
  test('shows what waits for a person, with its evidence, the oldest first', async () => {
    const { data, next_cursor: cursor } = await list('')
    expect(data.map(({ subject }) => subject)).toEqual(['p1', 'p2', 'p3', 'p4', 'p5', 'r1'])
    expect(data[0]).toMatchObject({ state: 'open', evidence: { vendor_amount: '1999' } })
    expect(cursor).toBeNull()
  })

  test.each([
    ['?state=resolved', ['p2']],
    ['?state=open&kind=refund_abnormal', ['r1']],
    ['?subject=p4', ['p4']],
    ['?kind=late_payment&state=open', ['p1', 'p3', 'p4', 'p5']],
    ['?kind=nothing_of_this_kind', []],
  ])('filters %s', async (query, expected) => {
    expect(await subjects(query)).toEqual(expected)
  })

  test('pages meet every case once, also when the last page is full', async () => {
    for (const limit of [1, 2, 3, 4, 6]) {
      const seen: string[] = []
      let query = `?limit=${limit}`
      for (let pages = 0; pages < 10; pages += 1) {
        const { data, next_cursor: cursor } = await list(query)
        seen.push(...data.map(({ subject }) => subject))
        if (cursor === null) break
        expect(data.length).toBe(limit)
        query = `?limit=${limit}&cursor=${cursor}`
      }
      expect(seen).toEqual(['p1', 'p2', 'p3', 'p4', 'p5', 'r1'])
    }
  })

  test('a cursor keeps its filter, and a case that came meanwhile is on a later page', async () => {
    const first = await list('?kind=late_payment&state=open&limit=2')
    await open(platform.merchantId, 'late_payment', 'p6')
    const rest = `?kind=late_payment&state=open&cursor=${first.next_cursor}`
    expect(await subjects(rest)).toEqual(['p4', 'p5', 'p6'])
    await sql`DELETE FROM open_case WHERE subject = 'p6'`.execute(platform.db)
  })

  test.each([
    ['?state=held'],
    ['?limit=0'],
    ['?limit=101'],
    ['?limit=two'],
    ['?cursor=p1'],
    ['?novelty=1'],
  ])('refuses %s with 422', async (query) => {
    const response = await get(query)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'query_invalid' })
  })

  test("shows nobody another merchant's cases, also by cursor", async () => {
    expect((await list('', stranger)).data.map(({ subject }) => subject)).toEqual(['theirs'])
    const { next_cursor: cursor } = await list('?limit=1')
    expect((await list(`?cursor=${cursor}`, stranger)).data).toEqual([])
    expect((await get('', 'sk_test_wrong')).status).toBe(401)
  })
})

describe('GET /v1/cases/{id}', () => {
  test('shows the case that the list shows, to its merchant alone', async () => {
    const [one] = (await list('?subject=p2')).data
    const path = `/${one?.id}`
    const shown: unknown = await (await get(path)).json()
    expect(shown).toEqual(one ?? {})
    for (const [address, key] of [
      [path, stranger],
      [`/c${'0'.repeat(25)}`, platform.apiKey],
      ['/p1', platform.apiKey],
    ] as const) {
      const response = await get(address, key)
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'case_not_found' })
    }
  })
})
