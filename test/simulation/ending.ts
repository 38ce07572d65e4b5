import { sql } from 'kysely'
import { assert } from '#domain/assert'
import { refreshVendorKeys } from '#worker/key-refresh'
import type { Stage } from './command/command.ts'
import { judgeOrder } from './judge.ts'
import type { ActualAttempt, ActualOrder } from './judge.ts'
import type { Model, ModelAttempt, ModelOrder } from './model.ts'
import { placesOf } from './model.ts'
import { sendEvent, tellRefunds } from './outbox.ts'
import { findDangers, findUnfinished } from './safety.ts'
import { runWorkerUntilIdle, sweepOnce } from './step.ts'
import type { QueueOrder } from './step.ts'
import type { World } from './world.ts'

/** The vendor's pause between refunds, the end of every attempt, an hour of patience, and days of questions. */
const QUIET_SECONDS = [70, 70, 300, 1000, 3700, 86_460, 86_460, 86_460]
const PAUSE_SECONDS = 70
const PAUSES_MAX = 30

export interface Ending {
  readonly areCallbacksLost: boolean
  readonly queueOrder: QueueOrder
}

/**
 * Ends all trouble, lets everything happen that is still to happen, and compares the end with the model.
 *
 * Where callbacks stay lost the vendor is never heard again: our own questions must find everything.
 */
export async function endRun(model: Model, stage: Stage, how: Ending): Promise<void> {
  await heal(model, stage)
  if (!how.areCallbacksLost) await deliverAll(model, stage)
  await drain(model, stage, how)
  const { world } = stage
  const problems = [
    ...(await findDangers(world)),
    ...(await findUnfinished(world)),
    ...(await findWaiting(world)),
    ...(await findOddCases(world)),
  ]
  for (const order of model.orders) {
    problems.push(...judgeOrder(model, order, await readOrder(world, order)))
  }
  assert(problems.length === 0, `at the end:\n${problems.join('\n')}`)
}

async function heal(model: Model, { world }: Stage): Promise<void> {
  world.town.heal()
  for (const { attempt } of placesOf(model)) {
    for (const { outRefundNo, status } of world.town.vendor.refundsOf(attempt.id)) {
      if (status === 'PROCESSING') await world.town.vendor.finishRefund(outRefundNo, 'SUCCESS')
    }
  }
  await refreshVendorKeys(world.worker().deps)
  // The gateway keeps accounts for two seconds: the new one has the new keys.
  await world.restart()
}

async function deliverAll(model: Model, { world, outbox }: Stage): Promise<void> {
  const ids = placesOf(model).map(({ attempt }) => attempt.id)
  tellRefunds(world, outbox, ids)
  for (const event of outbox.events.filter(({ isAcknowledged }) => !isAcknowledged)) {
    const status = await sendEvent(world, outbox, event)
    assert(event.isAcknowledged, `nothing is wrong, and a callback was answered with ${status}`)
  }
}

async function drain(model: Model, stage: Stage, how: Ending): Promise<void> {
  const { world } = stage
  const turn = async (seconds: number): Promise<void> => {
    await world.pass(seconds)
    await sweepOnce(world)
    await runWorkerUntilIdle(world, how.queueOrder)
    if (!how.areCallbacksLost) await deliverAll(model, stage)
  }
  // Jobs whose worker died come back; the supervisor does it by its own clock in a real worker.
  await world.pass(PAUSE_SECONDS)
  await world.worker().boss.supervise()
  for (const seconds of QUIET_SECONDS) await turn(seconds)
  for (let pause = 0; pause < PAUSES_MAX && (await isWaiting(world)); pause += 1) {
    await turn(PAUSE_SECONDS)
  }
}

const isWaiting = async (world: World): Promise<boolean> => (await findWaiting(world)).length > 0

/** Rows that are still to be worked on, and jobs that are lost on the way. */
async function findWaiting({ db }: World): Promise<string[]> {
  const { rows } = await sql<{ subject: string }>`
    SELECT 'refund ' || id || ' ' || state AS subject FROM refund WHERE due_at IS NOT NULL
    UNION ALL SELECT 'grant ' || id || ' ' || state FROM points_grant WHERE due_at IS NOT NULL
    UNION ALL SELECT 'notification ' || id FROM notification WHERE due_at IS NOT NULL
    UNION ALL SELECT 'job ' || name || ' ' || id || ' ' || state FROM pgboss.job
              WHERE state IN ('created', 'retry', 'active', 'failed')`.execute(db)
  return rows.map(({ subject }) => `${subject} waits`)
}

/** What a machine must not decide alone is compared payment by payment; these come of long outages alone. */
const PATIENCE_CASES = new Set(['points_overdue', 'refund_waiting', 'refund_unknown'])

async function findOddCases({ db }: World): Promise<string[]> {
  const rows = await db
    .selectFrom('open_case as c')
    .select(['c.kind', 'c.subject'])
    .where((where) =>
      where.not(
        where.exists(
          where.selectFrom('payment as p').select('p.id').whereRef('p.id', '=', 'c.subject'),
        ),
      ),
    )
    .execute()
  return rows
    .filter(({ kind }) => !PATIENCE_CASES.has(kind))
    .map(({ kind, subject }) => `a case ${kind} about ${subject} that nobody expects`)
}

async function readOrder(world: World, order: ModelOrder): Promise<ActualOrder> {
  const row = await world.db
    .selectFrom('customer_order')
    .select(['id', 'state'])
    .where('order_number', '=', order.number)
    .executeTakeFirst()
  if (row === undefined) return { state: 'unpaid', attempts: [], balance: 0 }
  const payments = await world.db
    .selectFrom('payment')
    .selectAll()
    .where('order_id', '=', row.id)
    .execute()
  const attempts: ActualAttempt[] = []
  for (const payment of payments) {
    const refunds = await world.db
      .selectFrom('refund')
      .select(['id', 'amount', 'state'])
      .where('payment_id', '=', payment.id)
      .execute()
    const done = refunds.filter(({ state }) => state === 'succeeded')
    attempts.push({
      id: payment.id,
      state: payment.state,
      disposition: payment.disposition,
      reserved: Number(payment.refund_reserved),
      refunded: Number(payment.refunded),
      cases: await readCases(world, payment.id),
      events: await readEvents(world, [payment.id, ...refunds.map(({ id }) => id)]),
      vendor: readVendor(world, payment),
      refunds: Object.fromEntries(done.map(({ id, amount }) => [id, Number(amount)])),
    })
  }
  return { state: row.state, attempts, balance: world.town.points.balance(order.userId) }
}

function readVendor({ town }: World, { id }: Pick<ModelAttempt, 'id'>): ActualAttempt['vendor'] {
  const done = town.vendor.refundsOf(id).filter(({ status }) => status === 'SUCCESS')
  return {
    isPaid: town.vendor.order(id, town.main.mchid)?.payment !== undefined,
    refunds: Object.fromEntries(done.map(({ outRefundNo, amount }) => [outRefundNo, amount])),
  }
}

async function readCases({ db }: World, subject: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('open_case')
    .select('kind')
    .where('subject', '=', subject)
    .orderBy('kind')
    .execute()
  return rows.map(({ kind }) => kind)
}

async function readEvents({ db }: World, subjects: readonly string[]): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('merchant_event')
    .select('type')
    .where('subject', 'in', [...subjects])
    .execute()
  return rows.map(({ type }) => type)
}
