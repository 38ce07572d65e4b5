import { sql } from 'kysely'
import { nextAttemptAt } from '#domain/event'
import { newLogId } from '#domain/id'
import { addMs } from '#domain/time'
import { commit } from '../commit.ts'
import type { Db, Trx } from '../database.ts'
import { openCases } from '../case/case.ts'
import { resolveDead } from './event-case.ts'
import { endDelivery, wakeAt } from './event-delivery.ts'
import type { Delivery } from './event-delivery.ts'
import { endEndpoint } from './event-endpoint.ts'
import type { Jobs } from '../job.ts'

/** What came of an attempt. A status of 200 to 299 is success; anything else, and nothing, is not. */
export interface AttemptResult {
  readonly status: number | undefined
  readonly error: string | undefined
  readonly startedAt: Date
  readonly elapsedMs: number
}

export const isDelivered = ({ status }: AttemptResult): boolean =>
  status !== undefined && status >= 200 && status < 300

/**
 * Keeps the attempt, and what follows: delivered, the next attempt, or after the last a case.
 *
 * A failure is followed by something only while its attempt is the latest: a worker that was stopped in the
 * call and goes on later must not plan over the one that took its place.
 */
export async function finishDelivery(
  db: Db,
  jobs: Jobs,
  delivery: Delivery,
  result: AttemptResult,
  chance: number,
): Promise<void> {
  await commit(db, 'event.finish', async (trx) => {
    await keepAttempt(trx, delivery, result)
    if (isDelivered(result)) {
      await markDelivered(trx, delivery, result)
      return
    }
    if (result.status === GONE) {
      await endGone(trx, delivery)
      return
    }
    const endedAt = addMs(result.startedAt, result.elapsedMs)
    const next = nextAttemptAt(Number(delivery.attempt), endedAt, chance)
    if (next === undefined) await markDead(trx, delivery, result)
    else await planAttempt(trx, jobs, delivery, { next, now: endedAt })
    // Last, because every transaction here locks a delivery before its address.
    await countFailure(trx, delivery, result)
  })
}

/** Standard Webhooks, "Deliverability": whoever answers 410 does not want to be called again. */
const GONE = 410

/** A person looks, because events do not reach the shop there; its other addresses are told. */
async function endGone(trx: Trx, { merchantId, endpoint, eventId }: Delivery): Promise<void> {
  if (!(await endEndpoint(trx, merchantId, endpoint.id))) return
  const evidence = { event: eventId, url: endpoint.url }
  await openCases(trx, [
    { merchantId, kind: 'event_endpoint_gone', subject: endpoint.id, evidence },
  ])
}

const keepAttempt = (
  trx: Trx,
  { merchantId, id, attempt }: Delivery,
  { status, error, elapsedMs, startedAt }: AttemptResult,
): Promise<unknown> =>
  trx
    .insertInto('merchant_event_attempt')
    .values({
      merchant_id: merchantId,
      id: newLogId(),
      delivery_id: id,
      attempt,
      status: status === undefined ? null : BigInt(status),
      error: error ?? null,
      elapsed_ms: BigInt(elapsedMs),
      at: startedAt,
    })
    .execute()

async function markDelivered(
  trx: Trx,
  delivery: Delivery,
  { startedAt }: AttemptResult,
): Promise<void> {
  const { merchantId, id, endpoint } = delivery
  const moved = await trx
    .updateTable('event_delivery')
    .set({ state: 'delivered', due_at: null, delivered_at: startedAt })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .returning('id')
    .execute()
  // Judged by the row as it is now: others may have failed while this call was under way.
  await trx
    .updateTable('event_endpoint')
    .set({ failures: 0n, paused_until: null })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', endpoint.id)
    .where((where) => where.or([where('failures', '>', 0n), where('paused_until', 'is not', null)]))
    .execute()
  if (moved.length === 1) await resolveDead(trx, delivery, startedAt)
}

/** Failures in a row after which first attempts wait; retries go on and find out when it is well again. */
export const FAILURES_BEFORE_PAUSE = 5n
const PAUSE_MS = 30_000
const PAUSE_MS_MAX = 15 * 60_000

async function countFailure(
  trx: Trx,
  { merchantId, endpoint }: Delivery,
  { startedAt, elapsedMs }: AttemptResult,
): Promise<void> {
  const { failures } = await trx
    .updateTable('event_endpoint')
    .set({ failures: sql`failures + 1` })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', endpoint.id)
    .returning('failures')
    .executeTakeFirstOrThrow()
  if (failures < FAILURES_BEFORE_PAUSE) return
  const doubled = PAUSE_MS * 2 ** Math.min(10, Number(failures - FAILURES_BEFORE_PAUSE))
  await trx
    .updateTable('event_endpoint')
    .set({ paused_until: addMs(startedAt, elapsedMs + Math.min(doubled, PAUSE_MS_MAX)) })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', endpoint.id)
    .execute()
}

const markDead = (
  trx: Trx,
  { merchantId, id, eventId, endpoint, attempt }: Delivery,
  { status }: AttemptResult,
): Promise<void> =>
  endDelivery(
    trx,
    {
      merchant_id: merchantId,
      id,
      event_id: eventId,
      endpoint_id: endpoint.id,
      attempts: attempt,
    },
    { status: status ?? null },
  )

async function planAttempt(
  trx: Trx,
  jobs: Jobs,
  { merchantId, id, attempt }: Delivery,
  { next, now }: { readonly next: Date; readonly now: Date },
): Promise<void> {
  const planned = await trx
    .updateTable('event_delivery')
    .set({ due_at: next })
    .where('merchant_id', '=', merchantId)
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .where('attempts', '=', attempt)
    .returning('id')
    .execute()
  if (planned.length === 1) await wakeAt(trx, jobs, { merchantId, id }, { now, at: next })
}
