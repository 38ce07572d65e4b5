import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { pointsGrantIdFrom } from '#domain/id'
import type { PaymentId } from '#domain/id'
import { addMs } from '#domain/time'
import { runPointsAward } from '#worker/job/points-award'
import { runReconcile } from '#worker/job/reconcile'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openBillScene } from './bill-scene.ts'
import type { BillScene } from './bill-scene.ts'

// The second reconciliation of a day: points given against what was paid and given back (design, section 8).

const TIMEOUT_MS = 30_000

let database: TestDatabase
let scene: BillScene

beforeEach(async () => {
  database = await cloneDatabase()
  scene = await openBillScene(database.url)
}, TIMEOUT_MS)

afterEach(async () => {
  await scene.stop()
  await database.drop()
}, TIMEOUT_MS)

/** Gives and takes back all points that wait. */
async function award(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    const grants = await scene.db
      .selectFrom('points_grant')
      .select('id')
      .where('due_at', 'is not', null)
      .orderBy('id')
      .execute()
    for (const { id: grantId } of grants) {
      await runPointsAward(
        scene.deps,
        { merchantId: scene.merchantId, grantId },
        AbortSignal.timeout(TIMEOUT_MS),
      )
    }
  }
}

const pointsRun = () =>
  scene.db
    .selectFrom('schedule_run')
    .selectAll()
    .where('merchant_id', '=', scene.merchantId)
    .where('task', '=', 'points')
    .executeTakeFirstOrThrow()

/** The bill of the day, and then its points. */
async function compare(): Promise<void> {
  scene.passToDay(1, 11)
  await scene.fetchDay()
  await comparePoints()
}

async function comparePoints(): Promise<void> {
  const { id: runId } = await pointsRun()
  await scene.db
    .updateTable('schedule_run')
    .set({ state: 'loaded', due_at: scene.now() })
    .where('id', '=', runId)
    .where('state', '=', 'done')
    .execute()
  await runReconcile(scene.deps, { merchantId: scene.merchantId, runId })
}

const found = async () =>
  (
    await scene.db
      .selectFrom('discrepancy')
      .selectAll()
      .where('merchant_id', '=', scene.merchantId)
      .where('kind', '=', 'points_differ')
      .orderBy('subject')
      .execute()
  ).map((row) => `${row.subject} ${row.our_amount}/${row.their_amount ?? '-'} ${row.state}`)

const orderOf = async (id: PaymentId): Promise<string> => (await scene.payment(id)).order_id

const openCase = async (): Promise<boolean> =>
  (
    await scene.db
      .selectFrom('open_case')
      .select('id')
      .where('kind', '=', 'discrepancies')
      .where('state', '=', 'open')
      .execute()
  ).length > 0

