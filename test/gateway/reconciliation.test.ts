import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { z } from 'zod'
import { addMerchant, createApiKey } from '#db/account/merchant'
import { findReconciliation } from '#db/bill/reconciliation-list'
import { newReconciliationId } from '#domain/id'
import { fileOf } from '#gateway/discrepancy-file'
import { MCHID, startPlatform } from '../support/platform.ts'
import type { Platform } from '../support/platform.ts'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { insertDay } from './day.ts'
import type { InsertedDay } from './day.ts'

const TIMEOUT_MS = 40_000
const BOM = '\uFEFF'
/** More than the file is read in at a time. */
const MANY = 1203

let database: TestDatabase
let platform: Platform
let small: InsertedDay
let large: InsertedDay

beforeAll(async () => {
  database = await cloneDatabase()
  platform = await startPlatform({ databaseUrl: database.url, hasWorker: false })
  const { db, merchantId } = platform
  small = await insertDay(
    db,
    merchantId,
    '2026-03-01',
    ['a', 'b', 'c', 'd', 'e'].map((subject) => ({ subject })),
  )
  large = await insertDay(
    db,
    merchantId,
    '2026-03-02',
    Array.from({ length: MANY }, (_, index) => ({ subject: `many-${index}` })),
  )
}, TIMEOUT_MS)

afterAll(async () => {
  await platform.stop()
  await database.drop()
}, TIMEOUT_MS)

const get = (path: string, apiKey = platform.apiKey): Promise<Response> =>
  fetch(`${platform.gateway.url}/v1/reconciliations${path}`, {
    headers: { authorization: `Bearer ${apiKey}` },
  })

const page = z.object({
  data: z.array(z.looseObject({ id: z.string(), subject: z.string().optional() })),
  next_cursor: z.string().nullable(),
})

const pageOf = async (path: string) => page.parse(await (await get(path)).json())

describe('a run', () => {
  test('names the merchant number whose bill it is', async () => {
    const view: unknown = await (await get(`/${small.id}`)).json()
    expect(view).toMatchObject({ business_date: '2026-03-01', vendor_merchant: MCHID })
    expect((await pageOf('')).data[0]).toMatchObject({ vendor_merchant: MCHID })
  })

  test('of another merchant is not found, however it is asked for', async () => {
    const other = await addMerchant(platform.db, 'Another shop')
    const key = (await createApiKey(platform.db, other, 'test')).reveal()
    for (const rest of ['', '/discrepancies', '/discrepancies.csv']) {
      const answer = await get(`/${small.id}${rest}`, key)
      expect([rest, answer.status]).toEqual([rest, 404])
    }
    expect(page.parse(await (await get('', key)).json()).data).toEqual([])
  })
})

describe('what a run found', () => {
  test('comes in pages, each one once', async () => {
    const first = await pageOf(`/${small.id}/discrepancies?limit=2`)
    expect(first.data.map(({ subject }) => subject)).toEqual(['a', 'b'])
    const second = await pageOf(`/${small.id}/discrepancies?limit=2&cursor=${first.next_cursor}`)
    expect(second.data.map(({ subject }) => subject)).toEqual(['c', 'd'])
    const last = await pageOf(`/${small.id}/discrepancies?limit=2&cursor=${second.next_cursor}`)
    expect(last).toMatchObject({ data: [{ subject: 'e' }], next_cursor: null })
  })

  test('is at most a hundred a page', async () => {
    expect((await pageOf(`/${large.id}/discrepancies`)).data.length).toBe(100)
    expect((await get(`/${large.id}/discrepancies?limit=101`)).status).toBe(422)
    expect((await get(`/${large.id}/discrepancies?cursor=elsewhere`)).status).toBe(422)
  })
})

describe('the file of a run', () => {
  const readFile = async (id: string) => {
    const answer = await get(`/${id}/discrepancies.csv`)
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await answer.arrayBuffer())
    return { name: answer.headers.get('content-disposition'), lines: text.split('\r\n') }
  }

  test('has every line once, however many there are', async () => {
    const { lines } = await readFile(large.id)
    expect(lines.at(-1)).toBe('')
    const subjects = lines.slice(1, -1).map((line) => line.split(',')[3])
    expect(subjects.length).toBe(MANY)
    expect(new Set(subjects).size).toBe(MANY)
  })

  test('begins with the mark that makes spreadsheets read UTF-8', async () => {
    expect((await readFile(small.id)).lines[0]).toStartWith(`${BOM}"business_date","kind"`)
  })

  test('has a name that no other run of the day has', async () => {
    const { name } = await readFile(small.id)
    expect(name).toContain(`${MCHID}-2026-03-01-v1.csv`)
  })

  test('RC-20, F122: no cell of it is a formula', async () => {
    const reasons = [
      '=1+1',
      '+1',
      '-1',
      '@SUM(A1)',
      '\t=1',
      '\r=1',
      '\n=1',
      '＝1',
      '＋1',
      '－1',
      '＠1',
    ]
    const { id } = await insertDay(
      platform.db,
      platform.merchantId,
      '2026-03-03',
      reasons.map((reason, index) => ({ subject: `cell-${index}`, reason })),
    )
    const { lines } = await readFile(id)
    const text = lines.join('\r\n')
    for (const reason of reasons) expect(text).toContain(`,"'${reason}",`)
    // An amount stays a number, so that it can be added up.
    expect(text).toContain(',100,99,')
  })

  test('CB-20, RC-20: keeps every digit of a long number, which a spreadsheet would round', async () => {
    const ids = ['4200001234202603021234567890', '0007', '1'.repeat(12)]
    const { id } = await insertDay(
      platform.db,
      platform.merchantId,
      '2026-03-04',
      ids.map((subject) => ({ subject })),
    )
    const { lines } = await readFile(id)
    expect(lines.slice(1, -1).map((line) => line.split(',')[3])).toEqual(
      ids.map((subject) => `"'${subject}"`),
    )
  })

  test('RC-20: breaks off when the day is compared again while it is read, and then there is none', async () => {
    const { db, merchantId } = platform
    const date = '2026-03-05'
    const found = Array.from({ length: MANY }, (_, index) => ({ subject: `again-${index}` }))
    const { id } = await insertDay(db, merchantId, date, found)
    const run = await findReconciliation(db, merchantId, id)
    if (run === undefined) throw new Error('the run was inserted')
    const reader = (await fileOf({ db }, run)).body?.getReader()
    await reader?.read()
    // A later version takes over what it finds, too.
    const later = newReconciliationId()
    await sql`INSERT INTO reconciliation SELECT (jsonb_populate_record(r, jsonb_build_object('id', ${later}::text, 'version', 2))).*
              FROM reconciliation r WHERE id = ${id}`.execute(db)
    await sql`UPDATE discrepancy SET reconciliation_id = ${later} WHERE reconciliation_id = ${id}`.execute(
      db,
    )
    const readAll = async (): Promise<void> => {
      while ((await reader?.read())?.done === false) continue
    }
    await expect(readAll()).rejects.toThrow('superseded')
    const answer = await get(`/${id}/discrepancies.csv`)
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({ code: 'reconciliation_superseded' })
  })
})
