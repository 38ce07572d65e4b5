import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { openDatabase, workerDatabase } from '#db/database'
import type { Db } from '#db/database'
import { beginGrant, finishGrant } from '#db/points/points'
import type { GrantRow } from '#db/points/points'
import type { PointsGrantId } from '#domain/id'
import { addMs } from '#domain/time'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk } from './desk.ts'
import type { Desk } from './desk.ts'

const TIMEOUT_MS = 30_000
const ORDERS = 30
const LEFT_ALONE_MS = 60_000

let database: TestDatabase
let desk: Desk
/** Another worker's pool: it shares no statement with the desk's. */
let other: Db

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  other = openDatabase(database.url, workerDatabase, () => undefined)
}, TIMEOUT_MS)

afterAll(async () => {
  await other.destroy()
  await desk.stop()
  await database.drop()
})

/** Paid orders' grants. */
async function grants(): Promise<PointsGrantId[]> {
  const ids: PointsGrantId[] = []
  for (let index = 0; index < ORDERS; index += 1) {
    const { first, orderId } = await desk.order()
    await desk.pay(first)
    const row = await desk.db
      .selectFrom('points_grant')
      .select('id')
      .where('order_id', '=', orderId)
      .executeTakeFirstOrThrow()
    ids.push(row.id)
  }
  return ids
}

const begin = (db: Db, ids: readonly PointsGrantId[]): Promise<(GrantRow | undefined)[]> => {
  const dueAt = addMs(new Date(), LEFT_ALONE_MS)
  return Promise.all(ids.map((id) => beginGrant(db, desk.merchantId, id, dueAt)))
}

const finish = (db: Db, rows: readonly (GrantRow | undefined)[]): Promise<void[]> =>
  Promise.all(rows.filter((row) => row !== undefined).map((row) => finishGrant(db, row)))

async function states(ids: readonly PointsGrantId[]): Promise<string[]> {
  const rows = await desk.db
    .selectFrom('points_grant')
    .select('state')
    .distinct()
    .where('id', 'in', [...ids])
    .orderBy('state')
    .execute()
  return rows.map(({ state }) => state)
}

describe('award jobs of one batch', () => {
  test('get each its own row, marked as sent, and end together', async () => {
    const ids = await grants()
    const rows = await begin(desk.db, ids)
    expect(rows.map((row) => row?.id)).toEqual(ids)
    expect(await states(ids)).toEqual(['sent'])
    await finish(desk.db, rows)
    expect(await states(ids)).toEqual(['granted'])
  })

  test('of two workers that have the same jobs: both get every row, and each grant ends once', async () => {
    const ids = await grants()
    const back = ids.toReversed()
    const [mine, theirs] = await Promise.all([begin(desk.db, ids), begin(other, back)])
    expect(mine.map((row) => row?.id)).toEqual(ids)
    expect(theirs.map((row) => row?.id)).toEqual(back)
    await Promise.all([finish(desk.db, mine), finish(other, theirs)])
    expect(await states(ids)).toEqual(['granted'])
  })

  test('one that is done already gets no row, and its neighbours do', async () => {
    const ids = await grants()
    const [first, ...rest] = ids
    await finish(desk.db, await begin(desk.db, ids.slice(0, 1)))
    const rows = await begin(desk.db, ids)
    expect(rows.map((row) => row?.id)).toEqual([undefined, ...rest])
    expect(first).toBeDefined()
  })

  test('the same grant twice in one batch gets its row twice: the key makes it one award', async () => {
    const [id] = await grants()
    const ids = id === undefined ? [] : [id, id]
    const rows = await begin(desk.db, ids)
    expect(rows.map((row) => row?.id)).toEqual(ids)
    await finish(desk.db, rows)
    expect(await states(ids)).toEqual(['granted'])
  })

  test('an answer that comes late changes nothing that a twin has ended', async () => {
    const [id] = await grants()
    const ids = id === undefined ? [] : [id]
    const late = await begin(desk.db, ids)
    await desk.db
      .updateTable('points_grant')
      .set({ state: 'refused', due_at: null })
      .where('id', 'in', ids)
      .execute()
    await finish(desk.db, late)
    expect(await states(ids)).toEqual(['refused'])
  })
})