/** Somebody tells the points system, and not we. */
const tellPoints = (orderId: string, userId: string, points: number): Promise<Response> =>
  fetch(`${scene.points.url}/grant/grant-${orderId}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: userId, points }),
  })

describe('points that were given', () => {
  test('agree with what was paid and given back, order by order, and the points system says the same', async () => {
    const paid = [
      await scene.buyPaid(),
      await scene.buyPaid({ amount: 500 }),
      await scene.buyPaid({ amount: 99 }),
    ]
    await award()
    const [one, two] = paid
    if (one === undefined || two === undefined) throw new Error('three are sold')
    await scene.giveBack(one, 1000)
    await scene.giveBack(two, 500)
    await award()
    await compare()
    expect(await pointsRun()).toMatchObject({ state: 'done', note: 'points of 3 orders, 0 differ' })
    expect(await found()).toEqual([])
    expect(scene.points.requests().filter(({ method }) => method === 'GET')).toHaveLength(4)
  })

  test('are missing: a job gives them, and they agree; nothing is given twice', async () => {
    const paid = await scene.buyPaid()
    // The job is lost, and the sweeper has not been there.
    await compare()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 repairing`])
    await scene.db
      .updateTable('points_grant')
      .set({ due_at: new Date(0) })
      .execute()
    await scene.repair()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 resolved`])
    await scene.repair()
    expect(scene.points.effects().map(({ points }) => points)).toEqual([19])
    expect(await openCase()).toBe(false)
  })

  test('are on their way, and not late: no difference, unless they are others than were earned', async () => {
    const paid = await scene.buyPaid()
    scene.passToDay(1, 11)
    await scene.fetchDay()
    const dueAt = (ms: number) =>
      scene.db
        .updateTable('points_grant')
        .set({ due_at: addMs(scene.now(), ms) })
        .execute()
    await dueAt(-50_000)
    await comparePoints()
    expect(await found()).toEqual([])
    await dueAt(-70_000)
    await comparePoints()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 repairing`])
    await dueAt(0)
    await comparePoints()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 resolved`])
    // Tried for two days, and to be tried again in an hour.
    await sql`UPDATE points_grant SET state = 'sent', created_at = created_at - interval '2 days'`.execute(
      scene.db,
    )
    await dueAt(3_600_000)
    await comparePoints()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 open`])
    await sql`UPDATE points_grant SET created_at = now()`.execute(scene.db)
    await dueAt(0)
    await comparePoints()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 resolved`])
    await sql`UPDATE points_grant SET points = 190`.execute(scene.db)
    await comparePoints()
    // It was resolved once: a person sees why it is here again.
    expect(await found()).toEqual([`${await orderOf(paid)} 19/190 open`])
  })

  test('were lost with their row: it is made again, once', async () => {
    const paid = await scene.buyPaid()
    await sql`DELETE FROM points_grant`.execute(scene.db)
    await compare()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 repairing`])
    await scene.repair()
    await award()
    await scene.repair()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 resolved`])
    expect(scene.points.effects().map(({ points }) => points)).toEqual([19])
  })

  test('are more than the payment earned: a person sees both, with the day’s case', async () => {
    const paid = await scene.buyPaid()
    await sql`UPDATE points_grant SET points = 190`.execute(scene.db)
    await award()
    await compare()
    await scene.repair()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/190 repairing`])
    scene.passToDay(2, 12)
    await scene.repair()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/190 open`])
    expect(await openCase()).toBe(true)
  })

  test('were refused by the points system: for a person at once', async () => {
    const paid = await scene.buyPaid()
    await sql`UPDATE points_grant SET state = 'sent'`.execute(scene.db)
    await sql`UPDATE points_grant SET state = 'refused', due_at = NULL`.execute(scene.db)
    await compare()
    expect(await found()).toEqual([`${await orderOf(paid)} 19/0 open`])
  })

  test('are not what the points system knows: a person sees its figure, and a repeat closes it', async () => {
    const paid = await scene.buyPaid()
    await sql`UPDATE points_grant SET state = 'sent'`.execute(scene.db)
    await sql`UPDATE points_grant SET state = 'granted', due_at = NULL`.execute(scene.db)
    await compare()
    const { id } = await scene.db.selectFrom('points_grant').selectAll().executeTakeFirstOrThrow()
    // It was never asked to give them.
    expect(await found()).toEqual([`${id} 19/- open`])
    const { user_id: userId } = await scene.order(paid)
    await tellPoints(await orderOf(paid), userId, 19)
    await comparePoints()
    expect(await found()).toEqual([`${id} 19/- resolved`])
  })

  test('stand under another user there: a person sees it', async () => {
    const paid = await scene.buyPaid()
    await tellPoints(await orderOf(paid), 'somebody else', 19)
    await sql`UPDATE points_grant SET state = 'sent'`.execute(scene.db)
    await sql`UPDATE points_grant SET state = 'granted', due_at = NULL`.execute(scene.db)
    await compare()
    const { evidence } = await scene.findOnly()
    expect(evidence['their_user']).toBe('somebody else')
  })

  test('of an order that nobody paid are seen, too', async () => {
    const unpaid = await scene.buy()
    const orderId = await orderOf(unpaid)
    await sql`
      INSERT INTO points_grant (merchant_id, id, order_id, kind, user_id, points, idempotency_key, state)
      SELECT merchant_id, ${pointsGrantIdFrom(new Date(`${scene.businessDate}T04:00:00Z`))}, id, 'grant', user_id, 7, 'grant-' || id, 'granted'
      FROM customer_order WHERE id = ${orderId}`.execute(scene.db)
    await tellPoints(orderId, (await scene.order(unpaid)).user_id, 7)
    await compare()
    expect(await found()).toEqual([`${orderId} 0/7 open`])
  })

  test('a points system that does not answer leaves the day for later', async () => {
    await scene.buyPaid()
    await award()
    scene.points.setKnobs({ mode: 'down' })
    await compare()
    expect(await pointsRun()).toMatchObject({
      state: 'loaded',
      note: expect.stringContaining('503'),
    })
    expect(await found()).toEqual([])
    scene.points.setKnobs({ mode: 'ok' })
    await comparePoints()
    expect(await pointsRun()).toMatchObject({ state: 'done', note: 'points of 1 orders, 0 differ' })
  })

  test('a points system that is away for a day is told to a person, and the day can be compared later', async () => {
    await scene.buyPaid()
    await award()
    scene.points.setKnobs({ mode: 'down' })
    await compare()
    scene.passToDay(2, 12)
    await comparePoints()
    const { state, vendor_merchant_id: owner } = await pointsRun()
    expect(state).toBe('failed')
    expect(await scene.cases(`${owner} ${scene.businessDate}`)).toEqual(['points_not_compared'])
  })
})
