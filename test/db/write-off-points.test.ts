import { afterAll, beforeAll, expect, test } from 'bun:test'
import { beginGrant, refuseGrant } from '#db/points/points'
import { assert } from '#domain/assert'
import type { PointsGrantId } from '#domain/id'
import { cloneDatabase } from '../support/postgres.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { openDesk, refundFactsOf } from './desk.ts'
import type { Counter, Desk } from './desk.ts'
import { openOperator } from './operator.ts'
import type { Operator } from './operator.ts'

const TIMEOUT_MS = 30_000

let database: TestDatabase
let desk: Desk
let operator: Operator

beforeAll(async () => {
  database = await cloneDatabase()
  desk = await openDesk(database.url)
  operator = openOperator(desk)
}, TIMEOUT_MS)

afterAll(async () => {
  await desk.stop()
  await database.drop()
})

/** A paid order whose points the points system does not give. */
async function refusedPoints(): Promise<Counter & { readonly grantId: PointsGrantId }> {
  const counter = await desk.order(2000)
  await desk.pay(counter.first)
  const { id } = await desk.db
    .selectFrom('points_grant')
    .select('id')
    .where('order_id', '=', counter.orderId)
    .executeTakeFirstOrThrow()
  const grant = await beginGrant(desk.db, desk.merchantId, id, new Date())
  assert(grant !== undefined, 'the grant is to be sent')
  await refuseGrant(desk.db, grant, 'other values are stored')
  return { ...counter, grantId: id }
}

async function refundPart({ first }: Counter, amount: bigint): Promise<void> {
  const refund = await desk.refund(first, amount)
  await desk.markSent(refund)
  await desk.hear(refundFactsOf(first, refund, 'succeeded'))
}

const statesOf = async ({ orderId }: Counter): Promise<readonly string[]> =>
  (await desk.points(orderId)).map(({ kind, state }) => `${kind} ${state}`)

test('points that are written off are void, and so is every take-back that waits for them or comes later', async () => {
  const counter = await refusedPoints()
  await refundPart(counter, 500n)
  expect(await statesOf(counter)).toEqual(['grant refused', 'revoke pending'])
  await operator.resolve(counter.grantId, 'write_off')
  expect(await statesOf(counter)).toEqual(['grant void', 'revoke void'])
  await refundPart(counter, 500n)
  expect(await statesOf(counter)).toEqual(['grant void', 'revoke void', 'revoke void'])
  const { rows } = await sweepable(counter)
  expect(rows).toBe(0)
})

test('until then a take-back waits, because the points may be asked for again', async () => {
  const counter = await refusedPoints()
  await refundPart(counter, 500n)
  await operator.resolve(counter.grantId, 'retry')
  expect(await statesOf(counter)).toEqual(['grant pending', 'revoke pending'])
})

async function sweepable({ orderId }: Counter): Promise<{ readonly rows: number }> {
  const due = await desk.db
    .selectFrom('points_grant')
    .select('id')
    .where('order_id', '=', orderId)
    .where('due_at', 'is not', null)
    .execute()
  return { rows: due.length }
}
